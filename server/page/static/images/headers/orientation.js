/** The orientation of an image, 1 to 8, from its EXIF or XMP: the server reads both, EXIF first. */

import { readDirectory } from "./tiff_directory.js";

const ORIENTATION = 274;
const MARK = "Exif\0\0";
const IN_XMP = /tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]/;

/**
 * Return the orientation that a block of EXIF tells, or null.
 * @param {ByteReader} block with or without its mark; may be cut off
 */
export function exifOrientation(block) {
    let inner = block;
    while (inner.says(0, MARK)) inner = inner.part(MARK.length);
    try {
        return taggedOrientation(readDirectory(inner));
    } catch (error) {
        if (error instanceof RangeError) return null;
        throw error;
    }
}

/** Return the orientation that a directory of tags tells, or null. */
export function taggedOrientation(tags) {
    const value = tags.get(ORIENTATION)?.[0];
    return Number.isInteger(value) && value >= 1 && value <= 8 ? value : null;
}

/** Return the orientation that a text of XMP tells, or null. */
export function xmpOrientation(text) {
    const found = IN_XMP.exec(new TextDecoder().decode(text.bytes));
    return found ? Number(found[1]) : null;
}
