"""HTTP for tests: httpx as it is, but for certificates, which it would read anew for each request."""

import ssl
from functools import partial

import httpx

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Client = partial(httpx.Client, verify=_NO_CERTIFICATES)
get = partial(httpx.get, verify=_NO_CERTIFICATES)
post = partial(httpx.post, verify=_NO_CERTIFICATES)
put = partial(httpx.put, verify=_NO_CERTIFICATES)
delete = partial(httpx.delete, verify=_NO_CERTIFICATES)
request = partial(httpx.request, verify=_NO_CERTIFICATES)
