/** A session to keep: images, predictions and maps in one HTML file that opens offline and without scripts. */

import { encodeOnce } from "../images/base64.js";
import { unturned } from "../images/oriented.js";
import { addressOf } from "../server/client.js";
import { deploymentOf } from "../store.js";
import { download, timeInName } from "./download.js";
import { sessionPage } from "./session_page.js";

const SMALL = 640; // pixels of the longer side, where an image is shown once more

/** Save the images of the strip with the answers about them, and the maps that are on screen. */
export async function saveSession(state) {
    download(await sessionText(state), `session ${timeInName()}.html`, "text/html;charset=utf-8");
}

/** Return the HTML of a session. */
export async function sessionText(state) {
    const images = [];
    for (const image of state.images) images.push(await withPixels(image, state));
    return String(sessionPage({ ...state, images }, { time: new Date(), address: addressOf("ui") }));
}

/** Return an image with data URLs: `whole`, the file, and `smallOf`, smaller ones by deployment; null if not shown. */
async function withPixels(image, state) {
    const smallOf = {};
    if (!image.shown) return { ...image, whole: null, smallOf };
    const names = new Set(Object.keys(image.answers));
    for (const pane of state.panes.filter(({ imageId }) => imageId === image.id)) names.add(pane.deployment);
    for (const name of names) smallOf[name] = await small(image, deploymentOf(state, name)?.exif);
    return { ...image, whole: await dataUrl(image.shown), smallOf };
}

/** Return a small copy of an image as a data URL, turned by EXIF or not; null where browsers cannot decode it. */
async function small(image, turned) {
    try {
        const frame = await createImageBitmap(turned ? image.shown : await unturned(image));
        const scale = Math.min(1, SMALL / Math.max(frame.width, frame.height));
        const size = [frame.width, frame.height].map((side) => Math.max(1, Math.round(side * scale)));
        const canvas = new OffscreenCanvas(...size);
        canvas.getContext("2d").drawImage(frame, 0, 0, ...size);
        frame.close();
        return await dataUrl(await canvas.convertToBlob({ type: "image/webp", quality: 0.9 }));
    } catch {
        return null;
    }
}

async function dataUrl(file) {
    return `data:${file.type};base64,${await encodeOnce(file)()}`;
}
