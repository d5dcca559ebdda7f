/** Asks deployments about images, a few at a time, the image that is looked at first. */

import { imagePatch } from "../store.js";
import { IMAGE, ask, failure } from "./asking.js";
import { findsObjects } from "./descriptions.js";
import { predictionOf } from "./replies.js";

const AT_ONCE = 4;
const LEAST_SCORE = 0.05; // of objects that are asked for; the threshold filters them in the page

/** Asks about the images of the strip, and keeps the answers with them. */
export class Scoring {
    #store;
    #waiting = []; // [{imageId, deployment}]
    #running = new Map(); // "imageId deployment" -> AbortController

    constructor(store) {
        this.#store = store;
    }

    /** Ask a deployment about an image; what was asked of the same before is cancelled. */
    ask(imageId, deployment) {
        this.#cancel((each) => each.imageId === imageId && each.deployment === deployment);
        this.#waiting.push({ imageId, deployment });
        this.#answer(imageId, deployment, { state: "waiting", error: null });
        this.#start();
    }

    /** Ask about all images what was not asked yet, and cancel what is asked of other deployments or removed images. */
    askAll() {
        const { choices, images } = this.#store.state;
        const wanted = [choices.deployment, choices.beside].filter(Boolean);
        const ids = new Set(images.map((image) => image.id));
        this.#cancel((each) => !ids.has(each.imageId) || !wanted.includes(each.deployment));
        for (const image of images.filter((each) => !each.refusal)) {
            for (const name of wanted.filter((each) => !image.answers[each])) this.ask(image.id, name);
        }
    }

    #cancel(chosen) {
        this.#waiting = this.#waiting.filter((each) => !chosen(each) || this.#forget(each));
        for (const [key, each] of this.#running) {
            if (chosen(each)) {
                each.controller.abort();
                this.#running.delete(key);
                this.#forget(each);
            }
        }
    }

    /** Remove the answer that will not come, so that it is asked for again once it is wanted. */
    #forget({ imageId, deployment }) {
        this.#store.update((state) =>
            imagePatch(state, imageId, ({ answers: { [deployment]: _, ...answers } }) => ({ answers })),
        );
        return false;
    }

    #start() {
        while (this.#waiting.length && this.#running.size < AT_ONCE) {
            const current = this.#waiting.findIndex((each) => each.imageId === this.#store.state.currentId);
            const [next] = this.#waiting.splice(Math.max(0, current), 1);
            const key = `${next.imageId} ${next.deployment}`;
            const running = { ...next, controller: new AbortController() };
            this.#running.set(key, running);
            this.#run(running).finally(() => {
                if (this.#running.get(key) === running) this.#running.delete(key);
                this.#start();
            });
        }
    }

    async #run({ imageId, deployment, controller: { signal } }) {
        const show = (change) => signal.aborted || this.#answer(imageId, deployment, change);
        const requestOf = (facts) => scoreRequest(facts, deployment);
        try {
            const { facts, ...found } = await ask(this.#store, { imageId, deployment }, requestOf, signal, show);
            show({ state: "done", error: null, ...found, prediction: predictionOf(found.reply, facts) });
        } catch (error) {
            if (error.name !== "AbortError") show(failure(this.#store, error));
        }
    }

    #answer(imageId, deployment, change) {
        this.#store.update((state) =>
            imagePatch(state, imageId, ({ answers }) => ({
                answers: { ...answers, [deployment]: { deployment, ...answers[deployment], ...change } },
            })),
        );
    }
}

/** Return the request for the scores of an image, `{headers, body}`, with IMAGE in the image's place. */
export function scoreRequest(facts, deployment, options = {}) {
    return {
        headers: { "content-type": "application/json", "azureml-model-deployment": deployment },
        body: {
            input_data: { columns: ["image"], data: [{ image_base64: IMAGE, ...lowThreshold(facts), ...options }] },
        },
    };
}

/** Objects are asked for once, down to a low score, so that the threshold needs no further request. */
function lowThreshold(facts) {
    if (!findsObjects(facts) || !facts.inference_parameters) return {};
    return { inference_parameters: { box_score_thresh: Math.min(LEAST_SCORE, facts.score_threshold) } };
}

/** Return the smallest score of the objects that a deployment was asked for. */
export function leastScore(facts) {
    return lowThreshold(facts).inference_parameters?.box_score_thresh ?? facts?.score_threshold ?? 0;
}
