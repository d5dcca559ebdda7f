/** Camera: a photograph taken on the spot. The stream ends with the dialog, whichever way it closes. */

import { html, nothing, render } from "../vendor/lit-html.js";

const QUALITY = 0.95; // of the JPEG
const WIDEST = 1920;
const REASONS = {
    NotAllowedError: "The browser does not let this page use the camera. Allow it in its settings for this site.",
    NotFoundError: "There is no camera.",
    NotReadableError: "The camera does not answer; perhaps another program uses it.",
    OverconstrainedError: "There is no such camera any more.",
};

/** Draw the button that opens the camera, or say why there is none. */
export function cameraView(state, actions) {
    if (!window.isSecureContext || !navigator.mediaDevices) {
        return html`<p class="soft">The camera works only over https, or on localhost.</p>`;
    }
    return html`<button type="button" @click=${() => openCamera(actions)}>Camera</button>`;
}

async function openCamera(actions) {
    const dialog = document.body.appendChild(document.createElement("dialog"));
    dialog.className = "camera";
    dialog.setAttribute("aria-label", "Camera");
    let stream = null;
    let cameras = [];

    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    const close = () => dialog.close();
    const draw = (words) => render(dialogView({ stream, cameras, words, shoot, start, close }), dialog);
    dialog.addEventListener("close", () => {
        stop();
        dialog.remove();
    });

    async function start(deviceId) {
        stop();
        stream = null;
        draw("Waiting for the camera.");
        try {
            const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "environment" };
            const found = await navigator.mediaDevices.getUserMedia({ video: { ...which, width: { ideal: WIDEST } } });
            stream = found;
            if (!dialog.open) return stop(); // closed while the browser asked
            cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
            draw("");
        } catch (error) {
            draw(REASONS[error.name] ?? `The camera cannot be used: ${error.message}`);
        }
    }

    async function shoot() {
        const video = dialog.querySelector("video");
        const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
        canvas.getContext("2d").drawImage(video, 0, 0);
        const photograph = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
        dialog.close();
        const time = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
        await actions.addFiles([new File([photograph], `camera ${time}.jpg`, { type: "image/jpeg" })]);
    }

    dialog.showModal();
    await start(null);
}

function dialogView({ stream, cameras, words, shoot, start, close }) {
    const ready = (event) => (event.target.closest("dialog").querySelector(".shutter").disabled = false);
    return html`
        <p role="status">${words}</p>
        ${stream
            ? html`<video
                  autoplay
                  playsinline
                  muted
                  aria-label="Live image"
                  .srcObject=${stream}
                  @loadeddata=${ready}
              ></video>`
            : nothing}
        ${cameras.length > 1
            ? html`<label class="field">
                  <span>Camera</span>
                  <select @change=${(event) => start(event.target.value)}>
                      ${cameras.map(
                          ({ deviceId, label }) => html`<option value=${deviceId}>${label || "Camera"}</option>`,
                      )}
                  </select>
              </label>`
            : nothing}
        <div class="row">
            ${stream
                ? html`<button type="button" class="shutter" disabled @click=${shoot}>Take the photograph</button>`
                : nothing}
            <button type="button" @click=${close}>Close the camera</button>
        </div>
    `;
}
