/** The scores and boxes of all images as CSV: https://www.rfc-editor.org/rfc/rfc4180 */

import { download, timeInName } from "./download.js";

const COLUMNS = [
    ...["image", "width", "height", "deployment", "version", "rank", "label", "score"],
    ...["top_x", "top_y", "bottom_x", "bottom_y", "error"],
];
const FORMULA = /^[=+\-@\t\r]/;

/** Save the scores of all images of the strip. */
export function saveScores(state) {
    download(scoreTable(state), `scores ${timeInName()}.csv`, "text/csv;charset=utf-8");
}

/**
 * Return a table with a row for each label or object that a deployment found in an image, the best first, or for the
 * error. Corners of boxes are shares of the image's width and height.
 */
export function scoreTable({ images, catalog }) {
    const versions = new Map((catalog?.deployments ?? []).map(({ name, version }) => [name, version]));
    const rows = images.flatMap((image) => rowsOf(image, versions));
    return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function rowsOf(image, versions) {
    const about = [image.name, image.width || "", image.height || ""];
    if (image.refusal) return [[...about, ...Array(9).fill(""), image.refusal]];
    return Object.values(image.answers).flatMap((answer) => {
        const by = [...about, answer.deployment, answer.version ?? versions.get(answer.deployment) ?? ""];
        if (answer.error) return [[...by, ...Array(7).fill(""), answer.error.message]];
        return foundIn(answer.prediction).map(({ label, score, box }, index) => [
            ...[...by, index + 1, label, score],
            ...(box ? [box.topX, box.topY, box.bottomX, box.bottomY] : Array(4).fill("")),
            "",
        ]);
    });
}

function foundIn(prediction) {
    if (prediction?.kind === "labels") return prediction.entries;
    return prediction?.kind === "objects" ? prediction.objects : [];
}

/** Return a cell. A text that spreadsheets would compute, such as "=1+1", gets a quote in front, which they hide. */
function cell(value) {
    if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
    const safe = FORMULA.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
