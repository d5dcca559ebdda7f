/** The state of the server, the choice of models, and the time that an answer took. */

import { duration } from "../server/replies.js";
import { deploymentOf } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";

/** Draw one line on the state of the server, with the way to help and to the API. */
export function statusView({ server, help, asksKey, catalog }, actions) {
    const [kind, words] = stateOf(server);
    return html`
        <p class="state ${kind}" role="status"><span class="dot" aria-hidden="true"></span>${words}</p>
        <nav aria-label="Help and API">
            ${server.keys && !asksKey && catalog
                ? html`<button type="button" class="plain" @click=${actions.forgetKey}>Forget the key</button>`
                : nothing}
            <button type="button" class="plain" aria-expanded=${help ? "true" : "false"} @click=${actions.toggleHelp}>
                Keys and help
            </button>
            <a href="docs">API</a>
        </nav>
    `;
}

function stateOf(server) {
    if (!server.reachable) return ["bad", "The server cannot be reached. The page keeps trying."];
    if (server.draining) return ["warn", "The server is shutting down and takes no new work."];
    if (!server.ready) return ["warn", server.reason ? `Not ready: ${server.reason}.` : "Loading the model."];
    const waits = Math.max(0, ...server.deployments.map((each) => each.queue_ms ?? 0));
    return ["good", waits > 1000 ? `Ready, busy for about ${duration(waits)}` : "Ready"];
}

/** Draw the choice of the deployment, and of a second one to compare with, and what is known of the chosen one. */
export function modelsView(state, actions) {
    const { catalog, server, choices } = state;
    if (!catalog) return nothing;
    const several = catalog.deployments.length > 1 && server.named;
    return html`
        <div class="card models">
            ${several
                ? html`<div class="row">
                      ${selectView("Deployment", "deployment", state, actions, false)}
                      ${selectView("Compare with", "beside", state, actions, true)}
                  </div>`
                : nothing}
            ${deploymentOf(state) ? factsView(state, choices.deployment) : nothing}
        </div>
    `;
}

function selectView(words, key, { catalog, choices }, actions, optional) {
    const others = catalog.deployments.filter((each) => key !== "beside" || each.name !== choices.deployment);
    const choose = (event) => actions.choose(chosen(key, event.target.value || null, choices));
    return html`
        <label class="field">
            <span>${words}</span>
            <select aria-label=${words} @change=${choose}>
                ${optional ? html`<option value="" ?selected=${!choices[key]}>nothing</option>` : nothing}
                ${others.map(
                    ({ name, version }) => html`<option value=${name} ?selected=${choices[key] === name}>
                        ${version ? `${name}, version ${version}` : name}
                    </option>`,
                )}
            </select>
        </label>
    `;
}

/** A deployment is not compared with itself. */
function chosen(key, name, choices) {
    const change = { [key]: name };
    if (key === "deployment" && choices.beside === name) change.beside = null;
    if (key === "deployment") change.threshold = null;
    return change;
}

function factsView(state, name) {
    const facts = deploymentOf(state, name);
    const current = state.server.deployments.find((each) => each.name === name) ?? {};
    const lines = [
        ["Model", [facts.name, facts.version && `version ${facts.version}`].filter(Boolean).join(", ")],
        ["Network", [facts.architecture, facts.task].filter(Boolean).join(", ")],
        ["Runs on", [facts.device, facts.runtime, facts.precision].filter(Boolean).join(", ")],
        ["Queue", current.ready ? duration(current.queue_ms ?? 0) : current.reason || "not ready"],
    ].filter(([, value]) => value);
    return html`
        <dl class="facts">
            ${lines.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}
        </dl>
    `;
}

/** Draw how long an answer took, stage by stage. */
export function timesView({ ms, stages = [] }) {
    if (ms === undefined) return nothing;
    const parts = stages.filter((stage) => stage.name !== "total");
    return html`
        <details class="times">
            <summary>Answered in ${duration(ms)}</summary>
            <dl class="facts">
                ${parts.map((stage) => html`<dt>${stage.name}</dt><dd>${stage.ms.toFixed(1)} ms</dd>`)}
                <dt>network and browser</dt>
                <dd>${Math.max(0, ms - total(stages)).toFixed(1)} ms</dd>
            </dl>
        </details>
    `;
}

function total(stages) {
    return stages.find((stage) => stage.name === "total")?.ms ?? 0;
}
