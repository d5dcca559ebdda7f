/** The HTML of a session file. All that came from outside, such as labels and names, is text in it. */

import { notesFor } from "../images/notes.js";
import { duration, percent } from "../server/replies.js";
import { deploymentOf } from "../store.js";
import { paneName } from "../viewer/explanation/pane.js";
import { howTurned, proportions } from "../viewer/frame.js";
import { pathOf } from "../viewer/overlay.js";
import { thresholdOf } from "../viewer/threshold.js";
import { markup } from "./markup.js";
import { STYLE } from "./session_style.js";

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
const FIRST = 10; // rows of a table that are not folded

/**
 * Return a session as HTML.
 * @param {object} state of the page, whose images have `whole` and `smallOf` as data URLs
 * @param {{time: Date, address: string}} about when and where
 */
export function sessionPage(state, { time, address }) {
    const { algorithm, colourMap, sign, opacity } = state.choices;
    return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sightglass session of ${time.toISOString()}</title>
<style>${markup([STYLE])}</style>
</head>
<body>
<h1>Sightglass session</h1>
${factsOf([
    ["Saved", time.toISOString()],
    ["Server", address],
    ["Version", state.server.version],
    ["Algorithm", algorithm],
    ["Colours of maps", colourMap],
    ["Maps show", sign],
    ["Opacity of maps", opacity],
])}
${(state.catalog?.deployments ?? []).map(deploymentPart)}
${state.images.map((image) => imagePart(image, state))}
</body>
</html>
`;
}

function deploymentPart({ name, version, task, architecture, runtime, device, precision }) {
    return markup`<h2>Deployment ${name}</h2>
${factsOf([
    ["Version", version],
    ["Task", task],
    ["Network", architecture],
    ["Runs on", [device, runtime, precision].filter(Boolean).join(", ")],
])}`;
}

function factsOf(pairs) {
    const told = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
    return markup`<dl>${told.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function imagePart(image, state) {
    const size = image.width ? `${image.width} x ${image.height} pixels` : "";
    const answers = Object.values(image.answers);
    const facts = deploymentOf(state, answers[0]?.deployment);
    return markup`<section>
<h2>${image.name}</h2>
${factsOf([["Format", image.format], ["Size", size], ["Orientation", image.orientation > 1 ? image.orientation : ""]])}
${image.refusal ? markup`<p class="error">Not sent: ${image.refusal}</p>` : ""}
${notesFor(image, facts).map((note) => markup`<p>${note}</p>`)}
${answers.map((answer, index) => answerPart(image, answer, index === 0, state))}
${state.panes.filter((pane) => pane.imageId === image.id).map((pane) => mapPart(image, pane, state))}
</section>`;
}

function answerPart(image, answer, first, state) {
    const { deployment, prediction, error, ms } = answer;
    const facts = deploymentOf(state, deployment);
    const found = prediction?.kind === "labels" ? prediction.entries : (prediction?.objects ?? []);
    const threshold = thresholdOf(state, facts);
    const shown = prediction?.kind === "objects" ? found.filter(({ score }) => score >= threshold) : found;
    const pixels = first ? image.whole : image.smallOf[deployment];
    return markup`<h3>Scores by ${deployment}</h3>
${frame(image, pixels, facts, first, prediction?.kind === "objects" ? boxes(shown) : "")}
${factsOf([
    ["Time", Number.isFinite(ms) ? duration(ms) : ""],
    ["Request", answer.requestId],
    ["Threshold", prediction?.kind === "objects" ? threshold : ""],
])}
${error ? markup`<p class="error">${error.message}</p>` : ""}
${prediction?.kind === "other" ? markup`<pre>${JSON.stringify(answer.reply, null, 4)}</pre>` : table(shown)}`;
}

/** Return an image with what lies over it; an empty frame of its proportions where browsers cannot show it. */
function frame(image, pixels, facts, asStored, above) {
    const how = asStored ? howTurned(facts) : "turned";
    const shown = pixels
        ? markup`<img class="${how}" src="${pixels}" alt="${image.name}">`
        : markup`<p>Browsers do not show this image.</p>`;
    return markup`<div class="frame" style="aspect-ratio: ${proportions(image, facts)}">
${shown}
${above}</div>`;
}

function boxes(objects) {
    return markup`<svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">${objects.map(
        (object) => markup`<path class="edge" d="${pathOf(object)}"/><path d="${pathOf(object)}"/>`,
    )}</svg>${objects.map(
        ({ index, box }) =>
            markup`<span class="tag" style="left: ${share(box.topX)}%; top: ${share(box.topY)}%">${index + 1}</span>`,
    )}`;
}

function share(value) {
    return Number.isFinite(value) ? 100 * value : 0;
}

function table(found) {
    const rows = found.map(
        ({ index, label, score, box }, rank) => markup`<tr><td>${box ? index + 1 : rank + 1}</td><td>${label}</td>
<td>${percent(score)}</td>${box ? markup`<td>${corners(box)}</td>` : ""}</tr>`,
    );
    const head = found[0]?.box ? markup`<th>Left, top, right, bottom</th>` : "";
    const part = (some) => markup`<table><tr><th>No.</th><th>Label</th><th>Score</th>${head}</tr>${some}</table>`;
    if (rows.length <= 2 * FIRST) return rows.length ? part(rows) : "";
    const rest = markup`<details><summary>${rows.length - FIRST} more</summary>${part(rows.slice(FIRST))}</details>`;
    return markup`${part(rows.slice(0, FIRST))}${rest}`;
}

function corners({ topX, topY, bottomX, bottomY }) {
    return [topX, topY, bottomX, bottomY].map((value) => `${share(value).toFixed(1)} %`).join(", ");
}

function mapPart(image, pane, state) {
    const facts = deploymentOf(state, pane.deployment);
    const opacity = Number(state.choices.opacity);
    const map = pane.mapUrl
        ? markup`<img class="map" style="opacity: ${opacity}" src="${pane.mapUrl}" alt="heat map of ${paneName(pane)}">`
        : "";
    const above = markup`${map}${pane.box ? boxes([{ ...pane, index: 0 }]) : ""}`;
    return markup`<h3>Map of ${paneName(pane)}, ${pane.deployment}</h3>
${frame(image, image.smallOf[pane.deployment], facts, false, above)}
${factsOf([
    ["Score", percent(pane.score)],
    ["Time", Number.isFinite(pane.ms) ? duration(pane.ms) : ""],
    ["Completeness gap", pane.completenessGap],
    ["Quality", pane.quality ? JSON.stringify(pane.quality) : ""],
])}
${pane.error ? markup`<p class="error">${pane.error.message}</p>` : ""}
${(pane.notes ?? []).map((note) => markup`<p>${note}</p>`)}`;
}
