/** A request as a shell command with curl. */

import { aroundImage } from "../server/asking.js";

/**
 * Return a command for a POSIX shell that sends a request anew from the image's file.
 * @param {{headers: object, body: object}} request with IMAGE in the place of the image
 * @param {{url: string, fileName: string, needsKey: boolean}} about the key itself is never written: `$KEY` is
 */
export function curlCode({ headers, body }, { url, fileName, needsKey }) {
    const [before, after] = aroundImage(body);
    const lines = [
        `image=$(base64 < ${shellText(fileName)} | tr -d '\\n')`,
        `printf '%s' ${shellText(before)} "$image" ${shellText(after)} | curl ${shellText(url)} \\`,
        ...(needsKey ? [`    -H "Authorization: Bearer $KEY" \\`] : []),
        ...Object.entries(headers).map(([name, value]) => `    -H ${shellText(`${titled(name)}: ${value}`)} \\`),
        "    --data-binary @-",
    ];
    return `${lines.join("\n")}\n`;
}

/** Return a text as one word of a shell: in single quotes nothing but the quote itself means anything. */
export function shellText(text) {
    return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Return a header's name as people write it. */
export function titled(name) {
    return name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
}
