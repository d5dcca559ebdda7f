/** The replies about the current image, as they came. */

import { html, nothing } from "../vendor/lit-html.js";
import { copyButton } from "./clipboard.js";
import "./json_tree.js";
import { requestsOf } from "./requests.js";

/** Draw the replies, folded and with long texts cut short; what is copied is whole. */
export function replyView(state, actions) {
    const found = requestsOf(state).filter(({ reply }) => reply !== null);
    if (!found.length) return nothing;
    return html`
        <div class="card reply">
            <h2>${found.length > 1 ? "Replies" : "Reply"}</h2>
            ${found.map(
                ({ title, reply }) => html`
                    <details>
                        <summary>${title}</summary>
                        <json-tree .value=${reply}></json-tree>
                        <div class="row">${copyButton("Copy the reply", () => written(reply), actions)}</div>
                    </details>
                `,
            )}
        </div>
    `;
}

function written(reply) {
    return JSON.stringify(reply, null, 4);
}
