/** Zoom: which part of an image is seen. One transform in shares of the image, so that views of any size agree. */

export const FITTED = Object.freeze({ scale: 1, x: 0.5, y: 0.5 });
const MOST = 40; // times the fitted size
const STEP = 1.25;
const NUDGE = 0.125; // of the view

/**
 * Keep a zoom within the image.
 * @param {{scale: number, x: number, y: number}} zoom x and y: the centre of the view as shares of the image
 */
export function bounded({ scale, x, y }) {
    const kept = Math.min(MOST, Math.max(1, scale));
    const margin = 0.5 / kept;
    const within = (share) => Math.min(1 - margin, Math.max(margin, share));
    return { scale: kept, x: within(x), y: within(y) };
}

/** Zoom by a factor; the point `at`, in shares of the view, stays where it is. */
export function scaled(zoom, factor, at = { x: 0.5, y: 0.5 }) {
    const { scale } = bounded({ ...zoom, scale: zoom.scale * factor });
    const moved = (centre, share) => centre + (share - 0.5) * (1 / zoom.scale - 1 / scale);
    return bounded({ scale, x: moved(zoom.x, at.x), y: moved(zoom.y, at.y) });
}

/** Move the view by shares of itself: 0.5 to the right shows what was half a view further right. */
export function moved(zoom, across, down) {
    return bounded({ ...zoom, x: zoom.x + across / zoom.scale, y: zoom.y + down / zoom.scale });
}

/** Return the zoom after a key, or null for a key that means nothing here. */
export function zoomAfterKey(zoom, key) {
    switch (key) {
        case "+":
        case "=":
            return scaled(zoom, STEP);
        case "-":
            return scaled(zoom, 1 / STEP);
        case "0":
            return FITTED;
        case "ArrowLeft":
            return moved(zoom, -NUDGE, 0);
        case "ArrowRight":
            return moved(zoom, NUDGE, 0);
        case "ArrowUp":
            return moved(zoom, 0, -NUDGE);
        case "ArrowDown":
            return moved(zoom, 0, NUDGE);
        default:
            return null;
    }
}

/** Return the transform of an element that fills its view. */
export function zoomTransform({ scale, x, y }) {
    return `translate(${50 - 100 * x * scale}%, ${50 - 100 * y * scale}%) scale(${scale})`;
}

/** Return the style of an element of class `zoomed`. Lines and numbers in it divide their size by the scale. */
export function zoomStyle(zoom) {
    return `transform: ${zoomTransform(zoom)}; --zoom-scale: ${zoom.scale}`;
}
