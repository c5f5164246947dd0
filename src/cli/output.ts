import { Chalk, type ChalkInstance } from "chalk";
import type { JsonRecord } from "./record.ts";
import { formatTable } from "./table.ts";

export const outputFormats = ["table", "simple", "json", "jsonl"] as const;
export type OutputFormat = (typeof outputFormats)[number];

export interface OutputOptions {
  readonly format: OutputFormat;
  readonly isColored: boolean;
  readonly isQuiet: boolean;
}

/** The part of a stream that output needs; process.stdout and process.stderr are two. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(chunk: string | Uint8Array): boolean;
  once(event: "drain", listener: () => void): unknown;
}

/** Data to stdout, everything else to stderr. */
export class Output {
  readonly format: OutputFormat;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  readonly #options: OutputOptions;
  readonly #chalk: ChalkInstance;

  constructor(options: OutputOptions, stdout: OutputStream, stderr: OutputStream) {
    this.format = options.format;
    this.#options = options;
    this.#chalk = new Chalk({ level: options.isColored ? 1 : 0 });
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  get isTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** Whether data is for programs: one JSON document or one per line. */
  get isJson(): boolean {
    return this.format === "json" || this.format === "jsonl";
  }

  /** Bytes as they are. Resolves when stdout can take more. */
  async bytes(chunk: string | Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    if (this.#stdout.write(chunk)) return;
    await new Promise<void>((resolve) => {
      this.#stdout.once("drain", resolve);
    });
  }

  line(text: string): Promise<void> {
    return this.bytes(`${text}\n`);
  }

  /** One document: indented for people, one line in a pipe and in jsonl. */
  json(document: JsonRecord): Promise<void> {
    const isIndented = this.format === "json" && this.isTerminal;
    return this.line(JSON.stringify(document, undefined, isIndented ? 2 : undefined));
  }

  table(headers: readonly string[], rows: readonly (readonly string[])[]): Promise<void> {
    return this.bytes(formatTable(headers, rows, this.isTerminal ? this.#stdout.columns : undefined));
  }

  /** A remark for the person at the terminal; absent from pipes and with --quiet. */
  remark(text: string): void {
    if (this.isTerminal && !this.#options.isQuiet && !this.isJson)
      this.#stderr.write(`${this.#chalk.dim(text)}\n`);
  }

  /**
   * How far something has come, in one line of a terminal on stderr that the next call overwrites; undefined clears
   * it. Absent elsewhere, with --quiet and in JSON.
   */
  progress(text: string | undefined): void {
    if (this.#stderr.isTTY !== true || this.#options.isQuiet || this.isJson) return;
    this.#stderr.write(`\r${text === undefined ? "" : this.#chalk.dim(text)}\u001b[K`);
  }

  /** News on stderr; absent with --quiet. */
  notice(text: string): void {
    if (!this.#options.isQuiet) this.#stderr.write(`${text}\n`);
  }
}

/** Colours are for terminals that want them (no-color.org). */
export function wantsColor(
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (environment["NO_COLOR"] || environment["TERM"] === "dumb") return false;
  return isTerminal;
}
