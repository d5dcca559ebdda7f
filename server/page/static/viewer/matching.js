/** Matching: which objects of two predictions are the same. */

const SAME = 0.5; // least intersection over union

/** Return the intersection over union of two boxes, in [0, 1]. */
export function overlap(one, other) {
    const width = Math.min(one.bottomX, other.bottomX) - Math.max(one.topX, other.topX);
    const height = Math.min(one.bottomY, other.bottomY) - Math.max(one.topY, other.topY);
    if (width <= 0 || height <= 0) return 0;
    const size = ({ topX, topY, bottomX, bottomY }) => (bottomX - topX) * (bottomY - topY);
    return (width * height) / (size(one) + size(other) - width * height);
}

/** Return the object of the same label that overlaps another one most, by at least 0.5; or null. */
export function sameObject({ label, box }, objects) {
    const near = objects
        .filter((each) => each.label === label)
        .map((each) => ({ each, iou: overlap(box, each.box) }))
        .filter(({ iou }) => iou >= SAME);
    return near.sort((one, other) => other.iou - one.iou)[0]?.each ?? null;
}

/**
 * Match the objects of two predictions, those of the first in their order, each at most once.
 * @returns {{both: [object, object][], first: object[], second: object[]}} first and second: what only one of them has
 */
export function matched(ones, others) {
    const left = new Set(others);
    const both = [];
    const first = [];
    for (const one of ones) {
        const other = sameObject(one, [...left]);
        left.delete(other);
        if (other) both.push([one, other]);
        else first.push(one);
    }
    return { both, first, second: [...left] };
}
