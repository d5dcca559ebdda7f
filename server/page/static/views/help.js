/** What the keys of the keyboard do, and what the page does with images. */

import { html } from "../vendor/lit-html.js";

const KEYS = [
    ["Tab, Shift + Tab", "go through everything there is"],
    ["Enter", "on a label or a box: show why; with Shift, beside the other maps"],
    ["Left, Right", "in the strip: the image before or after"],
    ["Arrows, +, -, 0", "on the image: move, enlarge, shrink, fit"],
    ["Space, held", "hide boxes, outlines and maps, to see the bare image"],
    ["Ctrl + V", "anywhere: ask about the image in the clipboard"],
    ["Escape", "close this help"],
];

/** Draw the help. */
export function helpView(state, actions) {
    const close = (event) => event.key === "Escape" && actions.toggleHelp();
    return html`
        <aside class="card help" aria-label="Keys and help" @keydown=${close}>
            <h2>Keys</h2>
            <dl class="facts">
                ${KEYS.map(([keys, meaning]) => html`<dt><kbd>${keys}</kbd></dt><dd>${meaning}</dd>`)}
            </dl>
            <h2>Images</h2>
            <p>
                JPEG, PNG, WebP, GIF, BMP and TIFF are taken. Images go to this server and nowhere else, and stay in this page
                until it is closed. The address of the page holds the choices, never an image.
            </p>
            <button type="button" @click=${actions.toggleHelp}>Close</button>
        </aside>
    `;
}
