/** What the header of a BMP tells: https://learn.microsoft.com/windows/win32/gdi/bitmap-header-types */

const CORE = 12; // bytes of the oldest header, whose sizes have 16 bits
const WITH_MASKS = 56;

/** Read the header into `facts`. RangeError where the file breaks off. */
export function readBmp(file, facts) {
    const size = file.u32(14, true);
    facts.bits = 8;
    if (size === CORE) {
        facts.width = file.u16(18, true);
        facts.height = file.u16(20, true);
        facts.transparent = false;
        return;
    }
    facts.width = Math.abs(file.i32(18, true));
    facts.height = Math.abs(file.i32(22, true)); // below zero where the rows run downwards
    facts.transparent = size >= WITH_MASKS && file.u32(66, true) !== 0;
}
