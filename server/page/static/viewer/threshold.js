/** Threshold: the score from which on an object is shown. It filters what was asked for once, down to a low score. */

import { leastScore } from "../server/scoring.js";
import { answerOf, currentImage, deploymentOf } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";

/** Return the threshold in [0, 1]: the chosen one, or the deployment's own. */
export function thresholdOf(state, facts) {
    const least = leastScore(facts);
    return Math.max(least, state.choices.threshold ?? facts?.score_threshold ?? least);
}

/** Return the objects whose score reaches the threshold, the best first. */
export function overThreshold(state, facts, objects) {
    const threshold = thresholdOf(state, facts);
    return objects.filter((object) => object.score >= threshold).sort((one, other) => other.score - one.score);
}

/** Return the objects that are shown: above the threshold, and of labels that the legend has on. */
export function shownObjects(state, facts, objects) {
    const off = state.choices.hiddenLabels;
    return overThreshold(state, facts, objects).filter((object) => !off.includes(object.label));
}

/** Return the slider with its number field, in percent, and how many objects of the current image are shown. */
export function thresholdView(state, actions) {
    const facts = deploymentOf(state);
    const prediction = answerOf(state, currentImage(state))?.prediction;
    if (prediction?.kind !== "objects") return nothing;
    const least = Math.floor(100 * leastScore(facts));
    const percent = Math.round(1000 * thresholdOf(state, facts)) / 10;
    const shown = shownObjects(state, facts, prediction.objects).length;
    const choose = (event) => {
        const value = event.target.valueAsNumber;
        if (value >= least && value <= 100) actions.choose({ threshold: value / 100 });
    };
    const own = facts?.score_threshold;
    const reset =
        state.choices.threshold !== null && typeof own === "number"
            ? html`<button type="button" class="plain" @click=${() => actions.choose({ threshold: null })}>
                  Reset to ${Math.round(1000 * own) / 10} %
              </button>`
            : nothing;
    return html`<div class="card threshold">
        <label for="threshold">Threshold</label>
        <input id="threshold" type="range" min=${least} max="100" step="1" .value=${String(percent)} @input=${choose}>
        <span class="number">
            <input
                type="number"
                aria-label="Threshold in percent"
                min=${least}
                max="100"
                step="any"
                .value=${String(percent)}
                @change=${choose}
            > %
        </span>
        ${reset}
        <output for="threshold">${shown} of ${prediction.objects.length} shown</output>
    </div>`;
}
