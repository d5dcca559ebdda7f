/** Keys of the viewer: Space held anywhere shows the bare image; an image that has the focus moves and zooms. */

import { zoomAfterKey } from "./zoom.js";

const HAS_KEYS = "input, textarea, select, button, summary, a[href], [contenteditable], [role=slider], dialog";

/** Listen to keys of the whole document, once. */
export function installViewerKeys(actions, store) {
    let held = false;
    const hold = (hidden) => {
        if (held === hidden) return;
        held = hidden;
        actions.hide(hidden);
    };
    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === " " && !event.target.closest?.(HAS_KEYS)) {
            event.preventDefault(); // the page would scroll
            hold(true);
        } else if (event.target.closest?.("image-stage")) {
            zoom(event, actions, store);
        }
    });
    document.addEventListener("keyup", (event) => event.key === " " && hold(false));
    window.addEventListener("blur", () => hold(false));
}

function zoom(event, actions, store) {
    const before = store.state.zoom;
    const after = zoomAfterKey(before, event.key);
    if (!after) return;
    const still = before.scale === after.scale && before.x === after.x && before.y === after.y;
    if (still && event.key.startsWith("Arrow")) return; // the page scrolls
    event.preventDefault();
    actions.setZoom(after);
}
