import type { RaftLogger } from "../../src/server/raft/index.ts";

const levels = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"] as const;
export type LogLevel = (typeof levels)[number];

/** Throws Error for a level that there is not. */
export function parseLevel(text: string): LogLevel {
  const level = levels.find((known) => known === text.toUpperCase());
  if (level === undefined) throw new Error(`log levels must be one of [${levels.join(" ")}], not ${text}`);
  return level;
}

/** What a directive prints: the driver's own lines and, where they occur, those of the core (section 5). */
export class TraceOutput {
  #text = "";
  level: LogLevel = "DEBUG";
  readonly logger: RaftLogger = {
    debug: (text) => this.#log("DEBUG", text),
    detail: (text) => this.#log("INFO", text),
    info: (text) => this.#log("INFO", text),
    warn: (text) => this.#log("WARN", text),
    error: (text) => this.#log("ERROR", text),
  };

  get text(): string {
    return this.#text;
  }

  get isQuiet(): boolean {
    return this.level === "NONE";
  }

  clear(): void {
    this.#text = "";
  }

  print(text: string): void {
    if (!this.isQuiet) this.#text += text;
  }

  line(text: string): void {
    this.print(`${text}\n`);
  }

  /** What `work` prints, each line two places to the right. */
  indented(work: () => void): void {
    const before = this.#text;
    this.#text = "";
    work();
    const lines = this.#text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    this.#text = before + lines.map((line) => `  ${line}\n`).join("");
  }

  #log(level: LogLevel, text: () => string): void {
    if (levels.indexOf(level) >= levels.indexOf(this.level)) this.line(`${level} ${text()}`);
  }
}
