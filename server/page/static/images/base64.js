/** Base64 of a file, made when it is first needed, and once. */

const KEPT_BYTES = 2 ** 20; // of a file that was just read; a larger one is read again rather than kept twice

/**
 * Return a function that promises the base64 of a file.
 * @param {Blob} file
 * @param {Uint8Array} [bytes] of the file, where they are known
 * @returns {() => Promise<string>} the same promise each time
 */
export function encodeOnce(file, bytes = null) {
    let known = file.size <= KEPT_BYTES ? bytes : null;
    let text = null;
    return () => {
        text ??= encode(file, known);
        known = null;
        return text;
    };
}

async function encode(file, known) {
    if (!Uint8Array.prototype.toBase64) return encodeByReader(file);
    const bytes = known ?? new Uint8Array(await file.arrayBuffer());
    return bytes.toBase64();
}

/** For browsers without `toBase64`: the text behind the comma of a data URL. */
function encodeByReader(file) {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
        reader.onerror = () => reject(reader.error);
        reader.readAsDataURL(file);
    });
}
