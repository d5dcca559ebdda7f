/** Paste: files and images of the clipboard, wherever the focus is. */

const NO_IMAGE = "The clipboard holds no image. Copy an image, or an image file, and paste again.";
const WITHOUT_TEXT = ["button", "checkbox", "file", "radio", "range"];
const UNNAMED = /^image\.\w+$/; // what browsers call an image that is no file

/** Take the images that are pasted anywhere, but leave texts to the fields that have the focus. */
export function installPaste(actions) {
    document.addEventListener("paste", (event) => {
        const files = [...(event.clipboardData?.files ?? [])];
        const types = event.clipboardData?.types ?? [];
        if (isField(event.target) && (!files.length || types.includes("text/plain"))) return;
        event.preventDefault();
        take(files, actions);
    });
}

/** Whether the page may read the clipboard at the press of a button, which phones need. */
export function canPaste() {
    return typeof navigator.clipboard?.read === "function";
}

/** Read the clipboard, for which the browser may ask the person. */
export async function pasteFromClipboard(actions) {
    let items;
    try {
        items = await navigator.clipboard.read();
    } catch {
        actions.say("The browser does not let this page read the clipboard. Paste with Ctrl+V instead.", "error");
        return;
    }
    const files = [];
    for (const item of items) {
        const type = item.types.find((each) => each.startsWith("image/"));
        if (type) files.push(new File([await item.getType(type)], "image.png"));
    }
    take(files, actions);
}

function take(files, actions) {
    if (!files.length) return actions.say(NO_IMAGE, "error");
    return actions.addFiles(files.map(named));
}

function named(file) {
    if (file.name && !UNNAMED.test(file.name)) return file;
    return new File([file], `pasted ${new Date().toTimeString().slice(0, 8).replaceAll(":", ".")}.png`);
}

function isField(target) {
    if (target instanceof HTMLInputElement) return !WITHOUT_TEXT.includes(target.type);
    return target instanceof HTMLTextAreaElement || target.isContentEditable === true;
}
