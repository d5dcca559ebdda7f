"""HTTP for tests: httpx as it is, but patient on a busy machine, and without certificates.

It would read certificates anew for each request.
"""

import ssl
from functools import partial

import httpx

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_PATIENT_S = 60.0

Client = partial(httpx.Client, verify=_NO_CERTIFICATES, timeout=_PATIENT_S)
get = partial(httpx.get, verify=_NO_CERTIFICATES, timeout=_PATIENT_S)
post = partial(httpx.post, verify=_NO_CERTIFICATES, timeout=_PATIENT_S)
put = partial(httpx.put, verify=_NO_CERTIFICATES, timeout=_PATIENT_S)
delete = partial(httpx.delete, verify=_NO_CERTIFICATES, timeout=_PATIENT_S)
request = partial(httpx.request, verify=_NO_CERTIFICATES, timeout=_PATIENT_S)
