/** Overlay: boxes and outlines over an image, with their numbers. Coordinates are shares of it, as in replies. */

import { html, nothing, svg } from "../vendor/lit-html.js";

const MOST_NAMED = 20; // objects; beyond, tags hold the number alone
const NEAR_TOP = 0.07; // there is no room for a tag above the box
const FAR_RIGHT = 0.6; // nor for a long one to the right of its left edge
const paths = new WeakMap(); // object -> path, since outlines are long and do not change

/** Return the path of an object: its outlines, of which an even number makes a hole, or else its box. */
export function pathOf(object) {
    if (!paths.has(object)) paths.set(object, drawn(object));
    return paths.get(object);
}

function drawn({ box, polygon }) {
    const { topX, topY, bottomX, bottomY } = box;
    const corners = [topX, topY, bottomX, topY, bottomX, bottomY, topX, bottomY];
    const rings = Array.isArray(polygon) && polygon.length ? polygon : [corners];
    const usable = rings.filter((ring) => Array.isArray(ring) && ring.length >= 4 && ring.every(Number.isFinite));
    return usable.map((ring) => `M${ring.join(" ")}Z`).join("");
}

function area({ box }) {
    return (box.bottomX - box.topX) * (box.bottomY - box.topY);
}

/**
 * Return the shapes and numbers of objects.
 * @param {object} options
 * @param {object[]} options.objects each with `index`, `label`, `box` and perhaps `polygon`
 * @param {(object) => {colour: string, line: string}} options.markOf how an object is drawn
 * @param {(object) => *} [options.keyOf] what `lit` and `light` know an object by; its index
 * @param {(object, Event) => void} [options.press] what a click does
 */
export function overlayView({ state, actions, objects, markOf, keyOf = ({ index }) => index, press }) {
    const byKey = new Map(objects.map((object) => [String(keyOf(object)), object]));
    const under = (event) => byKey.get(event.target.closest?.("[data-key]")?.dataset.key);
    const light = (event) => actions.light(under(event) ? keyOf(under(event)) : null);
    const click = (event) => event.detail < 2 && under(event) && press?.(under(event), event);
    // The small above the large, so that a pointer finds them; tags of high scores above the others
    const sorted = objects.toSorted((one, other) => area(other) - area(one));
    const lit = byKey.get(String(state.lit));
    const named = objects.length <= MOST_NAMED;
    return html`<div class="overlay" ?hidden=${state.hidden} aria-hidden="true">
        <svg
            viewBox="0 0 1 1"
            preserveAspectRatio="none"
            class=${press ? "pressable" : ""}
            @pointerover=${light}
            @pointerleave=${() => actions.light(null)}
            @click=${click}
        >
            ${sorted.map((object) => shapeView(object, keyOf(object), markOf(object)))}
            ${lit ? svg`<path class="lit-edge" d=${pathOf(lit)}></path><path class="lit" d=${pathOf(lit)}></path>` : ""}
        </svg>
        ${objects.toReversed().map((object) => tagView(object, named || object === lit, object === lit))}
    </div>`;
}

function shapeView(object, key, { colour, line }) {
    const path = pathOf(object);
    return svg`<g data-key=${key}>
        <path class="edge" d=${path}></path>
        <path d=${path} stroke=${colour} class=${line}></path>
    </g>`;
}

function tagView({ index, label, box }, named, lit) {
    const right = box.topX > FAR_RIGHT;
    const place = ["tag", box.topY < NEAR_TOP && "inside", right && "right", lit && "lit"].filter(Boolean).join(" ");
    const style = `left: ${100 * (right ? box.bottomX : box.topX)}%; top: ${100 * box.topY}%`;
    const name = named ? html`<span>${label}</span>` : nothing;
    return html`<span class=${place} .style=${style}>${index + 1} ${name}</span>`;
}
