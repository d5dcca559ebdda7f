"""What stands in `image_url`, told apart: a path, a place in a datastore, a store, the web, or the image itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from data.errors import ImageUnavailableError
from settings.excerpt import shortened


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """A file on this machine, relative to the data set or absolute, perhaps percent-encoded."""

    path: str


@dataclass(frozen=True, slots=True)
class DatastoreAddress:
    """A path below the root of a datastore that has a name in a workspace of Azure Machine Learning."""

    datastore: str
    path: str


@dataclass(frozen=True, slots=True)
class LabelStudioAddress:
    """A file that Label Studio serves, at `web` if that is known. `paths` are what it may be called below a folder."""

    paths: tuple[str, ...]
    web: str | None


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """An object in a store that fsspec reads, with `options`.

    `name` is the URL without what gives access; `web` is where HTTPS has the object too, if that is known.
    """

    url: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    web: str | None = None


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A URL of HTTP or HTTPS."""

    url: str


@dataclass(frozen=True, slots=True)
class InlineAddress:
    """An image whose bytes stand in its URL."""

    url: str


Address = LocalAddress | DatastoreAddress | LabelStudioAddress | StoreAddress | WebAddress | InlineAddress

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # of two letters or more: one is a drive of Windows
_WORKSPACE = re.compile(r"azureml://(?:subscriptions/.+?/)?datastores/([^/]+)/paths/(.+)", re.IGNORECASE | re.DOTALL)
_DATASTORE = re.compile(r"AmlDatastore://([^/]+)/(.+)", re.IGNORECASE | re.DOTALL)
_STREAM = re.compile(r"StreamInfo\(AmlDatastore://(.+?)\[(.*)\]\)", re.IGNORECASE | re.DOTALL)
_STREAM_STORE = re.compile(r"""['"]datastoreName['"]\s*:\s*['"](.+?)['"]""")
_BLOB = re.compile(r"(?P<account>[^.]+)\.(?:blob|dfs)\.core\.windows\.net", re.IGNORECASE)
_CONTAINER = re.compile(r"(?P<container>[^@/]+)@(?P<account>[^./]+)\.(?:blob|dfs)\.[^/]+/(?P<path>.+)", re.DOTALL)
_LOCAL_FILES, _UPLOADED = re.compile(r"(?:.*/)?data/local-files/?"), re.compile(r"(?:.*/)?data/upload/(.+)", re.DOTALL)
_LOCAL_HOSTS = ("", "localhost")


def address_of(url: str) -> Address:
    """Tell what a URL is; ImageUnavailableError `image_missing` where it is of no form that is read."""
    try:
        return _address(url)
    except ValueError as error:  # of urlsplit
        raise ImageUnavailableError(
            "image_missing", f"{shortened(url, 200)} is no URL ({error}). Correct it."
        ) from None


def _address(url: str) -> Address:
    if url.startswith("StreamInfo("):
        return _stream(url)
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else ""
    rest = url[found.end() :] if found else url
    if scheme == "data":
        return InlineAddress(url)
    if scheme == "file":
        host, _, path = rest[2:].partition("/") if rest.startswith("//") else ("", "", rest)
        # two slashes are often followed by a relative path, which would be a host
        return LocalAddress(f"/{path}" if rest.startswith("//") and host in _LOCAL_HOSTS else rest.removeprefix("//"))
    if scheme in ("azureml", "amldatastore"):
        return _datastore(url)
    if scheme in ("http", "https"):
        return _label_studio(url, web=url) or _blob(url) or WebAddress(url)
    if scheme in ("wasb", "wasbs", "abfs", "abfss", "az", "azure-blob"):
        return _azure(scheme, rest.removeprefix("//"))
    if scheme in ("s3", "s3a", "gs", "gcs"):
        return StoreAddress(url, url)
    if scheme and rest.startswith("//"):
        raise ImageUnavailableError(
            "image_missing",
            f"{scheme}:// is not read. Give a path, or a URL of azureml, s3, gs, az, abfss, wasbs, http or https.",
        )
    return _label_studio(url, web=None) or LocalAddress(url)


def _stream(url: str) -> Address:
    found = _STREAM.fullmatch(url)
    store = _STREAM_STORE.search(found[2]) if found else None
    if found is None or store is None:
        raise ImageUnavailableError(
            "image_missing",
            f"{shortened(url, 200)} names no datastore. Expected StreamInfo(AmlDatastore://PATH[{{'datastoreName': "
            "'NAME'}]).",
        )
    return DatastoreAddress(store[1], found[1])


def _datastore(url: str) -> Address:
    if found := _WORKSPACE.fullmatch(url) or _DATASTORE.fullmatch(url):
        return DatastoreAddress(found[1], found[2])
    raise ImageUnavailableError(
        "image_missing",
        f"{shortened(url, 200)} is no image in a datastore: it names a data asset, or has another form. Expected "
        "azureml://datastores/NAME/paths/PATH. Download the asset, and give the paths of its images.",
    )


def _blob(url: str) -> Address | None:
    parts = urlsplit(url)
    found = _BLOB.fullmatch(parts.hostname or "")
    if found is None or parts.path.count("/") < 2:
        return None
    options = {"account_name": found["account"]} | ({"sas_token": parts.query} if parts.query else {})
    return StoreAddress(f"az:/{parts.path}", url.partition("?")[0], options, web=url)


def _azure(scheme: str, rest: str) -> Address:
    if found := _CONTAINER.fullmatch(rest):
        url = f"az://{found['container']}/{found['path']}"
        return StoreAddress(url, f"{scheme}://{rest}", {"account_name": found["account"]})
    return StoreAddress(f"az://{rest}", f"az://{rest}")


def _label_studio(url: str, web: str | None) -> Address | None:
    path, _, query = (urlsplit(url).path, "?", urlsplit(url).query) if web else url.partition("?")
    if _LOCAL_FILES.fullmatch(path) and (named := parse_qs(query).get("d")):
        return LabelStudioAddress((named[0].lstrip("/"),), web)
    if found := _UPLOADED.fullmatch(path):
        _, _, name = found[1].partition("/")
        return LabelStudioAddress((f"upload/{found[1]}", found[1], *([name] if name else [])), web)
    return None
