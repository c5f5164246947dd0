import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfChanges } from "./confchange.ts";
import { type Directive, formatDirectives, parseDirectives } from "./directives.ts";
import { Interaction } from "./interaction.ts";
import { runQuorum } from "./quorums.ts";

export interface TraceDifference {
  readonly directive: Directive;
  readonly actual: string;
}

export interface TraceResult {
  readonly directives: number;
  /** The first directive that printed something else than the file says; undefined: all printed what it says. */
  readonly difference: TraceDifference | undefined;
  /** The file with what was printed. */
  readonly rewritten: string;
}

type Runner = (directive: Directive) => string;

const quorumCommands: ReadonlySet<string> = new Set(["committed", "vote"]);
const confChangeCommands: ReadonlySet<string> = new Set(["simple", "enter-joint", "leave-joint"]);

/** The commands of a file tell what it is about. */
function runnerFor(directives: readonly Directive[]): Runner {
  const only = (commands: ReadonlySet<string>) => directives.every(({ command }) => commands.has(command));
  if (only(quorumCommands)) return runQuorum;
  if (only(confChangeCommands)) {
    const changes = new ConfChanges();
    return (directive) => changes.run(directive);
  }
  const interaction = new Interaction();
  return (directive) => interaction.run(directive);
}

/** All files below, in order of their paths. */
export function traceFilesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".txt"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Runs a file in a fresh environment. Throws Error for a file that does not parse. */
export function runTraceFile(path: string): TraceResult {
  const sections = parseDirectives(readFileSync(path, "utf8"));
  const directives = sections.flatMap((section) => ("directive" in section ? [section.directive] : []));
  const run = runnerFor(directives);
  const outputs = new Map<Directive, string>();
  let difference: TraceDifference | undefined;
  for (const directive of directives) {
    const actual = withLineBreak(outputOf(run, directive));
    outputs.set(directive, actual);
    if (actual !== directive.expected) difference ??= { directive, actual };
  }
  const rewritten = formatDirectives(sections, (directive) => outputs.get(directive)!);
  return { directives: directives.length, difference, rewritten };
}

/** A core that stops prints why, as a panic would, and the file goes on to differ. */
function outputOf(run: Runner, directive: Directive): string {
  try {
    return run(directive);
  } catch (error) {
    return `panic: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function withLineBreak(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

/** The lines of both, those that only one has marked: `-` expected, `+` printed. */
export function describeDifference({ directive, actual }: TraceDifference): string {
  const expectedLines = directive.expected.split("\n").slice(0, -1);
  const actualLines = actual.split("\n").slice(0, -1);
  let same = 0;
  while (same < expectedLines.length && expectedLines[same] === actualLines[same]) same++;
  let tail = 0;
  while (
    tail < Math.min(expectedLines.length, actualLines.length) - same &&
    expectedLines.at(-1 - tail) === actualLines.at(-1 - tail)
  ) {
    tail++;
  }
  const lines = [
    ...expectedLines.slice(Math.max(0, same - 3), same).map((line) => `  ${line}`),
    ...expectedLines.slice(same, expectedLines.length - tail).map((line) => `- ${line}`),
    ...actualLines.slice(same, actualLines.length - tail).map((line) => `+ ${line}`),
    ...expectedLines
      .slice(expectedLines.length - tail)
      .slice(0, 3)
      .map((line) => `  ${line}`),
  ];
  return `line ${directive.line}: ${directive.head[0]}\n${lines.map((line) => `    ${line}\n`).join("")}`;
}
