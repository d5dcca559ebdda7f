/** Keeps the state of the server, and what its deployments can do, up to date. */

import { client } from "./client.js";
import { lastKnown } from "./descriptions.js";
import { sleep } from "./retries.js";

const READY_MS = 2_000;
const WAITING_MS = 700;
const HIDDEN_MS = 10_000;

/** Ask for the state for as long as the page is open. */
export async function pollServer(store) {
    for (;;) {
        await refresh(store);
        const { reachable, ready } = store.state.server;
        const pause = reachable && ready ? READY_MS : WAITING_MS;
        await sleep(document.hidden ? HIDDEN_MS : pause);
    }
}

/** Ask once, and for the catalog too where it changed. */
export async function refresh(store) {
    let found;
    try {
        found = await (await client.request("ui/state")).json();
    } catch {
        store.update((state) => ({ server: { ...state.server, reachable: false, ready: false } }));
        return;
    }
    const page = store.state.server.page ?? found.page;
    store.update({ server: { ...found, page, outdated: found.page !== page, reachable: true } });
    await refreshCatalog(store);
}

async function refreshCatalog(store) {
    const { server, asksKey, catalog } = store.state;
    const version = server.deployments.map((each) => `${each.name} ${each.version} ${each.facts}`).join("\n");
    if (catalog?.version === version && !asksKey) return;
    if (server.keys && !client.hasKey) {
        if (!asksKey) store.update({ asksKey: "needed" });
        return;
    }
    try {
        const found = await (await client.request("ui/deployments")).json();
        const deployments = found.deployments.map((each) => lastKnown(each, store.state.catalog));
        store.update((state) => ({ catalog: { ...found, deployments, version }, asksKey: false, ...known(state, found) }));
    } catch (error) {
        if (error.code === "unauthorized") {
            client.useKey("");
            store.update({ asksKey: "wrong" });
        }
    }
}

/** Choose the deployment with the most traffic where none is chosen, or the chosen one is gone. */
function known(state, catalog) {
    const names = new Set(catalog.deployments.map((each) => each.name));
    const traffic = new Map(state.server.deployments.map((each) => [each.name, each.traffic]));
    const byTraffic = [...names].sort((one, other) => (traffic.get(other) ?? 0) - (traffic.get(one) ?? 0));
    const { deployment, beside } = state.choices;
    const choices = {
        ...state.choices,
        deployment: names.has(deployment) ? deployment : (byTraffic[0] ?? null),
        beside: names.has(beside) ? beside : null,
    };
    return { choices };
}
