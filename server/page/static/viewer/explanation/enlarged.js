/** Enlarged: an object of a model that the server cannot explain, cut out by the view alone. */

import { html, nothing, svg } from "../../vendor/lit-html.js";
import { howTurned, proportions } from "../frame.js";
import { pathOf } from "../overlay.js";

const MARGIN = 0.15; // of the box, on each side
const WHOLE = { topX: 0, topY: 0, bottomX: 1, bottomY: 1 };

/** Return the part of the image around the object of a pane, or all of it for a label. */
export function enlargedView(image, facts, pane) {
    const part = around(pane.box ?? WHOLE);
    const [width, height] = [part.bottomX - part.topX, part.bottomY - part.topY];
    const ratio = (proportions(image, facts) * width) / height;
    const style = [
        `left: ${(-100 * part.topX) / width}%; top: ${(-100 * part.topY) / height}%`,
        `width: ${100 / width}%; height: ${100 / height}%`,
    ].join("; ");
    const path = pane.box ? pathOf(pane) : "";
    return html`<div class="frame" .style=${`--ratio: ${ratio}`}>
            <div class="enlarged">
                ${
                    image.url
                        ? html`<img
                          class=${howTurned(facts)}
                          src=${image.url}
                          alt="${pane.label} in ${image.name}${pane.box ? ", enlarged" : ""}"
                          .style=${style}
                      >`
                        : html`<p class="no-image">Browsers cannot show this image.</p>`
                }
                <div class="overlay">
                    <svg
                        viewBox="${part.topX} ${part.topY} ${width} ${height}"
                        preserveAspectRatio="none"
                        aria-hidden="true"
                    >
                        ${svg`<path class="edge" d=${path}></path><path d=${path} stroke="#fff"></path>`}
                    </svg>
                </div>
            </div>
        </div>
        <p class="soft">
            This server cannot explain this model yet. ${pane.box ? "Here is the object, enlarged." : nothing}
        </p>`;
}

function around({ topX, topY, bottomX, bottomY }) {
    const [across, down] = [MARGIN * (bottomX - topX), MARGIN * (bottomY - topY)];
    const part = {
        topX: Math.max(0, topX - across),
        topY: Math.max(0, topY - down),
        bottomX: Math.min(1, bottomX + across),
        bottomY: Math.min(1, bottomY + down),
    };
    return part.bottomX > part.topX && part.bottomY > part.topY ? part : WHOLE;
}
