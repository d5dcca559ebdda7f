/** The requests that were just sent, as curl, Python and JSON, to send them from elsewhere. */

import { requestText } from "../server/asking.js";
import { addressOf } from "../server/client.js";
import { currentImage } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";
import { copyButton } from "./clipboard.js";
import { curlCode } from "./curl_code.js";
import { pythonCode } from "./python_code.js";
import { requestsOf } from "./requests.js";

/** Draw the requests about the current image. */
export function codeView(state, actions) {
    const image = currentImage(state);
    const requests = requestsOf(state);
    if (!requests.length) return nothing;
    const about = { url: addressOf("score"), fileName: image.name, needsKey: state.server.keys };
    return html`
        <div class="card code">
            <h2>Requests</h2>
            ${state.server.keys
                ? html`<p class="soft">Set the variable <code>KEY</code> to your key first.</p>`
                : nothing}
            ${requests.map(({ title, request }) => requestView(title, request, image, about, actions))}
        </div>
    `;
}

function requestView(title, request, image, about, actions) {
    const json = JSON.stringify(request.body, null, 4);
    const whole = async () => requestText(request.body, await image.base64());
    const [curl, python] = [curlCode(request, about), pythonCode(request, about)];
    return html`
        <div role="group" aria-label=${title}>
            <h3>${title}</h3>
            ${textView("curl", curl, actions)} ${textView("Python", python, actions)}
            ${textView("JSON", json, actions, copyButton("Copy with the image", whole, actions))}
        </div>
    `;
}

function textView(language, text, actions, more = nothing) {
    return html`
        <details>
            <summary>${language}</summary>
            <pre tabindex="0" role="group" aria-label="The request as ${language}"><code>${text}</code></pre>
            <div class="row">${copyButton(`Copy ${language}`, () => text, actions)} ${more}</div>
        </details>
    `;
}
