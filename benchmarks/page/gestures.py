"""What somebody does on the page, and how long the page takes to show it; measured inside the browser."""

import base64

from playwright.sync_api import Page

_DROP = """async ([data, boxes]) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
    performance.clearResourceTimings();
    const drawn = () => document.querySelectorAll(".viewer .overlay [data-key]").length;
    const started = performance.now();
    for (const type of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
    const replies = () => performance.getEntriesByType("resource").filter((each) => each.name.endsWith("/score"));
    while (!replies().length || drawn() < boxes) {
        await new Promise(requestAnimationFrame);
        if (performance.now() - started > 60000) throw new Error(`${drawn()} boxes after a minute`);
    }
    // A frame begins before it is painted; the next task after it runs when that is done
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const shown = performance.now();
    const [reply] = replies();
    return shown - started - (reply.responseEnd - reply.requestStart);
}"""
_ZOOM = """async (frames) => {
    const stage = document.querySelector(".viewer image-stage");
    const { left, top, width, height } = stage.getBoundingClientRect();
    const taken = [];
    let before = await new Promise(requestAnimationFrame);
    for (let frame = 0; frame < frames; frame += 1) {
        stage.dispatchEvent(new WheelEvent("wheel", {
            deltaY: frame % 40 < 20 ? -40 : 40, ctrlKey: true, bubbles: true, cancelable: true,
            clientX: left + width / 3, clientY: top + height / 3,
        }));
        const now = await new Promise(requestAnimationFrame);
        taken.push(now - before);
        before = now;
    }
    return taken;
}"""


def boxes_after_drop_ms(page: Page, image: bytes, boxes: int) -> float:
    """Drop an image, wait for its boxes, and return the milliseconds until then beyond those of the reply."""
    return float(page.evaluate(_DROP, [base64.b64encode(image).decode(), boxes]))


def remove_dropped(page: Page) -> None:
    """Take the image away again."""
    page.get_by_role("button", name="Remove dropped.jpg").click()


def zoom_frames_ms(page: Page, frames: int = 120) -> list[float]:
    """Turn the wheel once a frame, and return the milliseconds of each frame."""
    return [float(each) for each in page.evaluate(_ZOOM, frames)]
