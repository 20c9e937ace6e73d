// An edge-infer artifact in Node, with onnxruntime-node alone: the file's own manifest says how records become tensors
// and tensors become answers (artifacts/FORMAT.md, sections 3 and 11).
import { readFile } from "node:fs/promises";
import { readManifest } from "./manifest.js";
import { units } from "./times.js";

process.env.ORT_DISABLE_TELEMETRY ??= "1"; // before onnxruntime is loaded
const ort = (await import("onnxruntime-node")).default;

const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, string: Array };
const EXACT = { float32: 2 ** 24, float64: 2 ** 53 }; // whole numbers up to here are exact
const LARGEST = { float32: (2 - 2 ** -23) * 2 ** 127, float64: Number.MAX_VALUE };

/** A record that the model does not take; the message says where, what was expected and what came. */
export class InputError extends Error {}

export class EdgeModel {
  /** Loads an artifact. Throws where the file is no artifact, or of a later format. */
  static async load(path) {
    const bytes = await readFile(path);
    const manifest = readManifest(bytes);
    return new EdgeModel(manifest, await ort.InferenceSession.create(bytes));
  }

  constructor(manifest, session) {
    this.manifest = manifest;
    this.session = session;
    this.readers = manifest.inputs.columns.map((column) => reader(column, manifest.inputs.tensors));
  }

  predict(data) {
    return this.answer("predict", data);
  }

  predictProba(data) {
    return this.answer("predict_proba", data);
  }

  /**
   * The original's answer to one record (an object, a list of cells in the order of the manifest's columns, or a text
   * where the model takes texts), or one answer a record to a list of them. A missing value is null, undefined or NaN.
   * Throws InputError.
   */
  async answer(method, data) {
    const output = this.manifest.outputs.find((one) => one.method === method);
    if (!output) throw new Error(this.manifest.missing_methods[method] ?? `the model has no ${method}`);
    const texts = this.manifest.inputs.style === "texts"; // a record is one text
    const isRecord = (row) => (typeof row === "object" && row !== null) || (texts && typeof row === "string");
    const single = !Array.isArray(data) || !data.every(isRecord);
    const records = single ? [data] : data;
    if (!records.length) throw new InputError("expected at least one record, got none");
    const tensors = await this.session.run(this.#pack(records), output.tensors);
    const parts = output.tensors.map((name) => rows(tensors[name]));
    const answers = records.map((_, row) => (output.listed ? parts.map((part) => part[row]) : parts[0][row]));
    return single ? answers[0] : answers;
  }

  /** Records → the graph's inputs, each of the shape [rows, width]. */
  #pack(records) {
    const { tensors, columns } = this.manifest.inputs;
    const array = ({ dtype, width }) => new ARRAYS[dtype](records.length * width);
    const feeds = tensors.map((tensor) => ({ ...tensor, array: array(tensor) }));
    const places = columns.map((column) => feeds.find(({ name }) => name === column.tensor));
    records.forEach((record, row) => {
      const cells = this.#cells(record, row);
      columns.forEach((column, i) => {
        const { width, array } = places[i];
        try {
          array[row * width + column.index] = this.readers[i](cells[i]);
        } catch (error) {
          throw new InputError(`row ${row}, column ${JSON.stringify(column.name)}: ${error.message}`);
        }
      });
    });
    return Object.fromEntries(
      feeds.map(({ name, dtype, width, array }) => [name, new ort.Tensor(dtype, array, [records.length, width])]),
    );
  }

  #cells(record, row) {
    const { columns, style } = this.manifest.inputs;
    if (style === "texts" && typeof record === "string") return [record];
    if (Array.isArray(record)) {
      if (record.length === columns.length) return record;
      throw new InputError(`row ${row}: expected ${columns.length} cells, got ${record.length}`);
    }
    if (record === null || typeof record !== "object") throw new InputError(`row ${row}: expected an object or a list`);
    const absent = columns.filter(({ name, used }) => used !== false && !Object.hasOwn(record, name));
    const named = absent.map(({ name }) => JSON.stringify(name)).join(", ");
    if (named) throw new InputError(`row ${row}: no ${named}`);
    return columns.map(({ name }) => record[name]);
  }
}

/** What turns a cell of this column into an element of its tensor, or throws. */
function reader(column, tensors) {
  const { dtype, missing } = tensors.find(({ name }) => name === column.tensor);
  const check = closed(column);
  if (column.used === false) return () => ({ string: "", int64: 0n })[dtype] ?? 0;
  if (column.kind === "datetime") return (value) => units(value, column.dtype);
  const [sentinel, read] =
    column.kind === "string"
      ? [missing, (value) => text(value, missing)]
      : dtype === "int64"
        ? [undefined, whole] // which never is: a tensor of int64 has no missing value
        : [NaN, (value) => number(value, column, dtype)];
  return (value) => (isMissing(value) ? gap(column, sentinel) : check(read(value)));
}

function gap({ missing }, sentinel) {
  if (!missing || sentinel === undefined)
    throw new Error("expected a value, got a missing one (the model takes none here)");
  return sentinel;
}

/** What passes a value on, or throws where the original takes its known categories only. */
function closed({ categories, unknown }) {
  if (!categories || unknown) return (value) => value;
  const taken = new Set(categories.map((category) => (typeof category === "string" ? category : Number(category))));
  return (value) => {
    if (taken.has(typeof value === "bigint" ? Number(value) : value)) return value;
    throw new Error(`expected one of ${JSON.stringify(categories.slice(0, 6))}, got ${JSON.stringify(String(value))}`);
  };
}

function text(value, sentinel) {
  if (typeof value !== "string") throw new Error(`expected text, got ${typeof value} ${value}`);
  if (value === sentinel) throw new Error("expected text, got the character that stands for a missing value");
  // onnxruntime-node cuts a text at a NUL, and replaces half a surrogate pair.
  if (value.includes("\0") || !value.isWellFormed()) throw new Error("expected text without NUL and lone surrogates");
  return value;
}

/** Plain numbers are floats here: only BigInts, and columns of whole numbers, must be exact. */
function number(value, { kind, infinite }, dtype) {
  const found = numeric(value);
  const most = typeof value === "bigint" || kind === "integer" ? EXACT[dtype] : LARGEST[dtype];
  if (Number.isFinite(found) ? Math.abs(found) > most : !infinite)
    throw new Error(`expected a finite number up to ${most}, got ${value}`);
  return found;
}

function whole(value) {
  if (!Number.isInteger(numeric(value))) throw new Error(`expected a whole number, got ${value}`);
  const found = BigInt(value);
  if (found !== BigInt.asIntN(64, found)) throw new Error(`expected a whole number of 64 bits, got ${value}`);
  return found;
}

function numeric(value) {
  if (["number", "boolean", "bigint"].includes(typeof value)) return Number(value);
  throw new Error(`expected a number, got ${typeof value} ${JSON.stringify(value)}`);
}

function isMissing(value) {
  return value === null || value === undefined || Number.isNaN(value);
}

/** A tensor of the shape [rows, …] as one value or nested list a row. */
function rows({ type, data, dims }) {
  const cells = Array.from(data, (cell) => (type === "bool" ? Boolean(cell) : plain(cell)));
  return dims.slice(1).reduceRight(grouped, cells);
}

function plain(cell) {
  const safe = typeof cell === "bigint" && Number.isSafeInteger(Number(cell));
  return safe ? Number(cell) : cell;
}

function grouped(cells, size) {
  return Array.from({ length: cells.length / size }, (_, i) => cells.slice(i * size, (i + 1) * size));
}
