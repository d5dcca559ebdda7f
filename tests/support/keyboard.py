"""A page that is driven by keys alone, and which of its controls were."""

import re

from playwright.sync_api import Page

_MOST_TABS = 300  # twice through a page
_DESCRIBE = """(element) => {
    if (element === document.body) return "nothing";
    const name = element.ariaLabel ?? element.labels?.[0]?.innerText.trim().split("\\n")[0] ?? element.innerText;
    const kind = element.localName === "input" ? element.type : element.localName;
    const place = element.closest(".pane") ? "pane " : "";
    return `${place}${kind} ${name.replace(/\\s+/g, " ").trim()}`;
}"""
_FOCUSED = f"() => ({_DESCRIBE})(document.activeElement)"
_CONTROLS = f"""() => {{
    const all = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const found = [...document.querySelectorAll(all)].filter(
        (each) => each.tabIndex >= 0 && !each.disabled && each.checkVisibility({{ visibilityProperty: true }}),
    );
    const place = document.activeElement;
    return found.map((each) => [
        ({_DESCRIBE})(each),
        Boolean(place.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING),
    ]);
}}"""


class Keyboard:
    """Goes from one control of `page` to another by Tab, as somebody without a pointer does.

    A control is called by its kind and its name, such as `button Zoom in`, behind `pane ` where it belongs to one
    explanation. Methods take a pattern of that.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self._seen: set[str] = set()
        self._used: set[str] = set()

    def to(self, control: str) -> None:
        """Give a control the focus, by Tab or, where it stands in front, by Shift and Tab."""
        controls = self._controls()
        self._used.add(control)
        places = [in_front for name, in_front in controls.items() if re.fullmatch(control, name)]
        assert places, f"there is no {control} among {list(controls)}"
        key = "Shift+Tab" if all(places) else "Tab"
        for _ in range(_MOST_TABS):
            if re.fullmatch(control, self.page.evaluate(_FOCUSED)):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{key} never reaches {control}")

    def press(self, control: str, *keys: str) -> None:
        """Give a control the focus, and press these keys, Enter if there are none."""
        self.to(control)
        for key in keys or ("Enter",):
            self.page.keyboard.press(key)

    def type(self, control: str, text: str) -> None:
        """Give a field the focus, and write a text instead of its content."""
        self.press(control, "ControlOrMeta+a")
        self.page.keyboard.type(text)

    def unused(self) -> list[str]:
        """Return the controls that the page had at any time so far and that no call has named."""
        self._controls()
        return sorted(name for name in self._seen if not any(re.fullmatch(each, name) for each in self._used))

    def _controls(self) -> dict[str, bool]:
        """Return the controls that can be used now, and whether each stands in front of the focus."""
        found = dict(self.page.evaluate(_CONTROLS))
        self._seen.update(found)
        return found
