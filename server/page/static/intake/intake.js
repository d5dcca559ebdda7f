/** Intake: how images come in, wherever on the page the focus or the pointer is. */

import { html, nothing } from "../vendor/lit-html.js";
import { cameraView } from "./camera.js";
import { installDrop } from "./drop.js";
import { canPaste, installPaste, pasteFromClipboard } from "./paste.js";

/** What a file dialog offers first. What a file really is, its bytes decide. */
const ACCEPTED = "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff,.tif,.tiff";

/** Listen on the whole document for images that are dropped or pasted. Called once. */
export function installIntake(actions) {
    installDrop(actions);
    installPaste(actions);
}

/** Draw the ways to give an image: choose files, paste, the camera, and in words the drop. */
export function intakeView(state, actions) {
    const choose = (event) => {
        const files = [...event.target.files];
        event.target.value = ""; // so that the same file can be chosen again
        if (files.length) actions.addFiles(files);
    };
    return html`
        <div class="intake">
            <label class="choose">
                <span>Choose images</span>
                <input type="file" id="image-files" multiple accept=${ACCEPTED} @change=${choose}>
            </label>
            ${canPaste()
                ? html`<button type="button" @click=${() => pasteFromClipboard(actions)}>Paste an image</button>`
                : nothing}
            ${cameraView(state, actions)}
            <p class="soft">or drop images and folders anywhere here, or paste with <kbd>Ctrl</kbd>+<kbd>V</kbd></p>
        </div>
    `;
}
