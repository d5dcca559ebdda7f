/** Objects: the same facts as the overlay, as a table. */

import { percent } from "../server/replies.js";
import { answerOf, currentImage, deploymentOf } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";
import { legendView, marksOf, swatchView } from "./legend.js";
import { shownObjects } from "./threshold.js";

/** Return what `actions.explain` wants to know of an object. */
export function questionOf(deployment, { index, label, score, box, polygon }) {
    return { deployment, target: index, label, score, box, polygon };
}

/** Return legend and table of the objects in the current image; nothing where there is no such prediction. */
export function objectsView(state, actions) {
    const facts = deploymentOf(state);
    const prediction = answerOf(state, currentImage(state))?.prediction;
    if (prediction?.kind !== "objects") return nothing;
    const shown = shownObjects(state, facts, prediction.objects);
    const marks = marksOf(prediction.objects, facts?.labels);
    return html`<div class="card objects">
        <h2>Objects</h2>
        ${prediction.objects.length ? legendView(state, actions, facts, prediction) : nothing}
        ${
            shown.length
                ? html`<table>
                  <caption>
                      Press a label to see why the model says so; with Shift, beside what is there.
                  </caption>
                  <thead>
                      <tr>
                          <th scope="col"><span class="unseen">Number</span></th>
                          <th scope="col">Object</th>
                          <th scope="col">Score</th>
                      </tr>
                  </thead>
                  <tbody>
                      ${shown.map((object) => rowView(state, actions, object, marks.get(object.label)))}
                  </tbody>
              </table>`
                : html`<p class="soft">${emptiness(prediction)}</p>`
        }
    </div>`;
}

function emptiness({ objects }) {
    return objects.length ? "No object reaches the threshold, or its label is off." : "The model sees no object.";
}

function rowView(state, actions, object, mark) {
    const { index, label, score } = object;
    const press = (event) => actions.explain(questionOf(state.choices.deployment, object), { beside: event.shiftKey });
    const cells = html`<td class="index">${swatchView(mark)} ${index + 1}</td>
        <td>
            <button type="button" class="row-button" @click=${press}>
                ${label} <span class="unseen">(object ${index + 1}, ${percent(score)}; explain)</span>
            </button>
        </td>
        <td class="score">
            <meter min="0" max="1" value=${score} aria-label="Score of object ${index + 1}, ${label}"></meter>
            <span class="number">${percent(score)}</span>
        </td>`;
    return litRow(state, actions, index, cells);
}

/** Return a row that lights up, as its object does, while the pointer or the focus is on one of them. */
export function litRow(state, actions, key, cells) {
    return html`<tr
        class=${state.lit === key ? "lit" : ""}
        @pointerenter=${() => actions.light(key)}
        @pointerleave=${() => actions.light(null)}
        @focusin=${() => actions.light(key)}
        @focusout=${() => actions.light(null)}
    >
        ${cells}
    </tr>`;
}
