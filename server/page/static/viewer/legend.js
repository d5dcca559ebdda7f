/** Legend: a colour and a line for each label, that nobody confuses, and a switch for each. */

import { html, svg } from "../vendor/lit-html.js";
import { overThreshold } from "./threshold.js";

// After Okabe and Ito, each at least 5:1 on the dark edge that lines have, apart to eyes that lack a colour
const COLOURS = ["#56b4e9", "#f5a623", "#35c796", "#f0e442", "#e79fd0", "#ff7a59", "#8ea6ff", "#e4e4e4"];
const LINES = ["plain", "dashed", "dotted"];

/**
 * Give each label a mark of its own.
 * @param {object[]} objects those of an image, each with `label`
 * @param {string[]} labels those of the deployment: a label keeps its colour while no other needs it
 * @returns {Map<string, {colour: string, line: string}>}
 */
export function marksOf(objects, labels = []) {
    const places = new Map(labels.map((label, index) => [String(label), index]));
    const found = [...new Set(objects.map((object) => object.label))];
    const placeOf = (label) => places.get(label) ?? places.size + found.indexOf(label);
    found.sort((one, other) => placeOf(one) - placeOf(other));
    const most = COLOURS.length * LINES.length;
    const taken = new Map();
    for (const label of found) {
        const own = placeOf(label) % COLOURS.length;
        const slots = Array.from(LINES, (_, line) =>
            COLOURS.map((_, step) => line * COLOURS.length + ((own + step) % COLOURS.length)),
        );
        const free = slots.flat().find((slot) => !taken.has(slot)) ?? found.indexOf(label) % most;
        taken.set(free, [...(taken.get(free) ?? []), label]);
    }
    return new Map([...taken].flatMap(([slot, names]) => names.map((name) => [name, markAt(slot)])));
}

function markAt(slot) {
    return { colour: COLOURS[slot % COLOURS.length], line: LINES[Math.floor(slot / COLOURS.length)] };
}

/** Return a short line drawn as a label's boxes are. */
export function swatchView({ colour, line }) {
    return html`<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true">
        ${svg`<path class="edge" d="M2 6H26"></path><path d="M2 6H26" stroke=${colour} class=${line}></path>`}
    </svg>`;
}

/** Return the legend: each label with its mark, how many are above the threshold, and a switch. */
export function legendView(state, actions, facts, prediction) {
    const off = state.choices.hiddenLabels;
    const marks = marksOf(prediction.objects, facts?.labels);
    const above = overThreshold(state, facts, prediction.objects);
    const count = (label) => above.filter((object) => object.label === label).length;
    const toggle = (label) => (event) =>
        actions.choose({ hiddenLabels: event.target.checked ? off.filter((each) => each !== label) : [...off, label] });
    return html`<fieldset class="legend">
        <legend>Labels</legend>
        ${[...marks].map(
            ([label, mark]) => html`<label>
                <input type="checkbox" .checked=${!off.includes(label)} @change=${toggle(label)}>
                ${swatchView(mark)} <span class="label">${label}</span> <span class="soft">${count(label)}</span>
            </label>`,
        )}
    </fieldset>`;
}
