/** Folders: the files of what was dropped, in folders too. */

import { ByteReader } from "../images/headers/byte_reader.js";
import { formatOf } from "../images/media_type.js";
import { MOST_IMAGES } from "../store.js";

const SIGNATURE_BYTES = 32;
const MOST_ENTRIES = 2000; // that are looked at

/**
 * Return the files of a drop, or null where it has none, such as a text.
 *
 * A file that was dropped itself is taken whatever it is, so that it can be said why it is refused. Of a folder only
 * images are.
 * @param {DataTransfer} transfer as it is during the event
 * @returns {Promise<{files: File[], words: string}>|null} `words` say what was left out, "" where nothing was
 */
export function filesOf(transfer) {
    const items = [...transfer.items].filter((item) => item.kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
    const folders = entries.filter((entry) => entry.isDirectory);
    const files = [...transfer.files];
    if (!folders.length) return files.length ? Promise.resolve({ files, words: "" }) : null;
    return withFolders(entries.filter((entry) => !entry.isDirectory), folders);
}

async function withFolders(alone, folders) {
    const files = await Promise.all(alone.map(fileOf));
    const waiting = [...folders];
    let [images, others, seen] = [0, 0, 0];
    while (waiting.length && images < MOST_IMAGES && seen < MOST_ENTRIES) {
        const entry = waiting.shift();
        seen += 1;
        if (entry.isDirectory) {
            waiting.push(...(await childrenOf(entry)));
        } else if (!entry.name.startsWith(".")) {
            const file = await fileOf(entry);
            const isImage = await beginsAsImage(file);
            if (isImage) files.push(file);
            images += isImage;
            others += !isImage;
        }
    }
    return { files, words: leftOut(images, others, waiting.length) };
}

function leftOut(images, others, waiting) {
    const words = [];
    if (!images) words.push("The folder holds no images that can be taken.");
    else if (others) words.push(`Of the folder ${images} images are taken; ${others} other files are no images.`);
    if (waiting) words.push(`Only the first ${images} images of the folder are taken.`);
    return words.join(" ");
}

async function childrenOf(folder) {
    const reader = folder.createReader();
    const found = [];
    for (;;) {
        // A reader hands out some entries each time
        const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
        if (!some.length || found.length > MOST_ENTRIES) break;
        found.push(...some);
    }
    return found.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
}

function fileOf(entry) {
    return entry instanceof File ? entry : new Promise((resolve) => entry.file(resolve, () => resolve(null)));
}

async function beginsAsImage(file) {
    try {
        const head = await file.slice(0, SIGNATURE_BYTES).arrayBuffer();
        return formatOf(new ByteReader(new Uint8Array(head))) !== null;
    } catch {
        return false; // gone, or not to be read
    }
}
