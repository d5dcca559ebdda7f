/** JsonTree: a value of JSON that can be folded, `<json-tree>`. What is folded is not built. */

const OPEN_DEPTH = 2;
const MOST_OPEN = 12; // parts of a value that is open at first
const MOST_PARTS = 100; // in one list; more are shown in groups
const LONGEST = 120; // letters of a text
const LINE = 80; // letters of a list of numbers that stays on one line

/** Its property `value` is what it shows. Foreign text is only ever text. */
export class JsonTree extends HTMLElement {
    #value;

    get value() {
        return this.#value;
    }

    set value(value) {
        if (value === this.#value && this.firstChild) return;
        this.#value = value;
        this.replaceChildren(partOf(null, value, 0));
    }
}

function partOf(name, value, depth) {
    const inLine = written(value);
    if (inLine === null) return foldOf(name, value, depth);
    const line = element("div", "leaf");
    if (name !== null) line.append(element("span", "key", `${name}: `));
    line.append(element("span", typeof value, inLine));
    return line;
}

/** Return a value that needs no fold as text, else null. */
function written(value) {
    if (typeof value === "string") return shortened(value);
    if (typeof value !== "object" || value === null) return String(value);
    const parts = Object.values(value);
    if (!parts.length) return Array.isArray(value) ? "[]" : "{}";
    if (!Array.isArray(value) || parts.some((part) => typeof part !== "number")) return null;
    const line = parts.length <= LINE ? `[${parts.join(", ")}]` : "";
    return line && line.length <= LINE ? line : null;
}

function shortened(text) {
    if (text.length <= LONGEST) return JSON.stringify(text);
    const start = JSON.stringify(text.slice(0, LONGEST / 2)).slice(0, -1);
    return `${start}… (${text.length.toLocaleString("en")} letters)`;
}

function foldOf(name, value, depth) {
    const keys = Object.keys(value);
    const words = Array.isArray(value) ? `[${keys.length}]` : `{${keys.length}}`;
    const fold = element("details");
    const summary = element("summary");
    if (name !== null) summary.append(element("span", "key", `${name}: `));
    summary.append(element("span", "count", words));
    fold.append(summary);
    const build = buildWhenOpen(fold, () => childrenOf(value, keys, depth + 1));
    fold.open = depth < OPEN_DEPTH && keys.length <= MOST_OPEN;
    build();
    return fold;
}

/** Have what is in a fold built once it is open; returns what does so at once. */
function buildWhenOpen(fold, parts) {
    const build = () => {
        if (fold.open && fold.children.length === 1) fold.append(...parts());
    };
    fold.addEventListener("toggle", build);
    return build;
}

function childrenOf(value, keys, depth) {
    if (keys.length <= MOST_PARTS) return keys.map((key) => partOf(key, value[key], depth));
    const size = MOST_PARTS ** Math.ceil(Math.log(keys.length) / Math.log(MOST_PARTS) - 1);
    const groups = [];
    for (let first = 0; first < keys.length; first += size) groups.push(keys.slice(first, first + size));
    return groups.map((group) => groupOf(value, group, depth));
}

function groupOf(value, keys, depth) {
    const fold = element("details");
    fold.append(element("summary", "", `${keys[0]} to ${keys.at(-1)}`));
    buildWhenOpen(fold, () => childrenOf(value, keys, depth + 1));
    return fold;
}

function element(name, style = "", text = "") {
    const made = document.createElement(name);
    if (style) made.className = style;
    if (text) made.textContent = text;
    return made;
}

customElements.define("json-tree", JsonTree);
