/** Asks why: a fast map first, then the asked one. A new question to a pane cancels its old one. */

import { currentPanes, deploymentOf, panePatch } from "../store.js";
import { ask, failure } from "./asking.js";
import { leastScore, scoreRequest } from "./scoring.js";

/** Panes beside each other at most. */
export const MOST_PANES = 4;
const MOST_KEPT = 60;
const FAST = ["odam", "gradcam"]; // tell labels apart, and take two passes

/** Return the algorithms that can explain a deployment; none where the server cannot explain it. */
export function algorithmsOf(facts) {
    return facts?.algorithms ?? [];
}

/** Return the name of the algorithm that is asked for: the chosen one, where the deployment has it. */
function chosenAlgorithm(facts, name) {
    const all = algorithmsOf(facts);
    return (all.find((each) => each.name === name) ?? all.find((each) => each.default) ?? all[0])?.name ?? null;
}

/** Opens panes, asks for their maps, and keeps the answers. */
export class Explaining {
    #store;
    #controllers = new Map(); // pane id -> AbortController
    #kept = new Map(); // question as text -> answer
    #nextId = 1;

    constructor(store) {
        this.#store = store;
    }

    /**
     * Explain a label or an object of the current image.
     * @param {{deployment: string, target: number, label: string, score: number, box?: object, algorithm?: string}} question
     * @param {{beside?: boolean}} options beside: in a further pane, where there is room, instead of the last one
     */
    explain(question, { beside = false } = {}) {
        const { state } = this.#store;
        const panes = currentPanes(state);
        const facts = deploymentOf(state, question.deployment);
        const asked = question.algorithm ?? state.choices.algorithm;
        if (!beside || panes.length === MOST_PANES) this.closeAll((pane) => pane === panes.at(-1));
        const pane = {
            id: this.#nextId++,
            imageId: state.currentId,
            ...question,
            algorithm: chosenAlgorithm(facts, asked),
        };
        this.#store.update(({ panes: others }) => ({ panes: [...others, pane] }));
        this.#ask(pane.id);
    }

    /** Change the question of a pane: its algorithm, target or deployment. */
    change(id, question) {
        const pane = this.#store.state.panes.find((each) => each.id === id);
        if (!pane) return;
        const facts = deploymentOf(this.#store.state, question.deployment ?? pane.deployment);
        const algorithm = chosenAlgorithm(facts, question.algorithm ?? pane.algorithm);
        this.#store.update((state) => panePatch(state, id, { ...question, algorithm }));
        this.#ask(id);
    }

    /** Close a pane, and cancel what it asks. */
    close(id) {
        this.closeAll((pane) => pane.id === id);
    }

    /** Ask all panes again, after the colours or the sign were chosen anew. */
    askAll() {
        this.#store.state.panes.forEach((pane) => this.#ask(pane.id));
    }

    /** Close the panes for which `chosen(pane)` holds, such as those of a removed image. */
    closeAll(chosen) {
        for (const pane of this.#store.state.panes.filter(chosen)) {
            this.#controllers.get(pane.id)?.abort();
            this.#controllers.delete(pane.id);
        }
        this.#store.update((state) => ({ panes: state.panes.filter((pane) => !chosen(pane)) }));
    }

    async #ask(id) {
        this.#controllers.get(id)?.abort();
        const controller = new AbortController();
        this.#controllers.set(id, controller);
        const pane = this.#store.state.panes.find((each) => each.id === id);
        const facts = deploymentOf(this.#store.state, pane.deployment);
        if (!pane.algorithm) {
            this.#show(id, { state: "done", mapUrl: null, shown: null, error: null, notes: [] });
            return;
        }
        const known = this.#kept.has(this.#question(pane, pane.algorithm).text);
        const algorithms = known ? [pane.algorithm] : stepsOf(facts, pane.algorithm);
        this.#show(id, { state: "waiting", mapUrl: null, shown: null, error: null, notes: [] });
        for (const name of algorithms) {
            const last = name === pane.algorithm;
            try {
                const answer = await this.#answer(pane, name, controller.signal);
                if (controller.signal.aborted) return;
                this.#show(id, { ...answer, state: last ? "done" : "waiting", provisional: !last, error: null });
            } catch (error) {
                if (error.name === "AbortError") return;
                const failed = failure(this.#store, error);
                if (last) this.#show(id, failed);
            }
        }
    }

    async #answer(pane, algorithm, signal) {
        const question = this.#question(pane, algorithm);
        const known = this.#kept.get(question.text);
        if (known) return known;
        const show = (change) => this.#show(pane.id, change);
        const found = await ask(this.#store, pane, () => question.request, signal, show);
        const answer = { ...mapOf(found.reply), ...measured(found), shown: algorithm, request: question.request };
        this.#kept.set(question.text, answer);
        if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value);
        return answer;
    }

    #question(pane, algorithm) {
        const facts = deploymentOf(this.#store.state, pane.deployment);
        const { colourMap, sign } = this.#store.state.choices;
        const parameters = {
            xai_algorithm: algorithm,
            target: [pane.target],
            visualization: "heatmap",
            captions: false,
            extent: "picture",
            colour_map: colourMap,
            sign,
        };
        const request = scoreRequest(facts, pane.deployment, {
            model_explainability: true,
            xai_parameters: parameters,
        });
        const version = facts?.version;
        return { request, text: JSON.stringify([pane.imageId, pane.deployment, version, leastScore(facts), parameters]) };
    }

    #show(id, change) {
        this.#store.update((state) => panePatch(state, id, change));
    }
}

/** Return the algorithms to ask one after the other: the fastest one that tells labels apart, then the asked one. */
function stepsOf(facts, asked) {
    const passes = new Map(algorithmsOf(facts).map((each) => [each.name, each.passes]));
    const fast = FAST.find((name) => passes.has(name) && passes.get(name) < passes.get(asked));
    return fast ? [fast, asked] : [asked];
}

function mapOf(reply) {
    const found = [reply?.visualizations].flat()[0];
    return { mapUrl: found ? `data:image/png;base64,${found}` : null };
}

function measured({ reply, ms, stages }) {
    const explanation = reply?.explanations?.[0] ?? {};
    return {
        ms,
        stages,
        nSteps: explanation.n_steps ?? null,
        completenessGap: explanation.completeness_gap ?? null,
        agreement: explanation.agreement ?? null,
        forwardPasses: explanation.forward_passes ?? null,
        energyInBox: explanation.energy_in_box ?? null,
        energyInMask: explanation.energy_in_mask ?? null,
        quality: explanation.quality ?? null,
        notes: explanation.notes ?? [],
    };
}
