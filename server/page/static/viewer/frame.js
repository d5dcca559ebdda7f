/** Frame: one image in its own proportions, with what lies over it, zoomed as all others are. */

import { html, nothing } from "../vendor/lit-html.js";
import "./stage.js";
import { zoomStyle } from "./zoom.js";

const TURNED = 5; // from this orientation of EXIF on, width and height change places

/**
 * Return the width over the height of an image as a deployment sees it.
 * @param {object|null} facts the description of the deployment, which may or may not turn images by EXIF
 */
export function proportions(image, facts) {
    const { width, height } = image;
    if (!width || !height) return 4 / 3;
    return facts?.exif && image.orientation >= TURNED ? height / width : width / height;
}

/** Return the class of an image that is turned as a deployment sees it: by EXIF, or not. */
export function howTurned(facts) {
    return facts?.exif ? "turned" : "stored";
}

/** Return the pixels of an image, turned as the deployment sees it, or what stands for them. */
export function imageView(image, facts, text = "") {
    if (!image.url) {
        return html`<p class="no-image">
            Browsers cannot show this image. What the model sees in it lies where it would be.
        </p>`;
    }
    return html`<img class="fills ${howTurned(facts)}" src=${image.url} alt=${text} draggable="false" decoding="async">`;
}

/**
 * Return a frame.
 * @param {object} options
 * @param {string} options.name what a screen reader calls it
 * @param {Array} options.layers one template, or two that lie over each other, the second one clipped by a swipe line
 * @param {*} options.above what lies over the layers and does not zoom
 * @param {number} options.swipe where the swipe line is, as a share of the width
 */
export function frameView({ state, actions, image, facts, name, layers, above = nothing, swipe = 0, busy = false }) {
    const { zoom } = state;
    const style = zoomStyle(zoom);
    return html`<div class="frame" .style=${`--ratio: ${proportions(image, facts)}; --swipe: ${swipe}`}>
        <image-stage
            class=${zoom.scale > 1 ? "stage movable" : "stage"}
            tabindex="0"
            role="group"
            aria-label="${name}, enlarged ${Math.round(100 * zoom.scale)} %"
            aria-busy=${busy}
            .zoom=${zoom}
            @zoomed=${(event) => actions.setZoom(event.detail)}
            >${layers.map(
                (layer, index) =>
                    html`<div class=${index ? "clipped" : "whole"}>
                        <div class="zoomed" .style=${style}>${layer}</div>
                    </div>`,
            )}${above}</image-stage
        >
    </div>`;
}
