/** Image files: what a file is, whether it is sent, and how it is shown. All of it before a browser decodes a pixel. */

import { encodeOnce } from "./base64.js";
import { ByteReader } from "./headers/byte_reader.js";
import { formatOf, kindOf, TAKEN } from "./media_type.js";
import { notesOf } from "./notes.js";
import { turnable } from "./oriented.js";
import { still } from "./still.js";

const HEAD_BYTES = 4096;
const UNREADABLE = "The file cannot be read; perhaps it is a folder, or was moved or changed meanwhile.";
const JSON_BYTES = 65536; // of a request beside its image, at most
// What the server takes where nobody has set another limit, until it says
const USUAL = { max_body_bytes: 64 * 2 ** 20, max_image_bytes: 32 * 2 ** 20, max_image_pixels: 100_000_000 };

/**
 * Read a file.
 * @param {Blob} file anything
 * @param {string} name as the person knows it; foreign text
 * @param {{max_body_bytes: number, max_image_bytes: number, max_image_pixels: number}} [limits] of the server
 * @returns {Promise<object>} an image of the strip without `id` and `answers`: `file` with its true media type, `name`,
 *     `shown`, the file for browsers, its `url` (both null where it cannot or must not be shown), `mediaType`,
 *     `format`, `width` and `height` in pixels as stored, `orientation` 1 to 8, `bits` a channel, `animated`,
 *     `transparent` (null where unknown), `refusal` (why it is not sent, or null), `notes`, and `base64()`, a promise of
 *     the text, made once
 */
export async function readImageFile(file, name, limits = USUAL) {
    let image = { ...EMPTY, file, name: name || "image without a name" };
    let refusal = tooManyBytes(file.size, limits);
    try {
        const start = new Uint8Array(await (refusal ? file.slice(0, HEAD_BYTES) : file).arrayBuffer());
        const reader = new ByteReader(start);
        const format = formatOf(reader);
        if (!format) return { ...image, refusal: wrongFormat(reader) };
        image = { ...image, format: format.name, mediaType: format.mediaType };
        if (refusal) return { ...image, refusal };
        const typed = file.slice(0, file.size, format.mediaType);
        image = { ...image, ...factsOf(reader, format), file: typed, base64: encodeOnce(typed, start) };
    } catch (error) {
        if (error.name !== "NotReadableError" && error.name !== "NotFoundError") throw error;
        return { ...image, refusal: UNREADABLE };
    }
    refusal = unusable(image, limits);
    if (refusal) return { ...image, refusal };
    const shown = image.showable ? await shownOf(image) : null;
    return { ...image, shown, url: shown && URL.createObjectURL(shown), notes: notesOf(image) };
}

const EMPTY = Object.freeze({
    url: null,
    mediaType: "",
    format: "",
    width: 0,
    height: 0,
    orientation: 1,
    bits: 8,
    animated: false,
    transparent: null,
    pages: false,
    showable: false,
    shown: null,
    refusal: null,
    notes: [],
});

/** Return what a header tells; what it told before it broke off, where it does. */
function factsOf(file, format) {
    const facts = { width: 0, height: 0, orientation: 1, transparent: false, showable: format.showable };
    try {
        format.read(file, facts);
    } catch (error) {
        if (!(error instanceof RangeError)) throw error;
    }
    return facts;
}

/** Return the file that the page shows: of one frame, and turned alike by all browsers. */
async function shownOf(image) {
    const isTurned = image.orientation > 1;
    if (image.animated || (isTurned && image.format === "WebP")) return still(image);
    return isTurned ? turnable(image) : image.file;
}

function wrongFormat(head) {
    return `This is ${kindOf(head)}. Images are taken as ${TAKEN}; convert it to one of these.`;
}

function tooManyBytes(size, { max_image_bytes: most, max_body_bytes: body }) {
    const room = Math.min(most, Math.floor((Math.max(0, body - JSON_BYTES) * 3) / 4)); // base64 takes 4 bytes for 3
    if (size <= room) return null;
    return `The file has ${megabytes(size)}; this server takes up to ${megabytes(room)}. Compress or shrink it.`;
}

function unusable({ width, height, format }, { max_image_pixels: most }) {
    if (!width || !height) return `The ${format} image is damaged: its header tells no size. Save it anew.`;
    if (width * height <= most) return null;
    const size = `${count(width)} x ${count(height)} pixels`;
    return `The image has ${size}, ${millions(width * height)}; this server takes up to ${millions(most)}. Shrink it.`;
}

function count(number) {
    return number.toLocaleString("en");
}

function millions(pixels) {
    return pixels < 1e6 ? `${count(pixels)} in all` : `${count(Number((pixels / 1e6).toPrecision(3)))} million`;
}

function megabytes(bytes) {
    if (bytes < 2 ** 20) return `${count(Math.ceil(bytes / 1024))} kB`;
    return `${count(Number((bytes / 2 ** 20).toFixed(1)))} MB`;
}
