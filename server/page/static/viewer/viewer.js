/** Viewer: the image, what the model sees in it, and the buttons that zoom. */

import { answerOf, currentImage, deploymentOf } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";
import { frameView, imageView } from "./frame.js";
import { marksOf } from "./legend.js";
import { questionOf } from "./objects.js";
import { overlayView } from "./overlay.js";
import { shownObjects } from "./threshold.js";
import { FITTED, zoomAfterKey } from "./zoom.js";

const BUTTONS = [
    ["-", "Zoom out", "−"],
    ["+", "Zoom in", "+"],
    ["0", "Fit", "Fit"],
    ["ArrowLeft", "Move left", "←"],
    ["ArrowRight", "Move right", "→"],
    ["ArrowUp", "Move up", "↑"],
    ["ArrowDown", "Move down", "↓"],
];

/** Return the current image with the objects that are found in it; nothing before there is one. */
export function viewerView(state, actions) {
    const image = currentImage(state);
    if (!image || image.refusal) return nothing;
    const facts = deploymentOf(state);
    const answer = answerOf(state, image);
    const busy = answer?.state === "waiting" || answer?.state === "retrying";
    const layer = [imageView(image, facts, image.name), predictionOverlay(state, actions, facts, answer)];
    return html`<div class="viewer">
        ${frameView({ state, actions, image, facts, name: `Image ${image.name}`, layers: [layer], busy })}
        ${toolbarView(state, actions)}
    </div>`;
}

function predictionOverlay(state, actions, facts, answer) {
    if (answer?.prediction?.kind !== "objects") return nothing;
    const { objects } = answer.prediction;
    const marks = marksOf(objects, facts?.labels);
    return overlayView({
        state,
        actions,
        objects: shownObjects(state, facts, objects),
        markOf: ({ label }) => marks.get(label),
        press: (object, event) =>
            actions.explain(questionOf(state.choices.deployment, object), { beside: event.shiftKey }),
    });
}

/** Return buttons for all that gestures do. */
function toolbarView(state, actions) {
    const { zoom } = state;
    const fitted = zoom.scale === FITTED.scale;
    // without the attribute `disabled`, which would take the focus away from a button that was just pressed
    const useless = (key) => String(fitted && key !== "+");
    return html`<div class="viewer-tools" role="group" aria-label="Zoom">
        ${BUTTONS.map(
            ([key, name, sign]) => html`<button
                type="button"
                aria-label=${name}
                title="${name}${key.length === 1 ? ` (${key})` : ""}"
                aria-disabled=${useless(key)}
                @click=${() => actions.setZoom(zoomAfterKey(zoom, key))}
            >
                ${sign}
            </button>`,
        )}
        <span class="soft">${Math.round(100 * zoom.scale)} %</span>
        <button
            type="button"
            class="bare"
            aria-pressed=${state.hidden}
            title="Or hold Space"
            @click=${() => actions.hide(!state.hidden)}
        >
            Bare image
        </button>
    </div>
    <p class="hint soft">Ctrl and wheel, a pinch or a double click zoom; drag to move.</p>`;
}
