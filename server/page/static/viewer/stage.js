/** ImageStage: the view onto an image, `<image-stage>`. Gestures zoom and pan; the state hears of it when they end. */

import { FITTED, moved, scaled, zoomTransform } from "./zoom.js";

const SETTLED_MS = 150; // after the last turn of a wheel
const DRAG_PIXELS = 4; // below, it is a click
const DOUBLE = 3;

/**
 * While a gesture lasts, it changes the transform of all `.zoomed` elements of the page, since views are linked, and
 * nothing is painted anew: lines and numbers grow with the image. At its end the event `zoomed` carries the zoom in
 * `detail`, and they get their size back. A wheel zooms with Ctrl, and else scrolls.
 */
export class ImageStage extends HTMLElement {
    /** The zoom as the state has it. */
    zoom = FITTED;
    #live = null;
    #pointers = new Map();
    #dragged = false;
    #settling = 0;

    connectedCallback() {
        this.addEventListener("wheel", this, { passive: false });
        this.addEventListener("touchstart", this, { passive: false });
        this.addEventListener("click", this, { capture: true });
        for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel", "dblclick"]) {
            this.addEventListener(type, this);
        }
    }

    disconnectedCallback() {
        clearTimeout(this.#settling);
        this.#pointers.clear();
    }

    handleEvent(event) {
        this[`_${event.type}`](event);
    }

    _wheel(event) {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const turn = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 * event.deltaY : event.deltaY;
        this.#apply(scaled(this.#current, Math.exp(-Math.max(-100, Math.min(100, turn)) / 200), this.#place(event)));
        clearTimeout(this.#settling);
        this.#settling = setTimeout(() => this.#commit(), SETTLED_MS);
    }

    /** Two fingers zoom the image, not the page. */
    _touchstart(event) {
        if (event.touches.length > 1) event.preventDefault();
    }

    _pointerdown(event) {
        if (event.pointerType === "mouse" && event.button !== 0) return;
        this.#pointers.set(event.pointerId, this.#place(event));
        if (this.#pointers.size === 1) this.#dragged = false;
    }

    _pointermove(event) {
        const before = this.#pointers.get(event.pointerId);
        if (!before) return;
        const place = this.#place(event);
        if (this.#pointers.size === 2) {
            this.#pinch(event.pointerId, before, place);
        } else if (this.#pointers.size === 1 && this.#current.scale > 1) {
            const { width, height } = this.getBoundingClientRect();
            const far = Math.hypot((place.x - before.x) * width, (place.y - before.y) * height) >= DRAG_PIXELS;
            if (!far && !this.#dragged) return;
            this.#drag(event.pointerId);
            this.#apply(moved(this.#current, before.x - place.x, before.y - place.y));
        } else return;
        this.#pointers.set(event.pointerId, place);
    }

    _pointerup(event) {
        if (!this.#pointers.delete(event.pointerId)) return;
        if (!this.#pointers.size) this.#commit();
    }

    _pointercancel(event) {
        this._pointerup(event);
    }

    /** A drag that ends on an object does not press it. */
    _click(event) {
        if (!this.#dragged) return;
        this.#dragged = false;
        event.stopPropagation();
    }

    _dblclick(event) {
        const { scale } = this.#current;
        this.#apply(scale > 1 ? FITTED : scaled(this.#current, DOUBLE, this.#place(event)));
        this.#commit();
    }

    get #current() {
        return this.#live ?? this.zoom;
    }

    #place({ clientX, clientY }) {
        const { left, top, width, height } = this.getBoundingClientRect();
        return { x: (clientX - left) / width, y: (clientY - top) / height };
    }

    #drag(pointerId) {
        // Not before: the element that has the capture gets the click
        if (!this.#dragged) this.setPointerCapture(pointerId);
        this.#dragged = true;
    }

    #pinch(pointerId, before, place) {
        const [other] = [...this.#pointers].filter(([id]) => id !== pointerId).map(([, at]) => at);
        const { width, height } = this.getBoundingClientRect();
        const apart = (at) => Math.max(1, Math.hypot((at.x - other.x) * width, (at.y - other.y) * height));
        const middle = (at) => ({ x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
        this.#drag(pointerId);
        const [from, to] = [middle(before), middle(place)];
        this.#apply(moved(scaled(this.#current, apart(place) / apart(before), to), from.x - to.x, from.y - to.y));
    }

    #apply(zoom) {
        this.#live = zoom;
        const transform = zoomTransform(zoom);
        for (const element of document.querySelectorAll("image-stage .zoomed")) {
            element.classList.add("moving");
            element.style.transform = transform;
        }
    }

    #commit() {
        clearTimeout(this.#settling);
        if (!this.#live) return;
        document.querySelectorAll("image-stage .moving").forEach((element) => element.classList.remove("moving"));
        this.dispatchEvent(new CustomEvent("zoomed", { detail: this.#live }));
        this.#live = null;
    }
}

customElements.define("image-stage", ImageStage);
