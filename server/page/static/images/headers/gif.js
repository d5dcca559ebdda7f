/** What a GIF tells of its size and frames: https://www.w3.org/Graphics/GIF/spec-gif89a.txt */

const EXTENSION = 0x21;
const FRAME = 0x2c;
const CONTROL = 0xf9;

/** Read the header into `facts`. RangeError where the file breaks off. */
export function readGif(file, facts) {
    facts.width = file.u16(6, true);
    facts.height = file.u16(8, true);
    let at = 13 + tableSize(file.u8(10));
    let frames = 0;
    for (;;) {
        const kind = file.u8(at);
        if (kind === EXTENSION) {
            if (file.u8(at + 1) === CONTROL && frames === 0) facts.transparent = (file.u8(at + 3) & 1) === 1;
            at = afterBlocks(file, at + 2);
        } else if (kind === FRAME) {
            frames += 1;
            if (frames === 1) widen(file, at, facts);
            facts.animated = frames > 1;
            if (facts.animated) return;
            at = afterBlocks(file, at + 11 + tableSize(file.u8(at + 9)));
        } else return;
    }
}

/** A first frame may reach beyond the screen that the header tells; decoders then take the larger size. */
function widen(file, at, facts) {
    facts.width = Math.max(facts.width, file.u16(at + 1, true) + file.u16(at + 5, true));
    facts.height = Math.max(facts.height, file.u16(at + 3, true) + file.u16(at + 7, true));
}

function tableSize(flags) {
    return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

function afterBlocks(file, start) {
    let at = start;
    for (let size = file.u8(at); size; size = file.u8(at)) at += size + 1;
    return at + 1;
}
