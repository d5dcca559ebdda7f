/** What a person should know about an image: where what they see and what the model sees may differ. */

const TURNS = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "mirrored upside down",
    5: "mirrored and turned by 90 degrees",
    6: "turned by 90 degrees",
    7: "mirrored and turned by 90 degrees",
    8: "turned by 90 degrees",
};

/** Return the notes on an image that hold for every model, as sentences. */
export function notesOf(image) {
    return [
        image.animated && "The image is animated. The model sees its first frame, and so does this page.",
        image.pages && "The file has several pages. The model sees the first one.",
        image.transparent && "The image may be transparent in parts. There the model sees the colours stored beneath.",
        image.bits > 8 && `The image has ${image.bits} bits a channel. The server scales them to 8, as models need.`,
        !image.showable && `Browsers do not show this kind of ${image.format}. The server reads it.`,
    ].filter(Boolean);
}

/**
 * Return all notes on an image for one deployment.
 * @param {object} image of the strip
 * @param {{exif: boolean}|null} facts the description of the deployment, which may turn images by EXIF
 */
export function notesFor(image, facts) {
    const turn = TURNS[image.orientation];
    if (!turn || !facts) return image.notes;
    const words = facts.exif
        ? `EXIF says that this photograph is ${turn}. The model turns it upright, as shown here.`
        : `EXIF says that this photograph is ${turn}. The model sees it as it is stored, so it is shown like that.`;
    return [words, ...image.notes];
}
