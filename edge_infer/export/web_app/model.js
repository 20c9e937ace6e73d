// The model: rows of values → input tensors → answers, as edge_infer/tensors.py and answers.py do it.
// The graph is run as the file has it: text in, labels out (FORMAT.md, sections 2 and 3).
import * as ort from "./onnxruntime.js";
import { CutText, elementReader, Misfit, repr } from "./schema.js";

const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, string: Array };
const ROWS_AT_ONCE = 512;

/** A value of a row that does not fit: `column` is the manifest's; `cut`: the original takes it, browsers do not. */
export class Mismatch {
  constructor(column, { expected, got }, cut) {
    Object.assign(this, { column, expected, got, cut });
  }

  toString() {
    return `column ${repr(this.column.name)}: expected ${this.expected}, got ${this.got}`;
  }
}

/** Makes input tensors of a manifest's rows, each cell checked. */
export class Packer {
  constructor(inputs) {
    this.tensors = inputs.tensors;
    const byName = new Map(inputs.tensors.map((tensor) => [tensor.name, tensor]));
    this.columns = inputs.columns.map((column) => {
      const tensor = byName.get(column.tensor);
      return { column, tensor, read: elementReader(column, tensor) };
    });
  }

  /** Every mismatch of one row of values. */
  mismatches(row) {
    const found = [];
    this.columns.forEach(({ column, read }, place) => {
      try {
        read(row[place]);
      } catch (error) {
        if (!(error instanceof Misfit)) throw error;
        found.push(new Mismatch(column, error, error instanceof CutText));
      }
    });
    return found;
  }

  /** Rows that fit → the graph's inputs by name, each of shape [rows, width]. */
  feeds(rows) {
    const arrays = new Map(
      this.tensors.map(({ name, dtype, width }) => [name, new ARRAYS[dtype](rows.length * width)]),
    );
    this.columns.forEach(({ column, tensor, read }, place) => {
      const array = arrays.get(tensor.name);
      rows.forEach((row, number) => {
        array[number * tensor.width + column.index] = read(row[place]);
      });
    });
    const made = this.tensors.map((tensor) => [
      tensor.name,
      new ort.Tensor(tensor.dtype, arrays.get(tensor.name), [rows.length, tensor.width]),
    ]);
    return Object.fromEntries(made);
  }
}

/** A loaded model. Make it by `Model.load`. */
export class Model {
  /** manifest: parsed; bytes: the model; wasm: of onnxruntime, both Uint8Arrays. */
  static async load(manifest, bytes, wasm) {
    Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: wasm });
    ort.env.logLevel = "error";
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    return new Model(manifest, session);
  }

  constructor(manifest, session) {
    this.outputs = manifest.outputs;
    this.packer = new Packer(manifest.inputs);
    this.session = session;
    this.tensors = [...new Set(manifest.outputs.flatMap((output) => output.tensors))];
    this.queue = Promise.resolve(); // a session takes one run at a time
  }

  /** Rows that fit → an object of answers by method for each row. progress: told the rows that are done. */
  async answers(rows, progress = () => {}) {
    const found = [];
    for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
      found.push(...(await this.inTurn(rows.slice(start, start + ROWS_AT_ONCE))));
      progress(found.length);
      await new Promise((done) => setTimeout(done)); // the page stays alive
    }
    return found;
  }

  inTurn(rows) {
    const turn = this.queue.then(() => this.run(rows));
    this.queue = turn.catch(() => {});
    return turn;
  }

  async run(rows) {
    const given = await this.session.run(this.packer.feeds(rows), this.tensors);
    const byMethod = this.outputs.map((output) => [output.method, decoded(output, given, rows.length)]);
    return rows.map((_, row) => Object.fromEntries(byMethod.map(([method, answers]) => [method, answers[row]])));
  }
}

/** One method's answers by row: labels, numbers, or lists of them; of a listed output one list for each array. */
function decoded(output, given, rows) {
  const parts = output.tensors.map((name) => byRow(output, given[name], rows));
  return output.listed ? Array.from({ length: rows }, (_, row) => parts.map((part) => part[row])) : parts[0];
}

function byRow(output, tensor, rows) {
  const { data, dims } = tensor;
  const shape = dims.slice(1);
  const size = shape.reduce((product, side) => product * side, 1);
  if (dims[0] !== rows || (!output.listed && String(shape) !== String(output.shape))) {
    throw new Error(`${output.method}: the graph gave an array of the shape [${dims}] for ${rows} rows`);
  }
  const plain = plainOf(output, tensor.type);
  return Array.from({ length: rows }, (_, row) => {
    const cells = Array.from({ length: size }, (_, place) => plain(data[row * size + place]));
    return nested(cells, shape);
  });
}

/** An element as a label, number or true/false of the original's type. */
function plainOf(output, type) {
  if (type === "bool" || output.dtype === "bool") return Boolean;
  if (type !== "int64" && type !== "uint64") return (value) => value;
  return (value) => (value === BigInt.asIntN(54, value) ? Number(value) : value);
}

function nested(cells, shape) {
  if (shape.length === 0) return cells[0];
  if (shape.length === 1) return cells;
  const size = cells.length / shape[0];
  return Array.from({ length: shape[0] }, (_, i) => nested(cells.slice(i * size, (i + 1) * size), shape.slice(1)));
}
