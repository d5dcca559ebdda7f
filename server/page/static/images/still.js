/** The first frame of an animation, which is what a model sees. */

/**
 * Return the URL of a still PNG of an image's first frame; null where the browser cannot decode it.
 * @param {{file: Blob}} image with its true media type
 */
export async function still({ file }) {
    try {
        const frame = await createImageBitmap(file, { imageOrientation: "none" });
        const canvas = new OffscreenCanvas(frame.width, frame.height);
        canvas.getContext("2d").drawImage(frame, 0, 0);
        frame.close();
        return URL.createObjectURL(await canvas.convertToBlob());
    } catch {
        return null; // it is sent all the same, and the server says what is wrong with it
    }
}
