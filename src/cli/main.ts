import { run } from "@oclif/core";
import { formatErrorReport, toErrorJson, toErrorReport } from "./error-report.ts";
import { ExitWith, exitCode } from "./exit-codes.ts";
import { formatOf } from "./flags.ts";

/** What oclif loads the commands from: the package's root, and in development its manifest in place of the file. */
export type LoadOptions = Parameters<typeof run>[1];

/**
 * Runs one command line and resolves with the exit code when all output is written. Errors of every kind end
 * here: text on stderr, or with `-o json` one object on stdout.
 */
export async function main(argv: readonly string[], load: LoadOptions): Promise<number> {
  // Nobody reads our remarks: no reason to fail, and nowhere to say so.
  process.stderr.on("error", () => undefined);
  let code: number = exitCode.ok;
  try {
    await run([...argv], load);
  } catch (error) {
    code = report(error, argv);
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  return code;
}

function report(error: unknown, argv: readonly string[]): number {
  if (error instanceof ExitWith) return error.exitCode;
  const helpExit = exitOfHelp(error);
  if (helpExit !== undefined) return helpExit;
  const errorReport = toErrorReport(error);
  const format = formatOf(argv, process.stdout.isTTY === true, process.env);
  if (format === "json") process.stdout.write(`${toErrorJson(errorReport)}\n`);
  else if (format === "jsonl") process.stderr.write(`${toErrorJson(errorReport)}\n`);
  else process.stderr.write(formatErrorReport(errorReport));
  return errorReport.exitCode;
}

/** oclif ends some helps by throwing an exit. */
function exitOfHelp(error: unknown): number | undefined {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== "EEXIT") return undefined;
  return (error as Error & { oclif?: { exit?: number } }).oclif?.exit ?? exitCode.ok;
}

/** Resolves once what was written has reached the pipe, or can no longer reach it. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) {
      resolve();
      return;
    }
    stream.once("error", () => resolve());
    stream.write("", () => resolve());
  });
}
