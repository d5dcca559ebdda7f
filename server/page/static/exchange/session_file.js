/** A session to keep: images, predictions and maps in one HTML file that opens offline and without scripts. */

import { encodeOnce } from "../images/base64.js";
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
    return String(sessionPage({ ...state, images }, { time: new Date(), address: document.baseURI }));
}

/** Return an image with data URLs: `whole`, the file, and `smallOf`, smaller ones by deployment; null if not shown. */
async function withPixels(image, state) {
    const smallOf = {};
    if (!image.url) return { ...image, whole: null, smallOf };
    const names = new Set(Object.keys(image.answers));
    for (const pane of state.panes.filter(({ imageId }) => imageId === image.id)) names.add(pane.deployment);
    for (const name of names) smallOf[name] = await drawn(image, deploymentOf(state, name)?.exif, SMALL);
    const whole = image.animated
        ? await drawn(image, false, Infinity)
        : `data:${image.mediaType};base64,${await image.base64()}`;
    return { ...image, whole, smallOf };
}

/** Return the data URL of an image's first frame, no larger than `most` pixels; null where it cannot be decoded. */
async function drawn({ file }, turned, most) {
    try {
        const frame = await createImageBitmap(file, { imageOrientation: turned ? "from-image" : "none" });
        const scale = Math.min(1, most / Math.max(frame.width, frame.height));
        const size = [frame.width, frame.height].map((side) => Math.max(1, Math.round(side * scale)));
        const canvas = new OffscreenCanvas(...size);
        canvas.getContext("2d").drawImage(frame, 0, 0, ...size);
        frame.close();
        const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.9 });
        return `data:${blob.type};base64,${await encodeOnce(blob)()}`;
    } catch {
        return null;
    }
}
