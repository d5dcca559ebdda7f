/** What the header of a JPEG tells: https://www.w3.org/Graphics/JPEG/itu-t81.pdf */

import { exifOrientation, xmpOrientation } from "./orientation.js";

const APP1 = 0xe1;
const SCAN = 0xda;
const END = 0xd9;
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const NO_FRAME = [0xc4, 0xc8, 0xcc]; // tables and an extension, among the numbers of frames
const MOST_STEPS = 65536; // from segment to segment, and over bytes between them
const SHOWABLE = [0xc0, 0xc1, 0xc2]; // baseline, extended and progressive, which browsers decode

/** Read the header into `facts`. RangeError where the file breaks off. */
export function readJpeg(file, facts) {
    let inExif = null;
    let inXmp = null;
    let at = 2;
    for (let steps = 0; steps < MOST_STEPS && at < file.length; steps += 1) {
        if (file.u8(at) !== 0xff) {
            at += 1; // bytes between segments mean nothing
            continue;
        }
        const marker = file.u8(at + 1);
        if (marker === 0xff || marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) {
            at += marker === 0xff ? 1 : 2;
            continue;
        }
        if (marker === SCAN || marker === END) break;
        const length = file.u16(at + 2);
        const segment = file.part(at + 4, at + 2 + length);
        if (marker >= 0xc0 && marker <= 0xcf && !NO_FRAME.includes(marker) && !facts.width) {
            facts.bits = segment.u8(0);
            facts.height = segment.u16(1);
            facts.width = segment.u16(3);
            facts.showable = SHOWABLE.includes(marker) && facts.bits === 8;
        } else if (marker === APP1 && segment.says(0, "Exif\0")) {
            inExif ??= exifOrientation(segment);
        } else if (marker === APP1 && segment.says(0, XMP)) {
            inXmp ??= xmpOrientation(segment.part(XMP.length));
        }
        facts.orientation = inExif ?? inXmp ?? 1;
        at += 2 + Math.max(2, length);
    }
}
