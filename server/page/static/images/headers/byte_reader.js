/** ByteReader: numbers and texts at places of a file. Reading beyond its end raises RangeError, as DataView does. */

export class ByteReader {
    #view;

    /** @param {Uint8Array} bytes the file, or a part of it */
    constructor(bytes) {
        this.bytes = bytes;
        this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }

    get length() {
        return this.bytes.length;
    }

    u8(at) {
        return this.#view.getUint8(at);
    }

    u16(at, little = false) {
        return this.#view.getUint16(at, little);
    }

    u24(at, little = false) {
        const [low, high] = little ? [at, at + 2] : [at + 2, at];
        return this.u8(low) + this.u8(at + 1) * 0x100 + this.u8(high) * 0x10000;
    }

    u32(at, little = false) {
        return this.#view.getUint32(at, little);
    }

    i32(at, little = false) {
        return this.#view.getInt32(at, little);
    }

    /** An unsigned number of 64 bits, exact up to 2 to the 53. */
    u64(at, little = false) {
        return Number(this.#view.getBigUint64(at, little));
    }

    /** Whether the bytes at a place are the codes of a text of Latin letters. */
    says(at, text) {
        if (at < 0 || at + text.length > this.length) return false;
        for (let index = 0; index < text.length; index += 1) {
            if (this.bytes[at + index] !== text.charCodeAt(index)) return false;
        }
        return true;
    }

    /** Return a part of the file; what lies beyond the end is left out. */
    part(from, to = this.length) {
        return new ByteReader(this.bytes.subarray(from, Math.max(from, to)));
    }

    /** Return the first bytes, at most `most`, as the text whose letters have their numbers. */
    letters(most) {
        return String.fromCharCode(...this.bytes.subarray(0, most));
    }
}
