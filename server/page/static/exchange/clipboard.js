/** Copying texts to the clipboard. */

import { html } from "../vendor/lit-html.js";

const REFUSED = "The browser does not let this page write to the clipboard. Select the text and copy it by hand.";

/**
 * Draw a button that copies a text.
 * @param {string} words on the button
 * @param {() => string|Promise<string>} textOf makes the text when it is needed
 */
export function copyButton(words, textOf, actions) {
    const copy = async () => {
        const copied = await copyText(await textOf());
        actions.say(copied ? "Copied." : REFUSED, copied ? "info" : "error");
    };
    return html`<button type="button" @click=${copy}>${words}</button>`;
}

async function copyText(text) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        return copySelected(text); // neither https nor localhost
    }
}

function copySelected(text) {
    const before = document.activeElement;
    const field = document.body.appendChild(document.createElement("textarea"));
    field.className = "copied";
    field.value = text;
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    before?.focus();
    return copied;
}
