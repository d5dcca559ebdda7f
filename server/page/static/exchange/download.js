/** Files that the page makes, for the person to keep. */

const KEPT_MS = 60_000; // a browser may ask where to save first

/** Save a text as a file. */
export function download(text, name, mediaType) {
    const url = URL.createObjectURL(new Blob([text], { type: mediaType }));
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

/** Return the time in the form that names of files have: 2026-11-29 22.50. */
export function timeInName(time = new Date()) {
    const two = (number) => String(number).padStart(2, "0");
    const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
    return `${day} ${two(time.getHours())}.${two(time.getMinutes())}`;
}
