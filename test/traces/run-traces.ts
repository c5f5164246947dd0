import { existsSync, statSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { describeDifference, runTraceFile, traceFilesBelow } from "./trace-file.ts";

export interface RunOptions {
  /** Writes what was printed into files that differ. */
  readonly isUpdate: boolean;
  readonly say: (line: string) => void;
}

type Outcome = "passed" | "failed" | "skipped";

/** Runs files and all files below folders, and says how each ended. Returns the exit code. */
export function runTraces(places: readonly string[], options: RunOptions): number {
  const { say } = options;
  const counts: Record<Outcome, number> = { passed: 0, failed: 0, skipped: 0 };
  for (const place of places) {
    if (!existsSync(place)) {
      counts.skipped++;
      say(`skipped  ${place}: there is no such folder`);
      continue;
    }
    const isFolder = statSync(place).isDirectory();
    const paths = isFolder ? traceFilesBelow(place) : [place];
    if (paths.length === 0) {
      counts.skipped++;
      say(`skipped  ${place}: there are no .txt files in it`);
    }
    for (const path of paths) counts[runFile(path, isFolder ? relative(place, path) : path, options)]++;
  }
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 ? 1 : 0;
}

function runFile(path: string, name: string, { isUpdate, say }: RunOptions): Outcome {
  try {
    const { directives, difference, rewritten } = runTraceFile(path);
    if (difference === undefined) {
      say(`passed   ${name} (${directives} directives)`);
      return "passed";
    }
    if (isUpdate) {
      writeFileSync(path, rewritten);
      say(`updated  ${name}`);
      return "passed";
    }
    say(`failed   ${name}\n  ${describeDifference(difference)}`);
  } catch (error) {
    say(`failed   ${name}\n  ${error instanceof Error ? error.message : String(error)}`);
  }
  return "failed";
}
