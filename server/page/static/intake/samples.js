/** Samples: the images that the server offers to try. */

import { html, nothing } from "../vendor/lit-html.js";

/** Draw a button for each sample of the server. */
export function samplesView({ catalog }, actions) {
    const names = catalog?.samples ?? [];
    if (!names.length) return nothing;
    return html`
        <div class="samples" role="group" aria-label="Samples">
            <span class="soft">Try one:</span>
            ${names.map((name) => sampleView(name, actions))}
        </div>
    `;
}

function sampleView(name, actions) {
    const words = withoutEnding(name);
    return html`<button type="button" aria-label="Sample ${words}" @click=${() => actions.addSample(name)}>
        ${words}
    </button>`;
}

function withoutEnding(name) {
    return name.replace(/\.\w+$/, "").replaceAll("_", " ");
}
