import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../harness/index.ts";

const head = [
  "# Benchmarks",
  "",
  "Written by `npm run bench -- --write`, each part by a run of its own; do not edit. Compare the columns of one run with",
  "each other: absolute figures belong to the machine, which also runs the load generator.",
  "",
  "- A ratio is the median over the repetitions, with the least and the most; each repetition's is that of two runs",
  "  beside each other. Whether an aim is reached is told by the medians.",
  "- CPU is user and system time of the server process, or of all members together, per call (per event, for watch).",
  "- How late the event loop ran and the pauses of the garbage collector are MetaStore's over the measured periods;",
  "  with several members the worst of them. The p99.9 is the median of the repetitions, the longest that of all.",
  "- A paced put's latency counts from the moment when it was to be sent.",
  "",
].join("\n");

/** The parts, in the order they stand in. */
const order = ["table", "members", "rocksdb", "both", "tls", "bare", "store", "growth"];

/** Replaces one part of docs/BENCHMARKS.md, or adds it; the others stay as they are. */
export function writePart(name: string, title: string, lines: readonly string[]): void {
  const file = join(repositoryRoot, "docs", "BENCHMARKS.md");
  const parts = partsOf(existsSync(file) ? readFileSync(file, "utf8") : "");
  parts.set(name, ["", `## ${title}`, "", ...lines].join("\n").trimEnd());
  const place = (part: string): number => (order.includes(part) ? order.indexOf(part) : order.length);
  const sorted = [...parts].sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1));
  const text = sorted.map(([part, body]) => `<!-- part ${part} -->\n${body}\n`).join("\n");
  writeFileSync(file, `${head}\n${text}`);
  console.log("written to docs/BENCHMARKS.md");
}

function partsOf(text: string): Map<string, string> {
  const [, ...rest] = text.split(/^<!-- part (\S+) -->\n/m);
  const parts = new Map<string, string>();
  for (let index = 0; index < rest.length; index += 2) {
    parts.set(rest[index] ?? "", (rest[index + 1] ?? "").trimEnd());
  }
  return parts;
}
