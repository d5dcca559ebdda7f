// Scores and explains images by the types that openapi-typescript makes of the server's own description.
// node score.js URL IMAGE: prints a JSON object with what the models of all tasks say.
import { readFileSync } from "node:fs";

import createClient from "openapi-fetch";

import type { components, paths } from "./sightglass.js";

type Prediction = components["schemas"]["Prediction"];

const [url, file] = process.argv.slice(2) as [string, string];
const image = readFileSync(file).toString("base64");
const client = createClient<paths>({ baseUrl: url });

async function scored(deployment: string, xaiAlgorithm?: "gradcam"): Promise<Prediction> {
  const { data, error } = await client.POST("/score", {
    params: { header: { "azureml-model-deployment": deployment } },
    body: {
      input_data: xaiAlgorithm
        ? [{ image_base64: image, model_explainability: true, xai_parameters: { xai_algorithm: xaiAlgorithm, n_steps: 8 } }]
        : { columns: ["image"], index: [0], data: [image] },
    },
  });
  if (error) throw new Error(`${error.code}: ${error.message}`);
  if (!Array.isArray(data)) throw new Error("version 2 replies with an array");
  return data[0];
}

function best(prediction: Prediction): string | number {
  const { probs = [], labels = [] } = prediction;
  return labels[probs.indexOf(Math.max(...probs))];
}

const multiclass = await scored("fridge");
const multilabel = await scored("multilabel");
const detection = await scored("objects");
const segmentation = await scored("segmentation");
const explained = await scored("fridge", "gradcam");
const inferred = await client.POST("/v2/models/{model}/infer", {
  params: { path: { model: "fridge" } },
  body: { inputs: [{ name: "image", datatype: "BYTES", shape: [1], data: [image] }] },
});
const refused = await client.POST("/score", { body: { image: "no image" } });
console.log(
  JSON.stringify({
    multiclass: best(multiclass),
    multilabel: multilabel.probs,
    detection: detection.boxes?.map((found) => [found.label, found.box.topX]),
    segmentation: segmentation.boxes?.map((found) => [found.label, found.polygon?.[0].length]),
    explained: explained.explanations?.[0].xai_algorithm,
    drawn: typeof explained.visualizations === "string" ? explained.visualizations.length : null,
    inferred: inferred.data?.outputs.map((output) => output.name),
    refused: refused.error?.code,
  }),
);
