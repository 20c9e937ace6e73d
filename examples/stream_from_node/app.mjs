// A Node program that asks a model: `edge-infer stream` runs as a child, records go in and answers
// come out as lines of JSON. No npm package, no server, no port.
//
//   node app.mjs MODEL [COMMAND ARGUMENT …]
//
// COMMAND starts edge-infer (default: the variable EDGE_INFER, split at spaces, else `edge-infer`).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

class EdgeInfer {
  /** Starts the child; throws if the command is not there. */
  static async start([command, ...args], model) {
    const child = spawn(command, [...args, "stream", model], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child, "spawn"); // rejects with the child's "error"
    return new EdgeInfer(child);
  }

  constructor(child) {
    this.child = child;
    this.ended = once(child, "close");
    this.child.stdin.on("error", () => {}); // the child went away: `ask` says so
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** One record → its answer. Wait for each answer before the next record. */
  async ask(record) {
    this.child.stdin.write(JSON.stringify(record) + "\n");
    const { value, done } = await this.lines.next();
    if (done) throw new Error("edge-infer ended before it answered");
    return JSON.parse(value);
  }

  /** Ends the child; its exit code. */
  async close() {
    this.child.stdin.end();
    const [code] = await this.ended;
    return code;
  }
}

function shown(answer) {
  if (answer.error) return `record ${answer.id}: refused (line ${answer.line}): ${answer.error.replace(/\s+/g, " ")}`;
  const sureness = answer.probabilities[answer.prediction];
  return `record ${answer.id}: ${answer.prediction} (${sureness.toFixed(4)})`;
}

async function main([model, ...command]) {
  if (!model) throw new Error("usage: node app.mjs MODEL [COMMAND ARGUMENT …]");
  const fallback = (process.env.EDGE_INFER ?? "edge-infer").split(" ");
  const edgeInfer = await EdgeInfer.start(command.length ? command : fallback, model);
  const records = JSON.parse(await readFile(new URL("records.json", import.meta.url), "utf8"));
  for (const record of records) console.log(shown(await edgeInfer.ask(record)));
  return edgeInfer.close();
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
