/** ModelsCompared: what two deployments say about the same image, what differs most first. */

import { percent } from "../server/replies.js";
import { answerOf, currentImage, deploymentOf } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";
import { problemView } from "../views/problem.js";
import { explainBoth, objectsComparedView } from "./objects_compared.js";

const DIFFERS = 0.05; // from this change of a score on, a row is lit
const MOST_ROWS = 10;

/** Return what two deployments say about the current image; nothing unless two are chosen. */
export function modelsComparedView(state, actions) {
    const image = currentImage(state);
    if (!image || !deploymentOf(state, state.choices.beside)) return nothing;
    return html`<div class="card models-compared">
        <h2>Models compared</h2>
        ${differencesView(state, actions, image)}
    </div>`;
}

function differencesView(state, actions, image) {
    const sides = [state.choices.deployment, state.choices.beside].map((name) => ({
        name,
        facts: deploymentOf(state, name),
        answer: answerOf(state, image, name),
    }));
    const failed = sides.filter(({ answer }) => answer?.state === "failed");
    if (failed.length) {
        return failed.map(
            ({ name, answer }) => html`<p>${name}:</p>
                ${problemView(answer.error, () => actions.askAgain(image.id, name))}`,
        );
    }
    const predictions = sides.map(({ answer }) => answer?.prediction);
    if (!predictions.every(Boolean)) return html`<p class="progress">Waiting for both.</p>`;
    const kinds = new Set(predictions.map(({ kind }) => kind));
    if (kinds.size > 1 || kinds.has("other")) return html`<p class="soft">Their replies are of different kinds.</p>`;
    return kinds.has("labels") ? scoresView(actions, sides) : objectsComparedView(state, actions, image, sides);
}

function scoresView(actions, sides) {
    const rows = scoreRows(...sides.map(({ answer }) => answer.prediction.entries));
    const table = (shown) => html`<table>
        <thead>
            <tr>
                <th scope="col">Label</th>
                ${sides.map(({ name }) => html`<th scope="col">${name}</th>`)}
                <th scope="col">Change, points</th>
            </tr>
        </thead>
        <tbody>
            ${shown.map(({ label, found, change }) => {
                const explain = () => explainBoth(actions, sides, found);
                return html`<tr class=${Math.abs(change) >= DIFFERS ? "differs" : ""}>
                    <td>
                        <button type="button" class="row-button" @click=${explain}>
                            ${label} <span class="unseen">(explain both)</span>
                        </button>
                    </td>
                    ${found.map((entry) => html`<td class="score">${entry ? percent(entry.score) : "no label"}</td>`)}
                    <td class="score">${changeText(change)}</td>
                </tr>`;
            })}
        </tbody>
    </table>`;
    return html`${table(rows.slice(0, MOST_ROWS))}
    ${
        rows.length > MOST_ROWS
            ? html`<details>
              <summary>${rows.length - MOST_ROWS} more labels</summary>
              ${table(rows.slice(MOST_ROWS))}
          </details>`
            : nothing
    }`;
}

/** Return the labels of two predictions with both entries and the change of the score, the largest first. */
export function scoreRows(ones, others) {
    const first = new Map(ones.map((entry) => [entry.label, entry]));
    const second = new Map(others.map((entry) => [entry.label, entry]));
    return [...new Set([...first.keys(), ...second.keys()])]
        .map((label) => {
            const found = [first.get(label), second.get(label)];
            return { label, found, change: (found[1]?.score ?? 0) - (found[0]?.score ?? 0) };
        })
        .sort((one, other) => Math.abs(other.change) - Math.abs(one.change));
}

function changeText(change) {
    const points = (100 * Math.abs(change)).toFixed(1);
    if (points === "0.0") return "same";
    return change > 0 ? `▲ +${points}` : `▼ −${points}`;
}
