/** Asks for the key of a server that needs one. The key stays in memory, and is gone when the page is closed. */

import { html } from "../vendor/lit-html.js";

/** Draw the form; `asksKey` tells whether a key was refused before. */
export function keyFormView({ asksKey }, actions) {
    const submit = (event) => {
        event.preventDefault();
        const input = event.target.elements.key;
        const key = input.value;
        input.value = "";
        if (key.trim()) actions.giveKey(key);
        else input.focus();
    };
    const wrong = asksKey === "wrong";
    return html`
        <form class="card key-form" @submit=${submit}>
            <h2>This server needs a key</h2>
            ${wrong ? html`<p class="problem lasting" role="alert">The server does not know this key. Give another one.</p>` : ""}
            <label class="field">
                <span>Key</span>
                <input
                    name="key"
                    type="password"
                    autocomplete="off"
                    spellcheck="false"
                    required
                    aria-invalid=${wrong ? "true" : "false"}
                />
            </label>
            <button type="submit">Use this key</button>
            <p class="soft">The page keeps it in memory until it is closed or loaded again.</p>
        </form>
    `;
}
