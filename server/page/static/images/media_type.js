/** Which format a file has, by its first bytes: names and declared types are not believed. */

import { readBmp } from "./headers/bmp.js";
import { readGif } from "./headers/gif.js";
import { readJpeg } from "./headers/jpeg.js";
import { readPng } from "./headers/png.js";
import { readTiff } from "./headers/tiff.js";
import { readWebp } from "./headers/webp.js";

/** The formats that are taken; `showable` where browsers can show them, `read` reads the header. */
const FORMATS = [
    { name: "JPEG", mediaType: "image/jpeg", showable: true, read: readJpeg, signature: /^\xff\xd8/ },
    { name: "PNG", mediaType: "image/png", showable: true, read: readPng, signature: /^\x89PNG/ },
    { name: "GIF", mediaType: "image/gif", showable: true, read: readGif, signature: /^GIF8[79]a/ },
    { name: "WebP", mediaType: "image/webp", showable: true, read: readWebp, signature: /^RIFF.{4}WEBP/s },
    { name: "TIFF", mediaType: "image/tiff", showable: false, read: readTiff, signature: /^(II[*+]\0|MM\0[*+])/ },
    // Two letters begin many texts: the size of the second header follows
    { name: "BMP", mediaType: "image/bmp", showable: true, read: readBmp, signature: /^BM.{12}[\x0c-\xff]\0\0\0/s },
];

/** The names of the formats, for sentences. */
export const TAKEN = "JPEG, PNG, WebP, GIF, BMP or TIFF";

const OTHERS = [
    ["a PDF document", /^%PDF/],
    ["an AVIF image", /^.{4}ftypavi/s],
    ["a HEIC image", /^.{4}ftyp(he[iv]|mif1|msf1)/s],
    ["a video", /^(.{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI |\0\0\x01\xba)/s],
    ["a JPEG XL image", /^(\xff\x0a|\0\0\0\x0cJXL )/],
    ["a JPEG 2000 image", /^(\0\0\0\x0cjP|\xff\x4f\xff\x51)/],
    ["a Photoshop document", /^8BPS/],
    ["an icon", /^\0\0\x01\0/],
    ["a ZIP archive or an office document", /^PK\x03\x04/],
    ["an SVG drawing", /<svg[\s/>]/i],
    ["an HTML page", /<(!doctype html|html|head|body|script)[\s>]/i],
    ["a file of an unknown kind", /[\0-\x08\x0e-\x1a]/],
    ["a text", /./s],
];
const SIGNATURE_BYTES = 32;
const HEAD_BYTES = 1024;

/**
 * Return the format of a file that is taken, or null.
 * @param {ByteReader} file its beginning
 */
export function formatOf(file) {
    const head = file.letters(SIGNATURE_BYTES);
    return FORMATS.find(({ signature }) => signature.test(head)) ?? null;
}

/** Return what a file that is not taken is, in words, by its first bytes. */
export function kindOf(file) {
    const head = file.letters(HEAD_BYTES);
    return OTHERS.find(([, signature]) => signature.test(head))?.[0] ?? "an empty file";
}
