/** ImageNotes: what a person should know about the image that is looked at. */

import { notesFor } from "../images/notes.js";
import { currentImage, deploymentOf } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";

/** Draw the notes on the current image, nothing where there are none. */
export function notesView(state) {
    const image = currentImage(state);
    const notes = image && !image.refusal ? notesFor(image, deploymentOf(state)) : [];
    if (!notes.length) return nothing;
    return html`<ul class="image-notes" aria-label="About this image">
        ${notes.map((note) => html`<li>${note}</li>`)}
    </ul>`;
}
