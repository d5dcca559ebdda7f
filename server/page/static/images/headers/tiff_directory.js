/**
 * The first directory of a TIFF file, or of EXIF, which is one:
 * https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
 */

const SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8 };
const MOST_TAGS = 4096;
const MOST_VALUES = 16; // of a tag; those that matter here have one a channel

/**
 * Read the tags of the first directory.
 * @param {ByteReader} file from the mark of its byte order on
 * @returns {Map<number, number[]>} the first values of each tag whose values are whole numbers; `next`, where the next
 *     directory lies, 0 where there is none
 * @throws {RangeError} where the file breaks off before its directory does
 */
export function readDirectory(file) {
    const little = file.says(0, "II");
    const big = file.u16(2, little) === 43;
    const tags = new Map();
    const word = (at) => (big ? file.u64(at, little) : file.u32(at, little));
    const wide = big ? 8 : 4;
    const start = word(big ? 8 : 4);
    const count = big ? file.u64(start, little) : file.u16(start, little);
    const first = start + (big ? 8 : 2);
    const size = 4 + 2 * wide;
    for (let index = 0; index < Math.min(count, MOST_TAGS); index += 1) {
        const at = first + index * size;
        tags.set(file.u16(at, little), valuesAt(file, at, { little, wide, word }));
    }
    const after = first + count * size;
    tags.next = after + wide <= file.length ? word(after) : 0;
    return tags;
}

function valuesAt(file, at, { little, wide, word }) {
    const bytes = SIZES[file.u16(at + 2, little)];
    if (!bytes) return [];
    const count = word(at + 4);
    const place = count * bytes <= wide ? at + 4 + wide : word(at + 4 + wide);
    const values = [];
    for (let index = 0; index < Math.min(count, MOST_VALUES); index += 1) {
        const where = place + index * bytes;
        if (where + bytes > file.length) break;
        values.push(valueAt(file, where, bytes, little));
    }
    return values;
}

function valueAt(file, at, bytes, little) {
    if (bytes === 1) return file.u8(at);
    if (bytes === 2) return file.u16(at, little);
    return bytes === 4 ? file.u32(at, little) : file.u64(at, little);
}
