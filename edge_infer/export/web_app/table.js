// CSV (RFC 4180) → rows of the manifest's values, and answers → CSV.
// As edge_infer/csv_cells.py and cli/answer_table.py do it.
import { isUsed, Misfit, repr, valueOf } from "./schema.js";

const DELIMITERS = [",", ";", "\t"];

/** A file that is no CSV of this model; the message says what to do. */
export class BadTable extends Error {}

/**
 * Text of a file → {header, delimiter, records, rows}. `records`: the cells as they stand; `rows`: for each record
 * {line, values, problems}. Throws BadTable for what concerns the whole file.
 */
export function readTable(text, inputs) {
  const content = text.replace(/^\uFEFF/, "");
  if (!content.trim()) throw new BadTable("expected a CSV with a header row; got nothing");
  const delimiter = delimiterOf(content, inputs.columns);
  const { records, lines } = parseCsv(content, delimiter);
  const { places, skip } = placesOf(records[0], inputs);
  const header = skip ? records[0] : inputs.columns.map((column) => column.name);
  const body = records.slice(skip);
  const rows = body.map((record, at) => rowOf(record, lines[at + skip], inputs.columns, places, records[0].length));
  return { header, delimiter, records: body, rows };
}

/** The delimiter that gives the most known column names in the header; then the most cells. */
function delimiterOf(text, columns) {
  const known = new Set(columns.map((column) => column.name));
  const head = text.replace(/^[\r\n]+/, "").split(/\r\n|\r|\n/, 1)[0];
  const scored = DELIMITERS.map((delimiter) => {
    const cells = headCells(head, delimiter);
    return { delimiter, score: [cells.filter((cell) => known.has(cell.trim())).length, cells.length] };
  });
  return scored.reduce((best, one) => (isMore(one.score, best.score) ? one : best)).delimiter;
}

function headCells(head, delimiter) {
  try {
    return parseCsv(head, delimiter).records[0] ?? [];
  } catch {
    return []; // a quoted header of several lines
  }
}

const isMore = ([names, cells], [otherNames, otherCells]) =>
  names > otherNames || (names === otherNames && cells > otherCells);

/** Records of cells, and the line where each begins. Empty lines are passed over. */
export function parseCsv(text, delimiter) {
  const records = [];
  const lines = [];
  let cells = [];
  let at = 0;
  let line = 1;
  let start = 1;
  const special = new RegExp(`[${delimiter === "\t" ? "\\t" : delimiter}\\r\\n]|$`, "g");
  while (at < text.length || cells.length) {
    const [cell, end] = text[at] === '"' ? quoted(text, at, start) : plain(text, at, special);
    line += (text.slice(at, end).match(/\r\n|\r|\n/g) ?? []).length;
    cells.push(cell);
    const sign = text[end];
    if (sign === delimiter) {
      at = end + 1;
      continue;
    }
    if (sign !== undefined && sign !== "\r" && sign !== "\n") {
      throw new BadTable(`line ${line}: not a CSV: expected ${JSON.stringify(delimiter)} after a closing quote`);
    }
    if (cells.length > 1 || end > at) {
      records.push(cells);
      lines.push(start);
    }
    cells = [];
    at = end + (text.startsWith("\r\n", end) ? 2 : 1);
    line += 1;
    start = line;
  }
  return { records, lines };
}

function plain(text, at, special) {
  special.lastIndex = at;
  const end = special.exec(text).index;
  return [text.slice(at, end), end];
}

function quoted(text, at, line) {
  let end = at + 1;
  for (;;) {
    end = text.indexOf('"', end);
    if (end < 0) throw new BadTable(`line ${line}: not a CSV: a quote is not closed`);
    if (text[end + 1] !== '"') return [text.slice(at + 1, end).replaceAll('""', '"'), end + 1];
    end += 2;
  }
}

// --- columns -----------------------------------------------------------------------------

/** Where each column stands in a record (-1: not there, and not used), and how many records are header. */
function placesOf(header, { columns, style }) {
  const positions = new Map(header.map((name, place) => [name, place]));
  header.forEach((name, place) => {
    if (!positions.has(name.trim())) positions.set(name.trim(), place);
  });
  const absent = columns.filter((column) => isUsed(column) && !positions.has(column.name));
  if (!absent.length && columns.some((column) => positions.has(column.name))) {
    const twice = columns.find((c) => isUsed(c) && header.filter((name) => name === c.name).length > 1);
    if (twice) throw new BadTable(`column ${repr(twice.name)}: expected one column, got several of this name`);
    return { places: columns.map((column) => positions.get(column.name) ?? -1), skip: 1 };
  }
  if (style !== "columns" && header.length === columns.length) {
    return { places: columns.map((_, place) => place), skip: header.every(isNumber) ? 0 : 1 };
  }
  const names = absent
    .slice(0, 10)
    .map((column) => repr(column.name))
    .join(", ");
  const shown = header.slice(0, 12).map(repr).join(", ");
  throw new BadTable(`the header has no column ${names}${absent.length > 10 ? ", …" : ""}. The header has: ${shown}`);
}

function isNumber(text) {
  try {
    return typeof valueOf({ kind: "number" }, text) !== "string";
  } catch {
    return false;
  }
}

function rowOf(record, line, columns, places, width) {
  if (record.length !== width) {
    return { line, values: null, problems: [`expected ${width} cells as in the header, got ${record.length}`] };
  }
  const problems = [];
  const values = columns.map((column, at) => {
    if (!isUsed(column)) return null;
    try {
      return valueOf(column, record[places[at]]);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      problems.push(`column ${repr(column.name)}: ${error.message}`);
      return null;
    }
  });
  return { line, values: problems.length ? null : values, problems };
}

// --- answers -----------------------------------------------------------------------------

/** What is shown first: the prediction and its probabilities, else the model's first method. */
export function mainOutputs(outputs) {
  const main = outputs.filter(({ method }) => method === "predict" || method === "predict_proba");
  return main.length ? main : outputs.slice(0, 1);
}

/** One row's answers as [name, value] pairs: prediction, P(label) …, and a cell for each other number. */
export function flatAnswers(outputs, answers) {
  const labels = labelsOf(outputs);
  return mainOutputs(outputs).flatMap(({ method }) => {
    const name = method === "predict" ? "prediction" : method;
    const value = answers[method];
    if (!Array.isArray(value)) return [[name, value]];
    const flat = value.flat(Infinity);
    if (method === "predict_proba" && labels.length === flat.length) {
      return flat.map((p, i) => [`P(${labels[i]})`, p]);
    }
    return flat.map((item, i) => [`${name}_${i}`, item]);
  });
}

/** The labels that probabilities stand for, those of several label columns one after another. */
export function labelsOf(outputs) {
  const classes = outputs.find(({ method }) => method === "predict")?.classes ?? [];
  return classes.length === 1
    ? classes[0].map(labelText)
    : classes.flatMap((labels, column) => labels.map((label) => `${column}: ${labelText(label)}`));
}

export const labelText = (label) => (typeof label === "string" ? label : String(label));

/** Header and records of texts → CSV. */
export function writeCsv(header, records, delimiter) {
  const cell = (text) => (/["\r\n]/.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text);
  return [header, ...records].map((record) => `${record.map(cell).join(delimiter)}\n`).join("");
}

/** A value as a cell of text; what is not finite is empty, as edge-infer writes it. */
export function cellText(value) {
  if (typeof value === "number" && !Number.isFinite(value)) return "";
  return String(value);
}
