/** ObjectsCompared: the objects of two deployments in the same image, by what both see and what only one sees. */

import { percent } from "../server/replies.js";
import { html, nothing } from "../vendor/lit-html.js";
import { frameView, imageView } from "./frame.js";
import { marksOf } from "./legend.js";
import { matched } from "./matching.js";
import { litRow, questionOf } from "./objects.js";
import { overlayView } from "./overlay.js";
import { shownObjects, thresholdView } from "./threshold.js";

const ONLY = "broken"; // the line of what only one model sees

/** Explain the same label or object of two deployments, in panes beside each other. */
export function explainBoth(actions, sides, found) {
    const asked = sides.map(({ name }, side) => found[side] && questionOf(name, found[side])).filter(Boolean);
    asked.forEach((question, place) => actions.explain(question, { beside: place > 0 }));
}

/**
 * Return two frames and three tables.
 * @param {{name: string, facts: object, answer: object}[]} sides the two deployments
 */
export function objectsComparedView(state, actions, image, sides) {
    const shown = sides.map(({ facts, answer }) => shownObjects(state, facts, answer.prediction.objects));
    const { both, first, second } = matched(...shown);
    const all = sides.flatMap(({ answer }) => answer.prediction.objects);
    const marks = marksOf(all, sides[0].facts?.labels);
    const [one, other] = sides;
    const pairs = new Map(
        both.flatMap(([mine, its]) => [
            [mine, mine],
            [its, mine],
        ]),
    );
    const keyOf = (object) => {
        const known = pairs.get(object) ?? object;
        return one.answer.prediction.objects.includes(known) ? known.index : `${other.name} ${known.index}`;
    };
    const markOf = (object) => ({ ...marks.get(object.label), line: pairs.has(object) ? "plain" : ONLY });
    const group = (title, found) => groupView(state, actions, title, found, sides, keyOf);
    return html`${thresholdView(state, actions)}
        <p>
            ${both.length} in both (plain lines), ${first.length} only in ${one.name}, ${second.length} only in
            ${other.name} (broken lines).
        </p>
        <div class="panes">
            ${sides.map(
                (side, place) => html`<figure>
                    ${frameView({
                        state,
                        actions,
                        image,
                        facts: side.facts,
                        name: `Objects of ${side.name}`,
                        layers: [
                            [
                                imageView(image, side.facts, `${image.name} as ${side.name} sees it`),
                                overlayView({
                                    state,
                                    actions,
                                    objects: shown[place],
                                    markOf,
                                    keyOf,
                                    press: (object) => actions.explain(questionOf(side.name, object)),
                                }),
                            ],
                        ],
                    })}
                    <figcaption>${side.name}</figcaption>
                </figure>`,
            )}
        </div>
        ${group(`Only in ${one.name}`, first.map((object) => [object, null]))}
        ${group(`Only in ${other.name}`, second.map((object) => [null, object]))}
        ${group("In both", both)}`;
}

function groupView(state, actions, title, pairs, sides, keyOf) {
    if (!pairs.length) return nothing;
    return html`<table>
        <caption>${title}</caption>
        <thead>
            <tr>
                <th scope="col">Object</th>
                ${sides.map(({ name }) => html`<th scope="col">${name}</th>`)}
            </tr>
        </thead>
        <tbody>
            ${pairs.map((found) => {
                const key = keyOf(found[0] ?? found[1]);
                const { label } = found[0] ?? found[1];
                const cells = html`<td>
                        <button type="button" class="row-button" @click=${() => explainBoth(actions, sides, found)}>
                            ${label} <span class="unseen">(explain)</span>
                        </button>
                    </td>
                    ${found.map(
                        (object) => html`<td class="score">
                        ${object ? `${object.index + 1}: ${percent(object.score)}` : "none"}
                    </td>`,
                    )}`;
                return litRow(state, actions, key, cells);
            })}
        </tbody>
    </table>`;
}
