/** Strip: the images of this visit, of which one is looked at. */

import { deploymentOf } from "../store.js";
import { html, nothing } from "../vendor/lit-html.js";
import { howTurned } from "../viewer/frame.js";

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
const WORDS = { waiting: "waiting", retrying: "the server is asked again", done: "scored", failed: "failed" };

/** Return how an image stands: refused, or how the chosen deployment's answer to it does. */
function stateOf(image, { deployment }) {
    if (image.refusal) return "refused";
    return image.answers[deployment]?.state ?? "waiting";
}

/** Draw the images as buttons, which the arrow keys walk; Delete removes one. */
export function stripView(state, actions) {
    const { images, currentId, choices } = state;
    return html`
        <ul class="strip" aria-label="Images" @keydown=${(event) => keyPressed(event, state, actions)}>
            ${images.map((image) => itemView(image, image.id === currentId, stateOf(image, choices), state, actions))}
        </ul>
        ${images.length > 1
            ? html`<p class="soft">${images.length} images. Arrow keys walk them, Delete removes one.</p>`
            : nothing}
    `;
}

function itemView(image, current, standing, state, actions) {
    const words = WORDS[standing] ?? standing;
    const stop = current ? "0" : "-1";
    return html`
        <li class="${standing}${current ? " current" : ""}">
            <button
                type="button"
                class="thumbnail"
                tabindex=${stop}
                aria-current=${current ? "true" : nothing}
                aria-label="Image ${image.name}, ${words}"
                title=${image.name}
                @click=${() => actions.selectImage(image.id)}
            >
                ${image.url
                    ? html`<img class=${howTurned(deploymentOf(state))} src=${image.url} alt="" loading="lazy" decoding="async">`
                    : html`<span class="no-thumbnail" aria-hidden="true">${image.format || "?"}</span>`}
                <span class="name">${image.name}</span>
                <span class="standing">${words}</span>
            </button>
            <button
                type="button"
                class="remove"
                tabindex=${stop}
                aria-label="Remove ${image.name}"
                @click=${(event) => remove(image, event.currentTarget, state, actions)}
            >
                ×
            </button>
        </li>
    `;
}

function keyPressed(event, state, actions) {
    const buttons = [...event.currentTarget.querySelectorAll(".thumbnail")];
    const place = buttons.indexOf(event.target);
    if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const { images } = state;
    if (event.key === "Delete") {
        remove(images[place], event.target, state, actions);
    } else {
        const next = { Home: 0, End: images.length - 1 }[event.key] ?? place + STEPS[event.key];
        if (!images[next]) return;
        actions.selectImage(images[next].id);
        buttons[next].focus();
    }
    event.preventDefault();
}

/** Remove an image. Buttons are reused for what comes after it, so that the focus is lost with the last one only. */
function remove(image, button, { images }, actions) {
    const buttons = [...button.closest(".strip").querySelectorAll(".thumbnail")];
    const place = images.indexOf(image);
    const last = images.length === 1;
    (last ? document.getElementById("image-files") : buttons[Math.min(place, images.length - 2)])?.focus();
    actions.removeImage(image.id);
}
