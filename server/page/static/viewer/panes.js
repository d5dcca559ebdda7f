/** Panes: up to four explanations beside each other, or two of them with a swipe line. */

import { MOST_PANES, algorithmsOf } from "../server/explaining.js";
import { deploymentOf } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";
import { colourChoiceView, colourScaleView } from "./explanation/colour_scale.js";
import { paneView } from "./explanation/pane.js";
import { asked, targetsOf } from "./explanation/question.js";
import { swipeView } from "./explanation/swipe.js";

/** Return all panes with what they share; nothing before something is explained. */
export function panesView(state, actions) {
    const { panes, choices } = state;
    if (!panes.length) return nothing;
    const maps = panes.some((pane) => algorithmsOf(deploymentOf(state, pane.deployment)).length);
    const swiped = choices.compare === "swipe" && maps;
    return html`<div class="card explanations">
        <h2>Why</h2>
        ${maps ? sharedView(state, actions, swiped) : nothing} ${swiped ? swipeView(state, actions) : nothing}
        <div class="panes">${panes.map((pane) => paneView(state, actions, pane, !swiped))}</div>
        ${
            panes.length < MOST_PANES
                ? html`<button type="button" @click=${() => actions.explain(nextQuestion(state), { beside: true })}>
                      Add a pane
                  </button>`
                : nothing
        }
    </div>`;
}

function sharedView(state, actions, swiped) {
    const { opacity } = state.choices;
    return html`<div class="shared">
            <label>
                Opacity of the maps
                <input
                    type="range"
                    min="0"
                    max="100"
                    .value=${String(Math.round(100 * opacity))}
                    @input=${(event) => actions.choose({ opacity: event.target.valueAsNumber / 100 })}
                >
            </label>
            ${colourChoiceView(state, actions)}
            <button
                type="button"
                aria-pressed=${swiped}
                @click=${() => actions.choose({ compare: swiped ? "panes" : "swipe" })}
            >
                Swipe line
            </button>
        </div>
        ${colourScaleView(state)}`;
}

/** Return the question of a further pane: the last target by an algorithm that is not there yet, or the next target. */
function nextQuestion({ panes, ...state }) {
    const last = panes.at(-1);
    const { deployment, target } = last;
    const there = (question) =>
        panes.some((pane) => Object.entries(question).every(([name, value]) => pane[name] === value));
    const algorithm = algorithmsOf(deploymentOf(state, deployment)).find(
        ({ name }) => !there({ deployment, target, algorithm: name }),
    )?.name;
    if (algorithm) return { ...asked(last), algorithm };
    return targetsOf(state, last).find((each) => !there({ deployment, target: each.target })) ?? { ...last };
}
