/** Asks again where the server says that a later try may succeed: busy, loading, restarting, shutting down. */

import { deploymentOf } from "../store.js";
import { isKnown } from "./descriptions.js";

const PASSING = new Set([
    "queue_full",
    "engine_unavailable",
    "draining",
    "too_many_connections",
    "unreachable",
]);
const LEAST_MS = 500;
const MOST_MS = 5_000;
const PATIENCE_MS = 600_000;
const LOOK_MS = 50;

/**
 * Call `ask` until it succeeds, is aborted, or fails for good; return what it returned.
 * @param {() => Promise} ask sends the request anew
 * @param {AbortSignal} signal ends the waiting, too
 * @param {(error: Error, retryAt: number) => void} onWait told before each pause, which ends at `retryAt` of Date.now()
 */
export async function withRetries(ask, signal, onWait) {
    const started = Date.now();
    for (let pause = LEAST_MS; ; pause = Math.min(MOST_MS, 2 * pause)) {
        try {
            return await ask();
        } catch (error) {
            if (!PASSING.has(error.code) || Date.now() - started > PATIENCE_MS) throw error;
            const ms = Math.max(error.retryAfterMs ?? 0, pause);
            onWait(error, Date.now() + ms);
            await sleep(ms, signal);
        }
    }
}

/**
 * Wait until the server says that a deployment can answer, since a question sent before would only be refused; and until
 * it has told what the deployment can do, which a question depends on. Returns that description.
 */
export async function untilReady(store, deployment, signal) {
    for (;;) {
        const { server } = store.state;
        const facts = deploymentOf(store.state, deployment);
        const refuses = server.deployments.find((each) => each.name === deployment)?.ready === false;
        if (server.reachable && !server.draining && !refuses && facts && isKnown(facts)) return facts;
        await sleep(LOOK_MS, signal);
    }
}

/** Wait, or throw the reason of a signal that ends the waiting. */
export function sleep(ms, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(done, ms);
        function done() {
            signal?.removeEventListener("abort", ended);
            resolve();
        }
        function ended() {
            clearTimeout(timer);
            reject(signal.reason);
        }
        if (signal?.aborted) ended();
        else signal?.addEventListener("abort", ended, { once: true });
    });
}
