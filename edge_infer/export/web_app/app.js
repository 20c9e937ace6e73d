// The page: its parts are loaded and put together here.
import { card } from "./card.js";
import { byId, counted, element, shortNumber } from "./elements.js";
import { asked, Form, remarks } from "./form.js";
import { replay } from "./goldens.js";
import { Model } from "./model.js";
import { keepOffline } from "./offline.js";
import { isSingleFile, part, unpacked } from "./parts.js";
import { answerPicture } from "./picture.js";
import { Rows } from "./rows.js";
import { readDocument } from "./schema.js";

const MOST_REMARKS = 5; // beside an answer
const MANY_FIELDS = 16; // more stand closer together

/** Trouble that stops the app, told where a reader looks first. */
function tellTrouble(error) {
  const place = byId("trouble");
  place.textContent = `This app cannot run: ${error.message}`;
  place.hidden = false;
  tellRuntime("none", "The model could not be loaded");
  console.error(error);
}

function tellRuntime(state, text) {
  const place = byId("runtime-state");
  place.dataset.state = state;
  place.textContent = text;
}

async function loadModel(manifest) {
  const packed = isSingleFile() ? part("model").then(unpacked) : part("model");
  const [bytes, wasm] = await Promise.all([packed, part("runtime").then(unpacked)]);
  const model = await Model.load(manifest, bytes, wasm);
  tellRuntime("ready", "Model loaded");
  return model;
}

function describe({ manifest, goldens }) {
  byId("subtitle").textContent = `${manifest.name} ${manifest.version}, ${manifest.task.replaceAll("_", " ")}`;
  const names = asked(manifest.inputs).map((column) => column.name);
  const listed = names.slice(0, 12).join(", ") + (names.length > 12 ? ", …" : "");
  byId("csv-note").textContent =
    `Columns by name, in any order: ${listed}. Nothing is uploaded: it is read in this browser.`;
  byId("test-note").textContent = goldens
    ? `${counted(goldens.rows.length, "golden row")} travel with the model, with the original’s answers. ` +
      "They are run in this browser and compared."
    : "This model has no golden rows.";
  byId("test-button").disabled = !goldens;
}

function connectForm(app, model) {
  const form = new Form(app.manifest.inputs);
  byId("fields").replaceChildren(...form.elements);
  byId("fields").classList.toggle("dense", form.elements.length > MANY_FIELDS);
  byId("form-note").textContent = form.tooWide
    ? `The model takes ${counted(form.columns.length, "column")}, too many for a form: give rows as a CSV below.`
    : "";
  byId("answer-button").disabled = form.tooWide;
  byId("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await answer(form, app, await model);
    } catch (error) {
      byId("answer-body").replaceChildren(element("p", { class: "trouble" }, error.message));
      console.error(error);
    }
  });
  byId("form").addEventListener("reset", () => {
    setTimeout(() => form.refresh()); // when the browser has emptied it
  });
  connectExamples(form, app.goldens);
}

async function answer(form, app, model) {
  const { row, problems } = form.read(model.packer);
  form.show(problems);
  if (problems.size) {
    const list = [...problems].map(([field, message]) => element("li", {}, `${field.column.name}: ${message}`));
    byId("answer-body").replaceChildren(
      element(
        "p",
        {},
        `The input does not fit the model’s schema (${counted(problems.size, "mismatch", "mismatches")}):`,
      ),
      element("ul", { class: "refused" }, ...list),
    );
    return;
  }
  const [answers] = await model.answers([row]);
  const told = remarks(form.columns, row);
  if (told.length > MOST_REMARKS) told.splice(MOST_REMARKS, Infinity, `… and ${told.length - MOST_REMARKS} more.`);
  const notes = told.map((text) => element("p", { class: "note" }, text));
  byId("answer-body").replaceChildren(...answerPicture(app.manifest, answers), ...notes);
  byId("answer").scrollIntoView({ block: "nearest" });
}

/** The golden rows one after another. */
function connectExamples(form, goldens) {
  const button = byId("example-button");
  let next = 0;
  button.hidden = !goldens || form.tooWide;
  button.addEventListener("click", () => {
    form.fill(goldens.rows[next % goldens.rows.length]);
    next += 1;
    button.textContent = "Another example";
  });
}

function connectSelfTest(goldens, model) {
  const button = byId("test-button");
  const place = byId("test-result");
  button.addEventListener("click", async () => {
    button.disabled = true;
    place.replaceChildren(element("p", { class: "note" }, "Running …"));
    try {
      place.replaceChildren(...verdict(await replay(await model, goldens)));
    } catch (error) {
      place.replaceChildren(element("p", { class: "trouble" }, error.message));
    }
    button.disabled = false;
  });
}

function verdict({ methods, left }) {
  const passed = methods.every((one) => one.equal === one.rows && one.rows > 0);
  const lines = methods.map((one) => {
    const difference = one.exact
      ? ""
      : one.largest
        ? `, largest difference ${shortNumber(one.largest)}`
        : ", no difference";
    const first = one.first === undefined ? "" : `; the first that differs is row ${one.first}`;
    return element(
      "li",
      { "data-method": one.method },
      `${one.method}: ${one.equal} of ${one.rows} agree${difference}${first}`,
    );
  });
  if (left) {
    const words = left === 1 ? "was left out: it has a text" : "were left out: they have texts";
    lines.push(element("li", {}, `${counted(left, "golden row")} ${words} with the character U+0000.`));
  }
  const words = passed
    ? "Passed: this browser gives the original’s answers."
    : "Failed: this browser gives other answers. Do not rely on it here.";
  return [element("p", { id: "verdict", class: passed ? "passed" : "failed" }, words), element("ul", {}, ...lines)];
}

function showLicences() {
  const text = byId("licences");
  if (!text) return;
  byId("licence-place").replaceChildren(
    element("details", {}, element("summary", {}, "Licences"), element("pre", {}, text.textContent)),
  );
}

async function start() {
  const app = readDocument(new TextDecoder().decode(await part("app")));
  const model = loadModel(app.manifest);
  model.catch(tellTrouble);
  describe(app);
  connectForm(app, model);
  new Rows(app.manifest.inputs, app.manifest.outputs, model);
  connectSelfTest(app.goldens, model);
  byId("card").replaceChildren(...card(app));
  showLicences();
  for (const place of ["main", "footer"]) byId(place).hidden = false; // at once, so that nothing moves
  await model;
  await keepOffline();
}

start().catch(tellTrouble);
