/** What the header of a PNG tells: https://www.w3.org/TR/png-3/ */

import { exifOrientation } from "./orientation.js";

const WITH_ALPHA = [4, 6];
const MOST_CHUNKS = 65536;

/** Read the header into `facts`. RangeError where the file breaks off. */
export function readPng(file, facts) {
    facts.width = file.u32(16);
    facts.height = file.u32(20);
    facts.bits = file.u8(24);
    facts.transparent = WITH_ALPHA.includes(file.u8(25));
    let at = 8;
    for (let chunks = 0; chunks < MOST_CHUNKS && at + 12 <= file.length; chunks += 1) {
        const length = file.u32(at);
        if (file.says(at + 4, "tRNS")) facts.transparent = true;
        else if (file.says(at + 4, "acTL")) facts.animated = file.u32(at + 8) > 1;
        else if (file.says(at + 4, "eXIf")) {
            facts.orientation = exifOrientation(file.part(at + 8, at + 8 + length)) ?? facts.orientation;
        }
        at += 12 + length;
    }
}
