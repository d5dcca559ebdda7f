/** HTML as text, for files. What is put into it is escaped, unless it is such HTML itself. */

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

class Markup {
    constructor(text) {
        this.text = text;
    }

    toString() {
        return this.text;
    }
}

/** The tag of a template whose values are texts, numbers, other templates, or lists of them. Attributes need quotes. */
export function markup(strings, ...values) {
    return new Markup(strings.reduce((text, string, index) => text + escaped(values[index - 1]) + string));
}

function escaped(value) {
    if (value instanceof Markup) return value.text;
    if (Array.isArray(value)) return value.map(escaped).join("");
    return String(value ?? "").replace(/[&<>"']/g, (letter) => ESCAPES[letter]);
}
