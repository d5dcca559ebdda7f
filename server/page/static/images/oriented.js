/**
 * Files whose orientation every browser reads alike. Browsers do not heed EXIF in WebP, nor XMP in any format, and
 * cannot decode without heeding EXIF: an own block of EXIF in front, or none, leaves them no choice.
 */

const AS_STORED = 1;
const PNG_HEADER = 33; // bytes of the signature and the first chunk

/** Return a file that browsers turn as the server does, where the deployment has it turn images. */
export function turnable({ file, format, orientation }) {
    if (format === "JPEG") return inFront(file, jpegSegment(orientation), 2);
    return format === "PNG" ? inFront(file, pngChunk(orientation), PNG_HEADER) : file;
}

/** Return a file whose pixels no browser turns. */
export async function unturned(image) {
    if (image.orientation === AS_STORED) return image.file;
    return image.format === "WebP" ? withoutExif(image.file) : turnable({ ...image, orientation: AS_STORED });
}

function inFront(file, block, at) {
    return new Blob([file.slice(0, at), block, file.slice(at)], { type: file.type });
}

/** A WebP with the names of its chunks of EXIF changed: chunks of unknown names are passed over. */
async function withoutExif(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const view = new DataView(bytes.buffer);
    for (let at = 12; at + 8 <= bytes.length; ) {
        if (view.getUint32(at) === 0x45584946) view.setUint32(at, 0x78786978);
        const length = view.getUint32(at + 4, true);
        at += 8 + length + (length % 2);
    }
    return new Blob([bytes], { type: file.type });
}

/** A directory of EXIF with the orientation alone. */
function exif(orientation) {
    return [...[0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0], orientation, ...Array(7).fill(0)];
}

function jpegSegment(orientation) {
    const content = [0x45, 0x78, 0x69, 0x66, 0, 0, ...exif(orientation)];
    return new Uint8Array([0xff, 0xe1, 0, content.length + 2, ...content]);
}

function pngChunk(orientation) {
    const content = exif(orientation);
    const named = [0x65, 0x58, 0x49, 0x66, ...content];
    const chunk = new Uint8Array([0, 0, 0, content.length, ...named, 0, 0, 0, 0]);
    new DataView(chunk.buffer).setUint32(4 + named.length, checksum(named));
    return chunk;
}

/** CRC-32, as https://www.w3.org/TR/png-3/ defines it. */
function checksum(bytes) {
    let rest = 0xffffffff;
    for (const byte of bytes) {
        rest ^= byte;
        for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
    }
    return (rest ^ 0xffffffff) >>> 0;
}
