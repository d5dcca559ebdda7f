/** Drop: files and folders that are dropped anywhere on the page. */

import { filesOf } from "./folders.js";

const NO_FILES = "What was dropped is a text or a link. Drop an image file, or save the image first and drop that.";

/** Take what is dropped on the document, and show while something is dragged over it that it will be taken. */
export function installDrop(actions) {
    const overlay = document.body.appendChild(overlayElement());
    let inside = 0; // elements that were entered and not left
    let ours = false; // the page's own image or text is dragged

    const show = (shown) => {
        overlay.hidden = !shown;
        if (!shown) inside = 0;
    };
    document.addEventListener("dragstart", () => (ours = true));
    document.addEventListener("dragend", () => (ours = false));
    document.addEventListener("dragenter", (event) => {
        if (ours || isForField(event)) return;
        event.preventDefault();
        inside += 1;
        show(true);
    });
    document.addEventListener("dragover", (event) => {
        if (ours || isForField(event)) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = "copy";
    });
    document.addEventListener("dragleave", () => {
        inside -= 1;
        if (inside <= 0) show(false);
    });
    document.addEventListener("drop", async (event) => {
        show(false);
        if (ours || isForField(event)) return;
        event.preventDefault(); // else the browser leaves the page for the file
        const found = filesOf(event.dataTransfer);
        if (!found) return actions.say(NO_FILES, "error");
        const { files, words } = await found;
        if (words) actions.say(words, "error");
        if (files.length) await actions.addFiles(files);
    });
}

/** A text that is dragged into a field is the field's. */
function isForField({ target, dataTransfer }) {
    return !dataTransfer.types.includes("Files") && target.closest?.("input, textarea");
}

function overlayElement() {
    const overlay = document.createElement("div");
    overlay.className = "drop-overlay";
    overlay.hidden = true;
    const words = overlay.appendChild(document.createElement("p"));
    words.textContent = "Drop images or folders of images";
    return overlay;
}
