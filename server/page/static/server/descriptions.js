/** Descriptions: what the server has told about its deployments. */

/** Whether a description tells what a model can do; while its engine starts, the server does not know. */
export function isKnown({ kind, architecture }) {
    return kind !== "model" || architecture !== "";
}

/** Whether a deployment finds objects, so that targets of explanations are these, and no labels. */
export function findsObjects(facts) {
    return typeof facts?.score_threshold === "number";
}

/** Return the description of before for a model whose engine is being started again. */
export function lastKnown(described, catalog) {
    const before = catalog?.deployments.find(({ name, version }) => name === described.name && version === described.version);
    return isKnown(described) ? described : (before ?? described);
}
