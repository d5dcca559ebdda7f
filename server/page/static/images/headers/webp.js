/** What the header of a WebP tells: https://developers.google.com/speed/webp/docs/riff_container */

import { exifOrientation, xmpOrientation } from "./orientation.js";

const ALPHA = 0x10;
const ANIMATION = 0x02;
const SIZE_BITS = 0x3fff;
const MOST_CHUNKS = 65536;

/** Read the header into `facts`. RangeError where the file breaks off. */
export function readWebp(file, facts) {
    facts.bits = 8;
    if (file.says(12, "VP8 ")) {
        facts.width = file.u16(26, true) & SIZE_BITS;
        facts.height = file.u16(28, true) & SIZE_BITS;
        facts.transparent = false;
    } else if (file.says(12, "VP8L")) {
        const packed = file.u32(21, true);
        facts.width = (packed & SIZE_BITS) + 1;
        facts.height = ((packed >>> 14) & SIZE_BITS) + 1;
        facts.transparent = ((packed >>> 28) & 1) === 1;
    } else if (file.says(12, "VP8X")) {
        const flags = file.u8(20);
        facts.width = file.u24(24, true) + 1;
        facts.height = file.u24(27, true) + 1;
        facts.transparent = (flags & ALPHA) !== 0;
        readChunks(file, facts, (flags & ANIMATION) !== 0);
    }
}

function readChunks(file, facts, mayMove) {
    let frames = 0;
    let inXmp = null;
    let inExif = null;
    let at = 12;
    for (let chunks = 0; chunks < MOST_CHUNKS && at + 8 <= file.length; chunks += 1) {
        const length = file.u32(at + 4, true);
        const content = () => file.part(at + 8, at + 8 + length);
        if (file.says(at, "ANMF")) frames += 1;
        else if (file.says(at, "EXIF")) inExif ??= exifOrientation(content());
        else if (file.says(at, "XMP ")) inXmp ??= xmpOrientation(content());
        at += 8 + length + (length % 2);
    }
    facts.animated = mayMove && frames > 1;
    facts.orientation = inExif ?? inXmp ?? 1;
}
