/** Colour scale: what the colours of all heat maps on the page mean, and which they are. */

import { html, nothing, svg } from "../../vendor/lit-html.js";

const SIGNS = [
    ["positive", "what speaks for it"],
    ["signed", "what speaks for and against it"],
    ["absolute", "how much it matters"],
];
const ENDS = {
    positive: ["no effect", "speaks for it"],
    signed: ["speaks against it", "speaks for it"],
    absolute: ["no effect", "matters most"],
};

/** Return the bar of colours with words at its ends. */
export function colourScaleView(state) {
    const { colourMap, sign } = state.choices;
    const stops = state.catalog?.colour_maps?.find((map) => map.name === colourMap)?.stops ?? [];
    const [low, high] = ENDS[sign] ?? ENDS.positive;
    if (!stops.length) return nothing;
    return html`<figure class="colour-scale">
        <div>
            <span>${low}</span>
            <svg viewBox="0 0 ${stops.length} 1" preserveAspectRatio="none" aria-hidden="true">
                ${stops.map((stop, index) => svg`<rect x=${index} width="1.02" height="1" fill=${stop}></rect>`)}
            </svg>
            <span>${high}</span>
        </div>
        <figcaption class="soft">
            Each map is scaled to its own strongest pixels: compare places, not colours of different maps. What no colour
            covers, the model did not see.
        </figcaption>
    </figure>`;
}

/** Return the selects of sign and colours. Signed maps take colours with a middle, others those without. */
export function colourChoiceView(state, actions) {
    const { colourMap, sign } = state.choices;
    const maps = state.catalog?.colour_maps ?? [];
    const fitting = maps.filter((map) => map.diverging === (sign === "signed"));
    const chooseSign = (event) => {
        const diverging = event.target.value === "signed";
        const kept = maps.find((map) => map.name === colourMap)?.diverging === diverging;
        actions.choose({ sign: event.target.value, colourMap: kept ? colourMap : diverging ? "bwy" : "bgyw" });
    };
    return html`<label>
            Maps show
            <select @change=${chooseSign}>
                ${SIGNS.map(
                    ([name, words]) => html`<option .selected=${name === sign} value=${name}>
                    ${words}
                </option>`,
                )}
            </select>
        </label>
        <label>
            Colours
            <select @change=${(event) => actions.choose({ colourMap: event.target.value })}>
                ${fitting.map(
                    ({ name, meaning }) => html`<option value=${name} .selected=${name === colourMap}>
                        ${name}: ${meaning}
                    </option>`,
                )}
            </select>
        </label>`;
}
