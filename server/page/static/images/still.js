/** The first frame of an image, which is what a model sees of an animation. */

import { turnable, unturned } from "./oriented.js";

/** Return a PNG of the first frame of an image, or null where browsers cannot decode it. */
export async function still(image) {
    try {
        const frame = await createImageBitmap(await unturned(image));
        const canvas = new OffscreenCanvas(frame.width, frame.height);
        canvas.getContext("2d").drawImage(frame, 0, 0);
        frame.close();
        return turnable({ ...image, file: await canvas.convertToBlob(), format: "PNG" });
    } catch {
        return null; // it is sent all the same, and the server says what is wrong with it
    }
}
