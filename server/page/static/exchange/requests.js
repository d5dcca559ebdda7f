/** The requests behind what is on screen: the scores of the current image, and its maps. */

import { answerOf, currentImage, currentPanes } from "../store.js";
import { paneName } from "../viewer/explanation/pane.js";

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
    const maps = currentPanes(state)
        .filter((pane) => pane.request)
        .map((pane) => ({ title: `Map of ${paneName(pane)}`, request: pane.request, reply: null }));
    return [...scores, ...maps];
}
