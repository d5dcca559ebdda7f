/** Starts the page: the state, what changes it, and what is drawn from it. */

import { readLink, writeLink } from "./exchange/link.js";
import { saveScores } from "./exchange/score_table.js";
import { saveSession } from "./exchange/session_file.js";
import { readImageFile } from "./images/image_file.js";
import { installIntake } from "./intake/intake.js";
import { client } from "./server/client.js";
import { Explaining } from "./server/explaining.js";
import { pollServer, refresh } from "./server/polling.js";
import { Scoring } from "./server/scoring.js";
import { INITIAL, MOST_IMAGES, createStore, imagePatch } from "./store.js";
import { render } from "./vendor/lit-html.js";
import { appView } from "./views/app.js";
import { installViewerKeys } from "./viewer/keys.js";
import { FITTED } from "./viewer/zoom.js";

const OF_MAPS = ["colourMap", "sign"];

const store = createStore({ ...INITIAL, choices: { ...INITIAL.choices, ...readLink() } });
const scoring = new Scoring(store);
const explaining = new Explaining(store);
let nextImageId = 1;

const actions = {
    async addFiles(files) {
        const room = MOST_IMAGES - store.state.images.length;
        const taken = [...files].slice(0, room);
        if (taken.length < files.length) {
            actions.say(`The strip holds ${MOST_IMAGES} images; remove some to add more.`, "error");
        }
        for (const file of taken) {
            const image = await readImageFile(file, file.name ?? "pasted image", store.state.catalog?.limits);
            const id = nextImageId++;
            const first = file === taken[0];
            store.update((state) => ({ images: [...state.images, { ...image, id, answers: {} }] }));
            if (first) actions.selectImage(id);
            scoring.askAll();
        }
    },
    async addSample(name) {
        try {
            const response = await client.request(`ui/samples/${encodeURIComponent(name)}`);
            await actions.addFiles([new File([await response.blob()], name)]);
        } catch (error) {
            actions.say(error.message, "error");
        }
    },
    selectImage(id) {
        if (id === store.state.currentId) return;
        store.update({ currentId: id, lit: null, zoom: FITTED });
    },
    removeImage(id) {
        const { images, currentId } = store.state;
        const place = images.findIndex((image) => image.id === id);
        const left = images.filter((image) => image.id !== id);
        const url = images[place]?.url;
        explaining.closeAll((pane) => pane.imageId === id);
        store.update({ images: left });
        if (id === currentId) actions.selectImage(left[Math.min(place, left.length - 1)]?.id ?? null);
        scoring.askAll();
        if (url) URL.revokeObjectURL(url);
    },
    choose(change) {
        const before = store.state.choices;
        const differs = (name) => name in change && change[name] !== before[name];
        store.update({ choices: { ...before, ...change } });
        if (differs("deployment")) explaining.closeAll(() => true);
        if (differs("deployment") || differs("beside")) scoring.askAll();
        if (OF_MAPS.some(differs)) explaining.askAll();
    },
    explain(question, options) {
        explaining.explain(question, options);
        // After it is drawn; on small screens it begins below what is seen
        queueMicrotask(() => document.getElementById("why")?.scrollIntoView({ block: "nearest" }));
    },
    setPane: (id, question) => explaining.change(id, question),
    closePane: (id) => explaining.close(id),
    askAgain: (imageId, deployment) => scoring.ask(imageId, deployment),
    light(index) {
        if (index !== store.state.lit) store.update({ lit: index });
    },
    setZoom: (zoom) => store.update({ zoom }),
    hide(hidden) {
        if (hidden !== store.state.hidden) store.update({ hidden });
    },
    async giveKey(text) {
        client.useKey(text);
        store.update({ asksKey: false, catalog: null });
        await refresh(store);
        if (!store.state.asksKey) askFailedAgain();
    },
    forgetKey() {
        client.useKey("");
        store.update({ asksKey: store.state.server.keys ? "needed" : false, catalog: null });
    },
    say: (text, kind = "info") => store.update({ notice: text ? { text, kind } : null }),
    toggleHelp: () => store.update((state) => ({ help: !state.help })),
    saveSession: () => saveSession(store.state),
    saveScores: () => saveScores(store.state),
};

/** Forget the answers that failed, for instance for want of a key, and ask again. */
function askFailedAgain() {
    for (const image of store.state.images) {
        store.update((state) => imagePatch(state, image.id, ({ answers }) => ({ answers: succeeded(answers) })));
    }
    scoring.askAll();
    explaining.askAll();
}

function succeeded(answers) {
    return Object.fromEntries(Object.entries(answers).filter(([, answer]) => answer.state !== "failed"));
}

/** Ask about images that came before the server had told what it serves, and about all where it serves another model. */
function askNew() {
    let served = null;
    store.subscribe(({ catalog }) => {
        const now = catalog && modelsOf(catalog);
        if (!catalog || now === served) return;
        const changed = served !== null;
        served = now;
        if (changed) {
            store.update((state) => ({ images: state.images.map((image) => ({ ...image, answers: {} })) }));
            explaining.closeAll(() => true);
        }
        scoring.askAll();
    });
}

/** Return what makes answers differ; a runtime that is found while serving gives the same scores. */
function modelsOf({ deployments }) {
    return JSON.stringify(deployments.map(({ runtime, precision, device, ...model }) => model));
}

store.subscribe((state) => render(appView(state, actions), document.getElementById("page")));
store.subscribe((state) => writeLink(state.choices));
window.addEventListener("hashchange", () => actions.choose(readLink()));
askNew();
installIntake(actions, store);
installViewerKeys(actions, store);
store.update({});
pollServer(store);
