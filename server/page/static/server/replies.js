/** Predictions in one form, whatever the task and the form of the reply. */

/**
 * Read the reply for one image.
 * @param {object} reply the object of the image
 * @param {object|null} facts the description of its deployment, for the positions of labels
 * @returns `{kind: "labels", entries: [{label, index, score}]}`, the best first; `{kind: "objects", objects: [{index, label,
 *     score, box, polygon}]}` in the order of the reply; or `{kind: "other"}` for what is neither
 */
export function predictionOf(reply, facts) {
    if (Array.isArray(reply?.probs) && Array.isArray(reply.labels)) {
        return labels(reply.probs.map((score, index) => ({ label: String(reply.labels[index]), index, score })));
    }
    if (Array.isArray(reply?.boxes)) {
        const objects = reply.boxes.map((each, index) => ({ ...each, index, label: String(each.label) }));
        return { kind: "objects", objects };
    }
    if (typeof reply?.["0"]?.score === "number") return labels(ranked(reply, facts));
    return { kind: "other" };
}

function labels(entries) {
    return { kind: "labels", entries: entries.sort((one, other) => other.score - one.score) };
}

/** Read `{"0": {label, score}, ...}`, the form of transformers' models. */
function ranked(reply, facts) {
    const places = new Map((facts?.labels ?? []).map((label, index) => [String(label), index]));
    return Object.entries(reply)
        .filter(([rank]) => /^\d+$/.test(rank))
        .map(([rank, { label, score }]) => ({
            label: String(label),
            index: places.get(String(label)) ?? Number(rank),
            score,
        }));
}

/** Return a share as a percentage, for people: 97.1 %, below 0.1 % as such. */
export function percent(score) {
    if (!Number.isFinite(score)) return "no number";
    if (score > 0 && score < 0.001) return "< 0.1 %";
    return `${(100 * score).toFixed(1)} %`;
}

/** Return milliseconds for people. */
export function duration(ms) {
    return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
