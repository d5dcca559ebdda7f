/** A request as a Python program that needs nothing but Python. */

import { IMAGE } from "../server/asking.js";
import { titled } from "./curl_code.js";

const NAMES = new Map([
    [true, "True"],
    [false, "False"],
    [null, "None"],
]);
const WIDEST = 100;

/**
 * Return a program that sends a request anew from the image's file and prints the reply.
 * @param {{headers: object, body: object}} request with IMAGE in the place of the image
 * @param {{url: string, fileName: string, needsKey: boolean}} about the key is read from the environment
 */
export function pythonCode({ headers, body }, { url, fileName, needsKey }) {
    const shown = Object.entries(headers).map(
        ([name, value]) => `    ${pythonText(titled(name))}: ${pythonText(value)},`,
    );
    const lines = [
        "import base64",
        "import json",
        ...(needsKey ? ["import os"] : []),
        "from pathlib import Path",
        "from urllib.request import Request, urlopen",
        "",
        `image = base64.b64encode(Path(${pythonText(fileName)}).read_bytes()).decode()`,
        `body = ${pythonValue(body, "")}`,
        "headers = {",
        ...shown,
        ...(needsKey ? ['    "Authorization": "Bearer " + os.environ["KEY"],'] : []),
        "}",
        `request = Request(${pythonText(url)}, json.dumps(body).encode(), headers)`,
        "with urlopen(request) as reply:",
        "    print(json.dumps(json.load(reply), indent=4))",
    ];
    return `${lines.join("\n")}\n`;
}

/** Return a text as a literal of Python, which reads the escapes of JSON as JSON does. */
function pythonText(text) {
    return JSON.stringify(text);
}

/** Return a value of JSON as an expression of Python, with the variable `image` in the place of the image. */
function pythonValue(value, indent) {
    if (value === IMAGE) return "image";
    if (NAMES.has(value)) return NAMES.get(value);
    if (typeof value !== "object") return pythonText(value);
    const deeper = `${indent}    `;
    const [open, close] = Array.isArray(value) ? "[]" : "{}";
    const parts = Array.isArray(value)
        ? value.map((each) => pythonValue(each, deeper))
        : Object.entries(value).map(([key, each]) => `${pythonText(key)}: ${pythonValue(each, deeper)}`);
    const line = `${open}${parts.join(", ")}${close}`;
    if (line.length + indent.length <= WIDEST && !line.includes("\n")) return line;
    return `${open}\n${parts.map((part) => `${deeper}${part},\n`).join("")}${indent}${close}`;
}
