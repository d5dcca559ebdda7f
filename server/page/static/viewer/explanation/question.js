/** Question: what a pane asks, in selects: the algorithm, the target and the deployment. */

import { findsObjects } from "../../server/descriptions.js";
import { algorithmsOf } from "../../server/explaining.js";
import { percent } from "../../server/replies.js";
import { answerOf, deploymentOf, imageOf } from "../../store.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { sameObject } from "../matching.js";
import { questionOf } from "../objects.js";
import { shownObjects } from "../threshold.js";

const MOST_TARGETS = 100; // in a select; the list of scores has them all

/** Return the selects of a pane. */
export function questionView(state, actions, pane) {
    const facts = deploymentOf(state, pane.deployment);
    const algorithms = algorithmsOf(facts);
    const targets = targetsOf(state, pane);
    const deployments = (state.catalog?.deployments ?? [])
        .map(({ name }) => (name === pane.deployment ? pane : counterpart(state, pane, name)))
        .filter(Boolean);
    return html`<div class="question">
        ${
            algorithms.length
                ? selectView(
                      "Algorithm",
                      algorithms.map((each) => [each.name, each.name, each.summary]),
                      algorithms.findIndex((each) => each.name === pane.algorithm),
                      (index) => actions.setPane(pane.id, { algorithm: algorithms[index].name }),
                  )
                : nothing
        }
        ${selectView(
            "Why",
            targets.map((each) => [each.target, nameOf(each)]),
            targets.findIndex((each) => each.target === pane.target),
            (index) => actions.setPane(pane.id, targets[index]),
        )}
        ${
            deployments.length > 1
                ? selectView(
                      "Deployment",
                      deployments.map((each) => [each.deployment, each.deployment]),
                      deployments.indexOf(pane),
                      (index) => actions.setPane(pane.id, asked(deployments[index])),
                  )
                : nothing
        }
    </div>`;
}

/** Return a select; `options` are [value, text, title], `choose` gets the position of the chosen one. */
export function selectView(name, options, chosen, choose) {
    return html`<label>
        ${name}
        <select @change=${(event) => choose(event.target.selectedIndex)}>
            ${options.map(
                ([value, text, title], index) => html`<option
                    value=${value}
                    title=${title ?? nothing}
                    .selected=${index === chosen}
                >
                    ${text}
                </option>`,
            )}
        </select>
    </label>`;
}

function nameOf({ label, score, target, box }) {
    const number = box ? ` ${target + 1}` : "";
    return Number.isFinite(score) ? `${label}${number}, ${percent(score)}` : `${label}${number}`;
}

/** Return what a pane asks, without its answer. */
export function asked({ deployment, target, label, score, box, polygon }) {
    return { deployment, target, label, score, box, polygon };
}

/** Return what a pane may explain: the best labels or the objects that are shown, and what it explains now. */
export function targetsOf(state, pane) {
    const prediction = answerOf(state, imageOf(state, pane.imageId), pane.deployment)?.prediction;
    const facts = deploymentOf(state, pane.deployment);
    const found =
        prediction?.kind === "objects"
            ? shownObjects(state, facts, prediction.objects)
            : (prediction?.entries?.slice(0, MOST_TARGETS) ?? []);
    const targets = found.map((each) => questionOf(pane.deployment, each));
    return targets.some((each) => each.target === pane.target) ? targets : [asked(pane), ...targets];
}

/** Return the same question to another deployment: the label of the same name, or the object in the same place. */
function counterpart(state, pane, deployment) {
    const prediction = answerOf(state, imageOf(state, pane.imageId), deployment)?.prediction;
    if (pane.box) {
        const same = sameObject(pane, prediction?.objects ?? []);
        return same && questionOf(deployment, same);
    }
    const facts = deploymentOf(state, deployment);
    if (findsObjects(facts)) return null;
    const known = prediction?.entries?.find((each) => each.label === pane.label);
    const target = known?.index ?? facts?.labels?.map(String).indexOf(pane.label) ?? -1;
    return target < 0 ? null : { deployment, target, label: pane.label, score: known?.score };
}
