"""What the scripts share: arguments, HTTP requests, and error messages."""

import argparse
import http.client
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_WITHIN_S = 300.0


class RequestError(Exception):
    """There is no usable answer; the message says why."""


def arguments_of(description: str | None, *, images: str | None = None) -> argparse.ArgumentParser:
    """Return a parser of the options of all scripts and of one image, or as many as `images` (nargs) says."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path, metavar="IMAGE", nargs=images, help="a file, such as can.jpg")
    add_server_options(parser)
    return parser


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which server and deployment to ask."""
    parser.add_argument("--url", default="http://localhost:5001", help="where the server is (default: %(default)s)")
    parser.add_argument("--key", help="a key, where the server asks for one")
    parser.add_argument("--deployment", metavar="NAME", help="the deployment to ask, where there are several")


def headers_of(media_type: str, key: str | None, deployment: str | None) -> dict[str, str]:
    """Return the headers of a request to the hosted endpoint or to this server."""
    headers = {"Content-Type": media_type}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    if deployment is not None:
        headers["azureml-model-deployment"] = deployment
    return headers


def read(image: Path) -> bytes:
    """Return the bytes of a file; RequestError where it cannot be read."""
    try:
        return image.read_bytes()
    except OSError as error:
        raise RequestError(f"The image {image} cannot be read: {error.strerror}.") from None


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Any:
    """Post a body and return the JSON of the reply; RequestError where there is none or the status is not 200."""
    return _sent(url, body, headers)


def get(url: str) -> Any:
    """Get the JSON at a URL; RequestError as for `post`."""
    return _sent(url, None, {})


def _sent(url: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
    try:
        request = urllib.request.Request(url, body, dict(headers))
        with urllib.request.urlopen(request, timeout=_WITHIN_S) as reply:
            content = reply.read()
    except urllib.error.HTTPError as error:
        raise RequestError(f"{url} answered {error.code}: {_message(error.read())}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RequestError(f"{url} does not answer: {getattr(error, 'reason', error)}") from None
    try:
        return json.loads(content)
    except ValueError as error:
        raise RequestError(f"{url} answered with something that is no JSON: {error}.") from None


def _message(body: bytes) -> str:
    """Return the message of an error, which is no JSON object if something between here and the server wrote it."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, TypeError, KeyError):
        return body[:200].decode(errors="replace")


def run(work: Callable[[], None]) -> int:
    """Do `work` and return the exit code of a script: 0, or 1 after an error message."""
    try:
        work()
    except RequestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    return 0
