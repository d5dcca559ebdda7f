/** Pane: one explanation, with its map over the image, its question and its measures. */

import { algorithmsOf } from "../../server/explaining.js";
import { duration, percent } from "../../server/replies.js";
import { answerOf, deploymentOf, imageOf } from "../../store.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { problemView } from "../../views/problem.js";
import { enlargedView } from "./enlarged.js";
import { frameView, imageView } from "../frame.js";
import { marksOf } from "../legend.js";
import { overlayView } from "../overlay.js";
import { questionView } from "./question.js";

const MEASURES = {
    insertion_auc: "Mean score as the most important pixels are added",
    top_30_kept: "Score with only the most important 30 %",
    deletion_auc: "Mean score as the most important pixels are blurred",
    top_30_removed: "Score without the most important 30 %",
};

/** Return what a pane is called. */
export function paneName({ label, shown, algorithm }) {
    const by = shown ?? algorithm;
    return by ? `${label} by ${by}` : label;
}

/**
 * Return a pane.
 * @param {boolean} framed whether it shows its image; a swipe line shows the images of two panes elsewhere
 */
export function paneView(state, actions, pane, framed = true) {
    const image = imageOf(state, pane.imageId);
    const facts = deploymentOf(state, pane.deployment);
    if (!image) return nothing;
    return html`<article class="pane" aria-label="Why ${pane.label}">
        <header>
            <h3>
                <span class="label">${pane.label}</span>
                <span class="soft">${headOf(pane)}</span>
            </h3>
            <button
                type="button"
                class="close"
                aria-label="Close ${paneName(pane)}"
                @click=${() => actions.closePane(pane.id)}
            >
                ×
            </button>
        </header>
        <div class="pane-parts">
            ${framed ? html`<div>${shownView(state, actions, image, facts, pane)}</div>` : nothing}
            <div class="pane-facts">
                <div class="pane-state" aria-live="polite">${stateView(actions, pane)}</div>
                ${questionView(state, actions, pane)} ${measuresView(facts, pane)}
                ${(pane.notes ?? []).map((note) => html`<p class="note soft">${note}</p>`)}
            </div>
        </div>
    </article>`;
}

function headOf({ score, shown, algorithm }) {
    const by = shown ?? algorithm;
    return [Number.isFinite(score) && percent(score), by && `by ${by}`].filter(Boolean).join(" ");
}

function shownView(state, actions, image, facts, pane) {
    if (facts && !algorithmsOf(facts).length) return enlargedView(image, facts, pane);
    const busy = pane.state === "waiting" || pane.state === "retrying";
    const layers = [paneLayer(state, actions, image, facts, pane)];
    return frameView({ state, actions, image, facts, name: `Heat map of ${paneName(pane)}`, layers, busy });
}

/** Return what a pane lays into a frame: the image, the map, the object. */
export function paneLayer(state, actions, image, facts, pane) {
    return html`${imageView(image, facts)} ${mapView(state, pane)} ${targetView(state, actions, image, facts, pane)}`;
}

function mapView(state, pane) {
    if (!pane.mapUrl) return nothing;
    return html`<img
        class="fills heat"
        src=${pane.mapUrl}
        alt="heat map of ${paneName(pane)}${measured(pane)}"
        draggable="false"
        .style=${`opacity: ${state.hidden ? 0 : state.choices.opacity}`}
    >`;
}

function measured({ energyInBox, completenessGap }) {
    if (Number.isFinite(energyInBox)) return `, ${percent(energyInBox)} of it inside the box`;
    if (Number.isFinite(completenessGap)) return `, which misses ${percent(completenessGap)} of the score's change`;
    return "";
}

function targetView(state, actions, image, facts, pane) {
    if (!pane.box) return nothing;
    const prediction = answerOf(state, image, pane.deployment)?.prediction;
    const object = prediction?.objects?.find(({ index }) => index === pane.target) ?? { ...pane, index: pane.target };
    const marks = marksOf(prediction?.objects ?? [object], facts?.labels);
    const markOf = ({ label }) => marks.get(label) ?? marks.values().next().value;
    return overlayView({ state, actions, objects: [object], markOf });
}

function stateView(actions, { id, state, provisional, shown, algorithm, error, mapUrl }) {
    if (error && state === "failed") return problemView(error, () => actions.setPane(id, {}));
    if (error && state === "retrying") return problemView(error, null);
    if (state === "waiting" && provisional && mapUrl) {
        return html`<p class="progress">First a fast map by ${shown}; ${algorithm} is on its way.</p>`;
    }
    return state === "waiting" ? html`<p class="progress">Waiting for ${algorithm}.</p>` : nothing;
}

function measuresView(facts, pane) {
    const { ms, shown, state, nSteps, completenessGap, agreement, forwardPasses, quality } = pane;
    if (!shown || state === "failed") return nothing;
    const most = algorithmsOf(facts).find((each) => each.name === shown)?.passes;
    const rows = [
        ["Time", Number.isFinite(ms) && duration(ms)],
        ["Passes through the network", forwardPasses ?? (most && `at most ${most}`)],
        ["Steps of the path", nSteps],
        ["Change of the score that the map misses", Number.isFinite(completenessGap) && percent(completenessGap)],
        ["Agreement of two halves of the passes, 1 at most", Number.isFinite(agreement) && agreement.toFixed(2)],
        ["Weight inside the box", Number.isFinite(pane.energyInBox) && percent(pane.energyInBox)],
        ["Weight inside the outline", Number.isFinite(pane.energyInMask) && percent(pane.energyInMask)],
        ...Object.entries(quality ?? {}).map(([key, value]) => [MEASURES[key] ?? key, percent(value)]),
    ];
    return html`<dl class="measures">
        ${rows.filter(([, value]) => value).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>`;
}
