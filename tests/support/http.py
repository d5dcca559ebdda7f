"""HTTP for tests: httpx as it is, but patient on a busy machine, and without certificates.

It would read certificates anew for each request.
"""

import ssl
from functools import partial
from typing import Any

import httpx

_USUAL: dict[str, Any] = {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "timeout": 60}

Client = partial(httpx.Client, **_USUAL)
get = partial(httpx.get, **_USUAL)
post = partial(httpx.post, **_USUAL)
put = partial(httpx.put, **_USUAL)
delete = partial(httpx.delete, **_USUAL)
request = partial(httpx.request, **_USUAL)
