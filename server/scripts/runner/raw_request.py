"""AMLRequest: the argument of `run()` with @rawhttp. It has the attributes of Flask's requests that scripts use."""

import io
import json
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from server.ipc.raw_http import RawRequest
from server.scripts.runner.form import read_form
from server.scripts.runner.inputs import capitalised, is_json
from server.scripts.runner.multi_dict import Headers, MultiDict

_SCHEME = "http"  # encryption ends before the server


class AMLRequest:
    """An HTTP request. Its body is parsed only when an attribute needs it."""

    scheme = _SCHEME

    def __init__(self, request: RawRequest) -> None:
        self.method = request.method
        self.path = request.path
        self.full_path = f"{request.path}?{request.query}"
        self.query_string = request.query.encode("latin-1", "replace")
        self.headers = Headers((capitalised(name), value) for name, value in request.headers)
        self._body = request.body

    def __repr__(self) -> str:
        return f"<AMLRequest {self.url!r} [{self.method}]>"

    @property
    def data(self) -> bytes:
        """The body."""
        return self._body

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> bytes | str:
        """Return the body, or with `as_text` the body decoded from UTF-8. The other arguments have no effect."""
        return self._body.decode(errors="replace") if as_text else self._body

    @cached_property
    def stream(self) -> io.BytesIO:
        """The body as an open file."""
        return io.BytesIO(self._body)

    @property
    def is_json(self) -> bool:
        """Whether the content type is that of JSON."""
        return is_json(self.content_type or "")

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Return the body parsed as JSON. Raises ValueError, or with `silent` returns None, where it is not JSON.

        Without `force`, the content type must be that of JSON too.
        """
        try:
            if not (force or self.is_json):
                raise ValueError(f"The content type is {self.content_type!r}; expected application/json.")
            return json.loads(self._body)
        except ValueError:
            if silent:
                return None
            raise

    @property
    def json(self) -> Any:
        """The body parsed as JSON. Raises ValueError where it is not JSON."""
        return self.get_json()

    @cached_property
    def args(self) -> MultiDict:
        """The query, decoded."""
        return MultiDict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))

    @cached_property
    def _form(self) -> tuple[MultiDict, MultiDict]:
        return read_form(self.content_type or "", self._body)

    @property
    def form(self) -> MultiDict:
        """The fields of a form."""
        return self._form[0]

    @property
    def files(self) -> MultiDict:
        """The files of a form."""
        return self._form[1]

    @property
    def values(self) -> MultiDict:
        """The query and the fields of a form."""
        return MultiDict([*self.args.items(multi=True), *self.form.items(multi=True)])

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies by name."""
        try:
            return {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("Cookie", "")).items()}
        except CookieError:
            return {}

    @property
    def content_type(self) -> str | None:
        """The content type of the body, if the client sent one."""
        content_type = self.headers.get("Content-Type")
        return None if content_type is None else str(content_type)

    @property
    def mimetype(self) -> str:
        """The content type in lower case, without its parameters."""
        return (self.content_type or "").partition(";")[0].strip().lower()

    @property
    def content_length(self) -> int | None:
        """The length of the body that the client sent in its header."""
        return self.headers.get("Content-Length", type=int)  # type: ignore[no-any-return]

    @property
    def host(self) -> str:
        """The host and port in the request."""
        return str(self.headers.get("Host", "localhost"))

    @property
    def url_root(self) -> str:
        """The URL of the server."""
        return f"{_SCHEME}://{self.host}/"

    @property
    def base_url(self) -> str:
        """The URL of the request, without the query."""
        return f"{_SCHEME}://{self.host}{self.path}"

    @property
    def url(self) -> str:
        """The URL of the request."""
        return self.base_url + (f"?{self.query_string.decode('latin-1')}" if self.query_string else "")
