/** The scores of a classifier: a bar for each label, the best first; pressing a label shows why. */

import { percent } from "../server/replies.js";
import { currentPanes } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";

const FIRST = 5;
const MOST = 500; // rows at once; a search finds the others

/** Draw the bars of an answer whose prediction is of labels. */
export function scoresView(state, actions, answer) {
    const { choices } = state;
    const { entries } = answer.prediction;
    const found = matching(entries, choices.search);
    const shown = choices.allLabels || choices.search ? found.slice(0, MOST) : found.slice(0, FIRST);
    const explained = new Set(
        currentPanes(state)
            .filter((pane) => pane.deployment === answer.deployment)
            .map((pane) => pane.target),
    );
    return html`
        <div class="card scores">
            <h2>Scores</h2>
            ${entries.length > FIRST ? searchView(entries, choices, actions) : nothing}
            <ol>
                ${shown.map((entry) => rowView(entry, answer, explained.has(entry.index), actions))}
            </ol>
            ${found.length ? nothing : html`<p>No label matches.</p>`}
            ${countView(entries, found, shown, choices, actions)}
            <p class="soft">Press a label to see why. With Shift, its map appears beside the others.</p>
        </div>
    `;
}

function matching(entries, search) {
    const words = search.trim().toLowerCase();
    return words ? entries.filter((entry) => entry.label.toLowerCase().includes(words)) : entries;
}

function searchView(entries, choices, actions) {
    return html`
        <label class="field">
            <span>Find one of ${entries.length} labels</span>
            <input
                type="search"
                .value=${choices.search}
                @input=${(event) => actions.choose({ search: event.target.value })}
            />
        </label>
    `;
}

function rowView(entry, answer, explained, actions) {
    const { label, index, score } = entry;
    const explain = (event) =>
        actions.explain({ deployment: answer.deployment, target: index, label, score }, { beside: event.shiftKey });
    return html`
        <li>
            <button type="button" class="bar-button" aria-pressed=${explained ? "true" : "false"} @click=${explain}>
                <span class="label">${label}</span>
                <span class="score">${percent(score)}</span>
                <meter min="0" max="1" .value=${Number.isFinite(score) ? score : 0} aria-hidden="true"></meter>
            </button>
        </li>
    `;
}

function countView(entries, found, shown, choices, actions) {
    if (entries.length <= FIRST) return nothing;
    if (choices.search) {
        return found.length > shown.length
            ? html`<p class="soft">${shown.length} of ${found.length} that match; search for more of the name.</p>`
            : nothing;
    }
    const more = shown.length < entries.length && choices.allLabels;
    return html`
        <button type="button" class="plain" @click=${() => actions.choose({ allLabels: !choices.allLabels })}>
            ${choices.allLabels ? `Show the best ${FIRST}` : `Show all ${entries.length} labels`}
        </button>
        ${more ? html`<p class="soft">The best ${shown.length} stand here; search for the others.</p>` : nothing}
    `;
}
