/** Swipe: two sides over each other in one frame, parted by a line that a pointer, keys and a slider move. */

import { deploymentOf, imageOf } from "../../store.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { frameView, imageView, proportions } from "../frame.js";
import { paneLayer, paneName } from "./pane.js";
import { selectView } from "./question.js";

const IMAGE = "image";

/** Return the frame with the line, its slider, and the selects of both sides. */
export function swipeView(state, actions) {
    const { panes } = state;
    const image = imageOf(state, panes[0].imageId);
    const sides = [
        { key: IMAGE, name: "Bare image" },
        ...panes.map((pane, key) => ({ key, name: paneName(pane), pane })),
    ];
    const chosen = {
        share: 0.5,
        left: panes.length > 1 ? 0 : IMAGE,
        right: panes.length > 1 ? 1 : 0,
        ...state.choices.swipe,
    };
    const side = (key) => sides.find((each) => each.key === key) ?? sides.at(-1);
    const [left, right] = [side(chosen.left), side(chosen.right)];
    const facts = (one) => deploymentOf(state, one.pane?.deployment ?? panes[0].deployment);
    const layer = (one) =>
        one.pane ? paneLayer(state, actions, image, facts(one), one.pane) : imageView(image, facts(one), image.name);
    const choose = (change) => actions.choose({ swipe: { ...state.choices.swipe, ...change } });
    const options = sides.map(({ key, name }) => [key, name]);
    const turned = proportions(image, facts(left)) !== proportions(image, facts(right));
    return html`<div class="swipe">
        ${frameView({
            state,
            actions,
            image,
            facts: facts(left),
            name: `${left.name} on the left, ${right.name} on the right`,
            layers: [layer(left), layer(right)],
            above: lineView((share) => choose({ share })),
            swipe: chosen.share,
        })}
        <label class="swipe-slider">
            Line
            <input
                type="range"
                min="0"
                max="100"
                .value=${String(Math.round(100 * chosen.share))}
                @input=${(event) => choose({ share: event.target.valueAsNumber / 100 })}
            >
        </label>
        <div class="question">
            ${selectView("Left", options, sides.indexOf(left), (index) => choose({ left: sides[index].key }))}
            ${selectView("Right", options, sides.indexOf(right), (index) => choose({ right: sides[index].key }))}
        </div>
        ${turned ? html`<p class="soft">The two models turn this image differently: the sides do not match.</p>` : nothing}
    </div>`;
}

/** Return the line. While it is dragged only a property of the frame changes; `choose` hears of the end. */
function lineView(choose) {
    const share = (event) => {
        const { left, width } = event.currentTarget.parentElement.getBoundingClientRect();
        return Math.min(1, Math.max(0, (event.clientX - left) / width));
    };
    const start = (event) => {
        event.stopPropagation();
        event.currentTarget.setPointerCapture(event.pointerId);
    };
    const move = (event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        event.stopPropagation();
        event.currentTarget.closest(".frame").style.setProperty("--swipe", share(event));
    };
    const end = (event) => event.currentTarget.hasPointerCapture(event.pointerId) && choose(share(event));
    return html`<div class="swipe-line" @pointerdown=${start} @pointermove=${move} @pointerup=${end}></div>`;
}
