"""The version of the product."""

from importlib.metadata import PackageNotFoundError, version


def product_version() -> str:
    """Return the version of Sightglass, or "unknown" where its folder is run without having been installed."""
    try:
        return version("sightglass")
    except PackageNotFoundError:
        return "unknown"
