// The model card: where the model comes from, what was proven of it, and which bytes it is.
import { bytesText, counted, element, shortNumber, tamed } from "./elements.js";
import { isUsed } from "./schema.js";

/** Pairs of <dt> and <dd>. */
export function card(app) {
  return facts(app).flatMap(([name, ...lines]) => [
    element("dt", {}, name),
    element("dd", {}, ...lines.filter(Boolean).map((line) => element("p", {}, line))),
  ]);
}

function facts({ manifest, file, parity, goldens, runtime, edge_infer: version }) {
  const { source, needs } = manifest;
  const versions = Object.entries(source.versions)
    .map(([name, number]) => `${name} ${number}`)
    .join(", ");
  const unused = manifest.inputs.columns.filter((column) => !isUsed(column)).map((column) => column.name);
  return [
    ["Model", `${manifest.name} ${manifest.version}, release ${manifest.release}`, manifest.task.replaceAll("_", " ")],
    ...told(manifest),
    ["Made from", `${source.framework}: ${source.estimator}`, versions && `with ${versions}`],
    [
      "Inputs",
      counted(manifest.inputs.columns.length, "column"),
      unused.length > 0 && `no answer depends on: ${some(unused)}`,
    ],
    ["Precision", `${manifest.precision}: ${manifest.precision_reason}`],
    ["Parity with the original", ...parityLines(parity)],
    [
      "Golden rows",
      goldens ? `${counted(goldens.rows.length, "row")}; the self-test above runs them here` : "none in this file",
    ],
    ["Privacy", privacy(manifest, file)],
    ...missingMethods(manifest.missing_methods),
    ["File", `${file.name}, ${bytesText(file.bytes)} (${counted(file.bytes, "byte")}), ${counted(file.nodes, "node")}`],
    ["sha256", file.sha256],
    [
      "Runs by",
      `${runtime}, exported by edge-infer ${version}`,
      `opsets ${Object.entries(needs.opsets)
        .map(([name, number]) => `${name || "ai.onnx"} ${number}`)
        .join(", ")}`,
    ],
  ];
}

/** What the model's author states, where it is stated. */
function told({ description, license, metrics }) {
  const lines = [];
  if (description != null) lines.push(["Description", ...tamed(description).split("\n")]);
  if (license != null) lines.push(["License", tamed(license)]);
  if (metrics?.length)
    lines.push([
      "Metrics, as stated",
      ...metrics.map(({ type, value, dataset }) => tamed(`${type} ${shortNumber(Number(value))} on ${dataset}`)),
    ]);
  return lines;
}

const some = (names) => names.slice(0, 20).join(", ") + (names.length > 20 ? ", …" : "");

function parityLines(parity) {
  if (parity === null) return ["no certificate in this file"];
  const lines =
    typeof parity.rows === "number"
      ? [`${counted(parity.rows, "probe row")} compared before the model was written`]
      : [];
  for (const [method, result] of Object.entries(parity.outputs ?? {})) {
    const same = result.borderline > 0 ? `equal but for ${counted(result.borderline, "near tie")}` : "all equal";
    const parts = [result.differing === 0 ? same : `${result.differing ?? "unknown"} differ`];
    if (result.worst > 0) parts.push(`largest difference ${shortNumber(result.worst)}`);
    if (result.relative > 0) parts.push(`allowed ${shortNumber(result.relative)}`);
    lines.push(`${method}: ${parts.join(", ")}`);
  }
  if (typeof parity.borderline === "number" && parity.borderline > 0)
    lines.push(
      `${counted(parity.borderline, "near tie")} decided otherwise: there the original's own best two scores agree ` +
        "within the tolerance, and either answer is right",
    );
  if (typeof parity.proof?.trees === "number") lines.push(`${counted(parity.proof.trees, "tree")} proven node by node`);
  return lines;
}

function privacy({ training_rows: rows }, { described }) {
  if (!described) return "unknown: the file does not say how many training rows it holds";
  return rows
    ? `${counted(rows, "training row")} inside the model, and so in this app`
    : "no training rows inside the model";
}

function missingMethods(reasons) {
  const lines = Object.entries(reasons).map(([method, reason]) => `${method}: ${reason}`);
  return lines.length ? [["Not in this file", ...lines]] : [];
}
