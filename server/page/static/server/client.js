/** Requests to this server. The key, where there is one, is kept in memory and goes nowhere but into its header. */

const NO_ANSWER =
    "The server cannot be reached. It may be starting again, or the connection is interrupted; the page keeps trying.";

/** A request that failed, in the words of the reply. */
export class RequestError extends Error {
    /**
     * @param {string} message what was given, what was expected, what to do
     * @param {{code?: string, status?: number, requestId?: string, details?: object[], retryAfterMs?: number}} facts
     */
    constructor(message, { code = "", status = 0, requestId = "", details = [], retryAfterMs = 0 } = {}) {
        super(message);
        Object.assign(this, { code, status, requestId, details, retryAfterMs });
    }
}

class Client {
    #key = "";

    /** Whether somebody gave a key. */
    get hasKey() {
        return this.#key !== "";
    }

    /** Keep a key until the page is closed; "" forgets it. */
    useKey(key) {
        this.#key = key.trim();
    }

    /**
     * Send a request below the address of the page, and return the response.
     * RequestError where it fails; a DOMException named AbortError where `signal` ended it.
     */
    async request(path, { method = "GET", headers = {}, body, signal } = {}) {
        const all = this.#key ? { ...headers, authorization: `Bearer ${headerText(this.#key)}` } : headers;
        let response;
        try {
            response = await fetch(addressOf(path), { method, headers: all, body, signal, credentials: "same-origin" });
        } catch (error) {
            if (error.name === "AbortError") throw error;
            throw new RequestError(NO_ANSWER, { code: "unreachable" });
        }
        if (!response.ok) throw await failureOf(response);
        return response;
    }
}

export const client = new Client();

/** Return the whole address of a path of the server, which may stand below a prefix. */
export function addressOf(path) {
    return new URL(path, document.baseURI).href;
}

/** Return a text as the characters whose codes are its bytes in UTF-8, which is how a header carries it. */
function headerText(text) {
    return String.fromCharCode(...new TextEncoder().encode(text));
}

async function failureOf(response) {
    const retryAfterMs = 1000 * (Number.parseFloat(response.headers.get("retry-after")) || 0);
    const status = response.status;
    let found = null;
    try {
        found = await response.json();
    } catch (error) {
        if (error.name === "AbortError") throw error;
    }
    if (typeof found?.message !== "string") {
        const words = `${status} ${response.statusText}`.trim();
        return new RequestError(`Something between this page and the server answered ${words}.`, {
            code: status >= 500 ? "unreachable" : "",
            status,
            retryAfterMs,
        });
    }
    const { message, code, request_id: requestId, details } = found;
    return new RequestError(message, { code, status, requestId, details, retryAfterMs });
}

/** Return the stages of a response, `[{name, ms}]`, from its Server-Timing header. */
export function stagesOf(response) {
    return (response.headers.get("server-timing") ?? "")
        .split(",")
        .map((part) => /^\s*([\w-]+);dur=([\d.]+)/.exec(part))
        .filter(Boolean)
        .map(([, name, ms]) => ({ name, ms: Number(ms) }));
}
