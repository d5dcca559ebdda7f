/** Base64 of a file, made when it is first needed, and once. */

/**
 * Return a function that promises the base64 of a file.
 * @param {Blob} file
 * @returns {() => Promise<string>} the same promise each time
 */
export function encodeOnce(file) {
    let text = null;
    return () => (text ??= encode(file));
}

async function encode(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    return bytes.toBase64 ? bytes.toBase64() : encodeByReader(file);
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
