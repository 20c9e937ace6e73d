// Many rows: a CSV is dropped or chosen, answered in parts, and given back with the answers beside its columns.
import { byId, counted, element, shortNumber } from "./elements.js";
import { BadTable, cellText, flatAnswers, readTable, writeCsv } from "./table.js";

const MOST_SHOWN = 10; // rows, and refused rows, that the page itself lists

export class Rows {
  /** model: a promise of the loaded model. */
  constructor(inputs, outputs, model) {
    Object.assign(this, { inputs, outputs, model, turn: 0 });
    const input = byId("csv-file");
    const drop = byId("drop");
    input.addEventListener("change", () => input.files[0] && this.take(input.files[0]));
    input.addEventListener("click", () => {
      input.value = ""; // so that the same file, changed, is taken again
    });
    for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
    for (const kind of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", kind === "dragover");
      });
    }
    drop.addEventListener("drop", (event) => event.dataTransfer.files[0] && this.take(event.dataTransfer.files[0]));
  }

  /** A later file takes the place of one that is still under way. */
  async take(file) {
    const turn = ++this.turn;
    const place = byId("rows-result");
    const bar = element("progress", { max: "1", value: "0", "aria-label": `Answering ${file.name}` });
    const status = element("p", { class: "note" }, `Reading ${file.name} …`);
    place.replaceChildren(status, bar);
    try {
      const table = readTable(await textOf(file), this.inputs);
      const done = await this.answered(table, (part) => {
        bar.value = part;
        status.textContent = `Answering: ${Math.round(part * 100)} %`;
      });
      if (turn === this.turn) place.replaceChildren(...this.result(file.name, table, done));
    } catch (error) {
      if (turn === this.turn)
        place.replaceChildren(element("p", { class: "trouble", role: "alert" }, `${file.name}: ${error.message}`));
      if (!(error instanceof BadTable)) console.error(error);
    }
  }

  /** The answers by row, null for those that do not fit; `problems` of a row say why. */
  async answered(table, progress) {
    const model = await this.model;
    for (const row of table.rows) {
      if (row.values) row.problems = model.packer.mismatches(row.values).map(String);
    }
    const fitting = table.rows.filter((row) => !row.problems.length);
    const answers = await model.answers(
      fitting.map((row) => row.values),
      (count) => progress(count / fitting.length),
    );
    const found = new Map(fitting.map((row, i) => [row, answers[i]]));
    return table.rows.map((row) => found.get(row) ?? null);
  }

  result(name, table, answers) {
    const failed = table.rows.filter((row) => row.problems.length);
    const good = table.rows.length - failed.length;
    const summary = element(
      "p",
      { id: "rows-summary" },
      `${counted(good, "row")} answered${failed.length ? `, ${counted(failed.length, "row")} refused` : ""}.`,
    );
    const shown = [summary];
    if (table.rows.length) shown.push(this.download(name, table, answers, failed.length > 0));
    if (failed.length) shown.push(refusals(failed));
    if (good) shown.push(this.preview(table, answers));
    return shown;
  }

  download(name, table, answers, refused) {
    const names = flatAnswers(this.outputs, answers.find((one) => one !== null) ?? {}).map(([column]) => column);
    const known = answers.some((one) => one !== null) ? names : [];
    const header = [...table.header, ...known, ...(refused ? ["error"] : [])];
    const records = table.records.map((record, i) => {
      const cells = answers[i]
        ? flatAnswers(this.outputs, answers[i]).map(([, value]) => cellText(value))
        : known.map(() => "");
      const own = table.header.map((_, place) => record[place] ?? ""); // a refused one may have too few, or too many
      return [...own, ...cells, ...(refused ? [table.rows[i].problems.join("; ")] : [])];
    });
    const blob = new Blob([writeCsv(header, records, table.delimiter)], { type: "text/csv;charset=utf-8" });
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(blob);
    const file = `${name.replace(/\.[^.]*$/, "")}-answers.csv`;
    return element(
      "p",
      {},
      element("a", { id: "csv-download", class: "button", href: this.url, download: file }, `Download ${file}`),
    );
  }

  preview(table, answers) {
    const some = table.rows
      .map((row, i) => ({ line: row.line, answers: answers[i] }))
      .filter((one) => one.answers)
      .slice(0, MOST_SHOWN);
    const columns = flatAnswers(this.outputs, some[0].answers).map(([column]) => column);
    const head = element("tr", {}, ...["line", ...columns].map((column) => element("th", { scope: "col" }, column)));
    const body = some.map(({ line, answers: row }) => {
      const cells = flatAnswers(this.outputs, row).map(([, value]) =>
        element("td", {}, typeof value === "number" ? shortNumber(value) : cellText(value)),
      );
      return element("tr", {}, element("th", { scope: "row" }, String(line)), ...cells);
    });
    const caption = element(
      "caption",
      {},
      some.length < answers.length ? `The first ${some.length} answers` : "The answers",
    );
    const whole = element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...body));
    return element(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Answers as a table" },
      whole,
    );
  }
}

function refusals(failed) {
  const items = failed
    .slice(0, MOST_SHOWN)
    .map((row) => element("li", {}, `line ${row.line}: ${row.problems.join("; ")}`));
  if (failed.length > MOST_SHOWN)
    items.push(element("li", {}, `… and ${failed.length - MOST_SHOWN} more; the download has all`));
  return element("ul", { id: "rows-refused", class: "refused" }, ...items);
}

/** UTF-8, or the reason why not. */
async function textOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new BadTable("expected UTF-8, got UTF-16; save it as 'CSV UTF-8'");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new BadTable("expected UTF-8; save it as 'CSV UTF-8'");
  }
}
