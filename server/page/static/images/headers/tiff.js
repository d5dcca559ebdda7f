/** What the header of a TIFF tells. */

import { taggedOrientation, xmpOrientation } from "./orientation.js";
import { readDirectory } from "./tiff_directory.js";

const WIDTH = 256;
const HEIGHT = 257;
const BITS = 258;
const EXTRA_SAMPLES = 338;
const XMP = 700;
const FIRST_TURNED = 5; // from this orientation on, width and height change places

/** Read the header into `facts`. RangeError where the file breaks off. */
export function readTiff(file, facts) {
    const tags = readDirectory(file);
    const [width, height] = [tags.get(WIDTH)?.[0] ?? 0, tags.get(HEIGHT)?.[0] ?? 0];
    // The server turns every TIFF, as no other format, so that its size is the turned one and nothing is left to turn
    const turned = (taggedOrientation(tags) ?? orientationInText(file, tags)) >= FIRST_TURNED;
    [facts.width, facts.height] = turned ? [height, width] : [width, height];
    facts.bits = tags.get(BITS)?.[0] ?? 1;
    facts.transparent = tags.has(EXTRA_SAMPLES);
    facts.pages = tags.next > 0;
}

function orientationInText(file, tags) {
    return tags.has(XMP) ? (xmpOrientation(file) ?? 1) : 1;
}
