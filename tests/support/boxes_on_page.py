"""Boxes of replies, and where things lie on a page."""

from typing import Any

from playwright.sync_api import Locator


def box(left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    """Return a box as replies hold it."""
    return {"topX": left, "topY": top, "bottomX": right, "bottomY": bottom}


def rectangle(found: Locator) -> list[float]:
    """Return where an element lies in the window, in pixels: left, top, width, height."""
    script = "(e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; }"
    sides: list[float] = found.evaluate(script)
    return sides
