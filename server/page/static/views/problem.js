/** A problem in the words of the reply, with what can be done. */

import { html, nothing } from "../vendor/lit-html.js";

/**
 * Draw an error of an answer or a pane.
 * @param {{message: string, code?: string, status?: number, requestId?: string, details?: object[], retryAt?: number}} error
 * @param {(() => void)|null} again asks anew; null where that would not help
 */
export function problemView(error, again) {
    const passing = Boolean(error.retryAt);
    return html`
        <div class="problem ${passing ? "passing" : "lasting"}" role=${passing ? "status" : "alert"}>
            <p>${error.message}</p>
            ${detailsView(error.details)}
            ${passing ? html`<p class="soft">The page asks again by itself.</p>` : nothing}
            ${again ? html`<button type="button" @click=${again}>Ask again</button>` : nothing}
            ${error.code || error.requestId
                ? html`<p class="soft facts">
                      ${[error.status, error.code].filter(Boolean).join(" ")}
                      ${error.requestId ? html`<span>request ${error.requestId}</span>` : nothing}
                  </p>`
                : nothing}
        </div>
    `;
}

function detailsView(details = []) {
    if (!details.length) return nothing;
    return html`<ul>
        ${details.map((detail) => html`<li>${detail.message}</li>`)}
    </ul>`;
}
