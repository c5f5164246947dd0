// Runs data-driven traces of the Raft core (docs of the format: README.md beside this file).
// Usage: npm run test:traces -- [--update] DIR...   Ends with 1 when a file failed.
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describeDifference, runTraceFile } from "./trace-file.ts";

/** All files below, in order of their paths. */
export function traceFilesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".txt"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function runFile(path: string, name: string, isUpdate: boolean, counts: Counts): void {
  try {
    const { directives, difference, rewritten } = runTraceFile(path);
    if (difference !== undefined && isUpdate) {
      writeFileSync(path, rewritten);
      counts.passed++;
      say(`updated  ${name}`);
    } else if (difference !== undefined) {
      counts.failed++;
      say(`failed   ${name}\n  ${describeDifference(difference)}`);
    } else {
      counts.passed++;
      say(`passed   ${name} (${directives} directives)`);
    }
  } catch (error) {
    counts.failed++;
    say(`failed   ${name}\n  ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function main(args: readonly string[]): number {
  const isUpdate = args.includes("--update");
  const folders = args.filter((argument) => !argument.startsWith("--"));
  const unknown = args.filter((argument) => argument.startsWith("--") && argument !== "--update");
  if (folders.length === 0 || unknown.length > 0) {
    process.stderr.write("usage: npm run test:traces -- [--update] DIR...\n");
    return 64;
  }
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const folder of folders) {
    if (!existsSync(folder)) {
      counts.skipped++;
      say(`skipped  ${folder}: there is no such folder`);
      continue;
    }
    const isFolder = statSync(folder).isDirectory();
    const paths = isFolder ? traceFilesBelow(folder) : [folder];
    if (paths.length === 0) {
      counts.skipped++;
      say(`skipped  ${folder}: there are no .txt files in it`);
    }
    for (const path of paths) {
      runFile(path, isFolder ? relative(folder, path) : path, isUpdate, counts);
    }
  }
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
