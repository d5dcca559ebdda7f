/** The page as a whole: what stands where. */

import { codeView } from "../exchange/code.js";
import { replyView } from "../exchange/reply.js";
import { notesView } from "../intake/image_notes.js";
import { intakeView } from "../intake/intake.js";
import { samplesView } from "../intake/samples.js";
import { stripView } from "../intake/strip.js";
import { answerOf, currentImage, currentPanes } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";
import { modelsComparedView } from "../viewer/models_compared.js";
import { objectsView } from "../viewer/objects.js";
import { panesView } from "../viewer/panes.js";
import { thresholdView } from "../viewer/threshold.js";
import { viewerView } from "../viewer/viewer.js";
import { helpView } from "./help.js";
import { keyFormView } from "./key_form.js";
import { problemView } from "./problem.js";
import { scoresView } from "./scores.js";
import { modelsView, statusView, timesView } from "./status.js";

/** Draw the page. */
export function appView(state, actions) {
    const image = currentImage(state);
    const panes = currentPanes(state);
    return html`
        <a class="skip" href="#answers">Skip to the answers</a>
        <header class="top">
            <h1>Sightglass</h1>
            ${statusView(state, actions)}
        </header>
        ${noticesView(state, actions)}
        <main>
            <section class="side-image" aria-label="Image">
                ${intakeView(state, actions)} ${samplesView(state, actions)}
                ${state.images.length ? stripView(state, actions) : nothing}
                ${image ? viewerView(state, actions) : nothing} ${notesView(state)}
            </section>
            <section class="side-answers" id="answers" tabindex="-1" aria-label="Answers">
                ${state.asksKey ? keyFormView(state, actions) : nothing} ${modelsView(state, actions)}
                ${image ? answersView(state, actions, image) : welcomeView(state)}
            </section>
            ${panes.length
                ? html`<section class="whole-width" id="why" aria-label="Explanations">
                      ${panesView({ ...state, panes }, actions)}
                  </section>`
                : nothing}
            ${image ? exchangeView(state, actions) : nothing}
        </main>
        ${state.help ? helpView(state, actions) : nothing}
    `;
}

function noticesView({ notice, server }, actions) {
    return html`
        <div class="notices" role="status" aria-live="polite">
            ${notice
                ? html`<p class="notice ${notice.kind}">
                      ${notice.text}
                      <button type="button" class="plain" @click=${() => actions.say("")}>Close</button>
                  </p>`
                : nothing}
            ${server.outdated
                ? html`<p class="notice info">
                      The server was updated.
                      <button type="button" @click=${() => window.location.reload()}>Load the new page</button>
                  </p>`
                : nothing}
        </div>
    `;
}

function welcomeView({ catalog, asksKey }) {
    if (asksKey) return nothing;
    return html`
        <div class="card">
            <h2>See what the model sees, and why</h2>
            <p>
                Drop an image anywhere on this page, paste one, or choose a file. Its scores appear here; a click on a label
                or a box shows why the model gave it.
            </p>
            <p class="soft">
                Images go to this server and nowhere else.
                ${catalog ? nothing : "The server is still telling what it serves."}
            </p>
        </div>
    `;
}

function answersView(state, actions, image) {
    const { choices } = state;
    if (image.refusal) return problemView({ message: image.refusal }, null);
    const answer = answerOf(state, image);
    if (choices.beside && answerOf(state, image, choices.beside)) return modelsComparedView(state, actions);
    return html`${waitingView(answer, state)} ${problemOf(answer, image, actions)} ${predictionView(state, actions, answer)}`;
}

function waitingView(answer, { server }) {
    if (answer && answer.state !== "waiting") return nothing;
    const words = server.ready || !server.reason ? "Waiting for the scores." : `Not ready yet: ${server.reason}.`;
    return html`<p class="waiting" role="status">${words}</p>`;
}

function problemOf(answer, image, actions) {
    if (!answer?.error) return nothing;
    const again = () => actions.askAgain(image.id, answer.deployment);
    return problemView(answer.error, again);
}

function predictionView(state, actions, answer) {
    if (answer?.state !== "done") return nothing;
    const { prediction } = answer;
    if (prediction.kind === "labels") return html`${scoresView(state, actions, answer)} ${timesView(answer)}`;
    if (prediction.kind === "objects") {
        return html`${thresholdView(state, actions)} ${objectsView(state, actions)} ${timesView(answer)}`;
    }
    return html`<p class="soft">This deployment answers in a form of its own; the reply stands below.</p>
        ${timesView(answer)}`;
}

function exchangeView(state, actions) {
    return html`
        <section class="whole-width exchange" aria-label="Request and reply">
            ${codeView(state, actions)} ${replyView(state, actions)}
            <div class="row">
                <button type="button" @click=${actions.saveSession}>Save this session as HTML</button>
                <button type="button" @click=${actions.saveScores}>Save the scores as CSV</button>
            </div>
        </section>
    `;
}
