// Answers to records: node predict.js MODEL RECORDS.json      (a record, or a list of them; null is a missing value)
import { readFile } from "node:fs/promises";
import { EdgeModel } from "./edge-model.js";

const NAMES = { predict: "prediction", predict_proba: "probabilities" };

/** What JSON has no number for, as text. */
function shown(_, value) {
  return typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)) ? String(value) : value;
}

try {
  const [model, records] = process.argv.slice(2);
  if (!records) throw new Error("usage: node predict.js MODEL RECORDS.json");
  const loaded = await EdgeModel.load(model);
  const data = JSON.parse(await readFile(records, "utf8"));
  const answers = {};
  for (const { method } of loaded.manifest.outputs) {
    answers[NAMES[method] ?? method] = await loaded.answer(method, data);
  }
  console.log(JSON.stringify(answers, shown));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
