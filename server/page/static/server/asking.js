/** Asks a deployment about one image: once it can answer, and again while a later try may succeed. */

import { imageOf } from "../store.js";
import { client, stagesOf } from "./client.js";
import { untilReady, withRetries } from "./retries.js";

/** The place of the image in a request that is shown to people. */
export const IMAGE = "<base64 of the image>";

/** Return the JSON of a body before and behind the image. */
export function aroundImage(body) {
    return JSON.stringify(body).split(IMAGE);
}

/** Return a body as JSON with the image in its place; joined, since to write megabytes as JSON takes longer. */
export function requestText(body, base64) {
    return aroundImage(body).join(base64);
}

/**
 * Ask a deployment, and return what it replied about the image, with the request and what the headers tell.
 * @param {object} store the state of the page
 * @param {{imageId: number, deployment: string}} subject
 * @param {(facts: object) => {headers: object, body: object}} requestOf makes the request, with IMAGE for the image
 * @param {AbortSignal} signal ends it, with a DOMException named AbortError
 * @param {(change: object) => void} show told of pauses between tries, as `{state, error}`, unless the signal ended it
 */
export async function ask(store, { imageId, deployment }, requestOf, signal, show) {
    const image = imageOf(store.state, imageId);
    const send = async () => {
        const facts = await untilReady(store, deployment, signal);
        const request = requestOf(facts);
        const found = await sent(request, requestText(request.body, await image.base64()), signal);
        return { ...found, facts, request };
    };
    return withRetries(send, signal, (error, retryAt) => {
        if (!signal.aborted) show({ state: "retrying", error: { ...shown(error), retryAt } });
    });
}

/** Return what is shown of an error that ended a question; where it is for want of a key, the page asks for one. */
export function failure(store, error) {
    if (error.code === "unauthorized") store.update({ asksKey: client.hasKey ? "wrong" : "needed" });
    return { state: "failed", error: shown(error) };
}

/** Spreading leaves the message of an error out. */
function shown(error) {
    return { ...error, message: error.message };
}

async function sent({ headers }, body, signal) {
    const started = performance.now();
    const response = await client.request("score", { method: "POST", headers, body, signal });
    const replies = await response.json();
    const reply = Array.isArray(replies) ? replies[0] : replies;
    return {
        reply,
        ms: performance.now() - started,
        stages: stagesOf(response),
        deployment: response.headers.get("azureml-model-deployment") ?? "",
        requestId: response.headers.get("x-request-id") ?? "",
    };
}
