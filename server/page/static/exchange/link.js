/** The choices in the fragment of the address: a link that somebody else can open. Never the image. */

import { INITIAL } from "../store.js";

const LONGEST = 300;
const SETTLED_MS = 300; // browsers bound how often an address may change

const text = (value) => (value.length <= LONGEST ? value : undefined);
const share = (value) => (/^(0(\.\d+)?|1(\.0+)?)$/.test(value) ? Number(value) : undefined);
const oneOf = (...known) => (value) => known.find((each) => String(each) === value);
const isList = (name) => Array.isArray(INITIAL.choices[name]); // a link repeats its name for each value

/** How each choice is read: to a value, or to undefined where a link says what cannot be. */
const READERS = {
    deployment: text,
    beside: text,
    threshold: share,
    algorithm: text,
    colourMap: text,
    sign: oneOf("positive", "signed", "absolute"),
    opacity: share,
    hiddenLabels: text,
    compare: oneOf("panes", "swipe"),
    search: text,
    allLabels: oneOf(true, false),
};

/** Return the choices of a link, without what is unknown in it. Without a fragment, of this page's address. */
export function readLink(fragment = window.location.hash) {
    const found = {};
    for (const [name, value] of new URLSearchParams(fragment.replace(/^#/, ""))) {
        const read = Object.hasOwn(READERS, name) ? READERS[name](value) : undefined;
        if (read !== undefined) found[name] = isList(name) ? [...(found[name] ?? []), read] : read;
    }
    return found;
}

/** Write the choices that are not as at the start into the address, without a further step in the history. */
export const writeLink = settled((choices) => {
    const parts = new URLSearchParams();
    for (const name of Object.keys(READERS)) {
        const value = choices[name];
        if (value === null || value === INITIAL.choices[name]) continue;
        for (const each of isList(name) ? value : [value]) parts.append(name, String(each));
    }
    const { pathname, search, hash } = window.location;
    const fragment = parts.toString() && `#${parts}`;
    if (fragment !== hash) window.history.replaceState(window.history.state, "", fragment || pathname + search);
});

/** Return a function that calls another one with its last argument, once nobody has called it for a while. */
function settled(call) {
    let waiting = 0;
    return (argument) => {
        clearTimeout(waiting);
        waiting = setTimeout(() => call(argument), SETTLED_MS);
    };
}
