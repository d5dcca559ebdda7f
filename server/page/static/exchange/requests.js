/** The requests behind what is on screen: the scores of the current image, and its maps. */

import { answerOf, currentImage } from "../store.js";

/**
 * Return the requests about the current image, the scores first: `[{title, request: {headers, body}, reply}]`.
 * `reply` is null for maps, whose replies are not kept.
 */
export function requestsOf(state) {
    const image = currentImage(state);
    if (!image) return [];
    const names = [state.choices.deployment, state.choices.beside].filter(Boolean);
    const scores = names
        .map((name) => answerOf(state, image, name))
        .filter((answer) => answer?.request)
        .map(({ deployment, request, reply }) => ({ title: `Scores by ${deployment}`, request, reply: reply ?? null }));
    const maps = state.panes
        .filter((pane) => pane.imageId === image.id && pane.request)
        .map(({ label, shown, algorithm, request }) => ({
            title: `Map of ${label} by ${shown ?? algorithm}`,
            request,
            reply: null,
        }));
    return [...scores, ...maps];
}
