"""Images in stores such as S3, Google Cloud Storage and Azure Blob Storage, read by fsspec."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.errors import ImageUnavailableError
from data.sources.address import StoreAddress
from data.sources.image_cache import ImageCache
from models.errors import first_line
from settings.excerpt import shortened

MAX_BYTES = 2**28
_BLOCK = 2**20
# Scheme -> the extra of this project that reads it
_EXTRAS = {"az": "azure", "s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
# What stores call that which changes with an object
_TAGS = ("ETag", "etag", "generation", "md5Hash", "content_md5", "LastModified", "last_modified", "mtime", "created")


def fetch_from_store(address: StoreAddress, cache: ImageCache) -> Path:
    """Return a file with the content of an object, from the cache where it has not changed.

    Access is what the store's own environment variables and files give. ImageUnavailableError `image_missing` where it
    cannot be read, `image_unreadable` where it is too large; OSError where the cache cannot be written.
    """
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(address.url, **address.options)
    except ImportError:
        scheme = address.url.partition(":")[0]
        extra = _EXTRAS.get(scheme)
        install = f"pip install '.[{extra}]'" if extra else "install what fsspec asks for"
        raise ImageUnavailableError(
            "image_missing", f"The packages that read {scheme}:// are not installed: {install}."
        ) from None
    except Exception as error:  # each store has errors of its own
        raise _unavailable(address, error) from None
    try:
        facts = system.info(path)
    except Exception as error:
        raise _unavailable(address, error) from None
    if facts.get("type") == "directory":
        raise ImageUnavailableError("image_missing", f"{shortened(address.name, 300)} is a folder, not an image.")
    entry = cache.entry(address.name)
    tag = _tag(facts)
    if entry.tag() == tag:
        return entry.file(tag)
    return entry.keep(tag, _blocks(system, path, address))


def _blocks(system: Any, path: str, address: StoreAddress) -> Iterator[bytes]:
    total = 0
    try:
        with system.open(path, "rb") as stream:
            while block := stream.read(_BLOCK):
                total += len(block)
                if total > MAX_BYTES:
                    raise too_large(address.name)
                yield block
    except ImageUnavailableError:
        raise
    except Exception as error:
        raise _unavailable(address, error) from None


def _tag(facts: dict[str, Any]) -> str:
    found = next((str(facts[name]) for name in _TAGS if facts.get(name)), "")
    return f"{facts.get('size')} {found}"


def too_large(name: str) -> ImageUnavailableError:
    """Return the error about an image of too many bytes."""
    return ImageUnavailableError(
        "image_unreadable", f"{shortened(name, 300)} has more than {MAX_BYTES // 2**20} MiB. Give a smaller image."
    )


def _unavailable(address: StoreAddress, error: Exception) -> ImageUnavailableError:
    missing = isinstance(error, FileNotFoundError)
    reason = "it does not exist" if missing else shortened(first_line(error).rstrip(".!"), 200)
    return ImageUnavailableError("image_missing", f"{shortened(address.name, 300)} cannot be read: {reason}.")
