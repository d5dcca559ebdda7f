/** The one state of the page. Whoever changes it replaces objects instead of writing into them. */

import { FITTED } from "./viewer/zoom.js";

/** Images that the strip holds at most. */
export const MOST_IMAGES = 100;

/**
 * Make a store.
 * @param {object} initial the first state
 * @returns a store with `state`, `update(patch)`, where a patch may be a function of the state, and `subscribe(listener)`,
 *     which calls `listener(state)` once after any number of updates in a row
 */
export function createStore(initial) {
    const listeners = new Set();
    let state = initial;
    let scheduled = false;

    function publish() {
        scheduled = false;
        listeners.forEach((listener) => listener(state));
    }

    return {
        get state() {
            return state;
        },
        update(patch) {
            state = { ...state, ...(typeof patch === "function" ? patch(state) : patch) };
            if (!scheduled) {
                scheduled = true;
                queueMicrotask(publish);
            }
        },
        subscribe(listener) {
            listeners.add(listener);
        },
    };
}

/** What the page starts with. */
export const INITIAL = Object.freeze({
    server: { reachable: true, keys: false, ready: false, reason: "", draining: false, named: true, deployments: [] },
    catalog: null,
    asksKey: false,
    images: [],
    currentId: null,
    choices: {
        deployment: null,
        beside: null,
        threshold: null,
        algorithm: null,
        colourMap: "bgyw",
        sign: "positive",
        opacity: 0.6,
        hiddenLabels: [],
        compare: "panes",
        swipe: {},
        search: "",
        allLabels: false,
    },
    hidden: false,
    lit: null,
    zoom: FITTED,
    panes: [],
    notice: null,
    help: false,
});

/** Return an image of the strip, or null where it was removed. */
export function imageOf(state, id) {
    return state.images.find((image) => image.id === id) ?? null;
}

/** Return the image that is looked at, or null. */
export function currentImage(state) {
    return imageOf(state, state.currentId);
}

/** Return the description of a deployment by its name, or of the one that is chosen; null before it is known. */
export function deploymentOf(state, name = state.choices.deployment) {
    return state.catalog?.deployments.find((each) => each.name === name) ?? null;
}

/** Return the answer of a deployment about an image, or null. */
export function answerOf(state, image, name = state.choices.deployment) {
    return image?.answers[name] ?? null;
}

/** Return the panes of the image that is looked at. Those of the others wait until it is looked at again. */
export function currentPanes(state) {
    return state.panes.filter((pane) => pane.imageId === state.currentId);
}

/** Return a patch that changes one image; nothing where it was removed meanwhile. */
export function imagePatch(state, id, change) {
    return {
        images: state.images.map((image) => (image.id === id ? { ...image, ...change(image) } : image)),
    };
}

/** Return a patch that changes one pane; nothing where it was closed meanwhile. */
export function panePatch(state, id, change) {
    return { panes: state.panes.map((pane) => (pane.id === id ? { ...pane, ...change } : pane)) };
}
