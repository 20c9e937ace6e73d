// Answers as a picture: the label or number in large, probabilities as bars with their values beside them.
import { element, shortNumber } from "./elements.js";
import { labelText, mainOutputs } from "./table.js";

const MOST_BARS = 12; // probabilities that are shown at once
const NAMES = {
  predict: "Prediction",
  predict_proba: "Probabilities",
  decision_function: "Decision function",
  score_samples: "Scores",
  transform: "Transformed",
};

/** Elements that show one row's answers. */
export function answerPicture({ outputs, task }, answers) {
  const prediction = outputs.find(({ method }) => method === "predict");
  const main = mainOutputs(outputs);
  const shown = main.flatMap((output) => picture(output, answers[output.method], prediction, answers.predict, task));
  const others = outputs.filter((output) => !main.includes(output));
  if (!others.length) return shown;
  const details = element("details", {}, element("summary", {}, "Other outputs"));
  details.append(
    ...others.flatMap((output) => picture(output, answers[output.method], prediction, answers.predict, task)),
  );
  return [...shown, details];
}

function picture(output, value, prediction, predicted, task) {
  if (output.method === "predict") return headline(value, task);
  const title = element("h3", {}, NAMES[output.method]);
  if (output.method !== "predict_proba") return [title, numbers([value].flat(Infinity))];
  const classes = prediction?.classes ?? [];
  const parts = output.listed ? value : [value];
  const labels = [predicted].flat();
  return [
    title,
    ...parts.flatMap((part, column) => probabilities(part, classes[column], labels[column], parts.length, column)),
  ];
}

function headline(value, task) {
  if (Array.isArray(value)) {
    const items = value.flat(Infinity).map((one, i) => element("li", {}, `${i}: `, element("strong", {}, shown(one))));
    return [element("ol", { class: "several", "aria-label": "Predictions" }, ...items)];
  }
  const note = task === "outlier_detection" ? { 1: "an inlier", "-1": "an outlier" }[value] : null;
  const exact = typeof value === "number" && shown(value) !== String(value) ? `exactly ${value}` : note;
  return [
    element(
      "p",
      { class: "headline" },
      element("span", { id: "prediction", "data-value": String(value) }, shown(value)),
    ),
    ...(exact ? [element("p", { class: "note" }, exact)] : []),
  ];
}

const shown = (value) => (typeof value === "number" ? shortNumber(value) : labelText(value));

function probabilities(part, classes, predicted, columns, column) {
  const named = part.map((p, i) => ({ p, label: classes?.length === part.length ? labelText(classes[i]) : String(i) }));
  named.sort((a, b) => b.p - a.p);
  const title = columns > 1 ? [element("h4", {}, `Output ${column}`)] : [];
  const list = (some) => element("ul", { class: "bars" }, ...some.map((one) => bar(one, labelText(predicted ?? ""))));
  if (named.length <= MOST_BARS) return [...title, list(named)];
  const rest = element("details", {}, element("summary", {}, `The other ${named.length - MOST_BARS}`));
  rest.append(list(named.slice(MOST_BARS)));
  return [...title, list(named.slice(0, MOST_BARS)), rest];
}

/** The value stands in text too, so that the bar itself is only a picture. */
function bar({ p, label }, predicted) {
  const fill = element("span", { class: "fill" });
  fill.style.inlineSize = `${Math.min(100, Math.max(0, p * 100))}%`;
  return element(
    "li",
    { class: label === predicted ? "bar chosen" : "bar" },
    element("span", { class: "label" }, label),
    element("span", { class: "value", "data-value": String(p) }, percent(p)),
    element("span", { class: "track", "aria-hidden": "true" }, fill),
  );
}

/** 99.97 % must not read as 100 %. */
function percent(p) {
  const text = (p * 100).toFixed(p > 0.99 && p < 1 ? 3 : 1);
  return `${p < 1 && Number(text) === 100 ? ">99.999" : text} %`;
}

function numbers(values) {
  return element("ol", { class: "numbers", start: "0" }, ...values.map((value) => element("li", {}, shown(value))));
}
