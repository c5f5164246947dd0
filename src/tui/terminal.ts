import type { ReadStream, WriteStream } from "node:tty";
import { textWidth } from "./styled-line.ts";

const esc = "\u001b";
/** Alternate screen, cursor hidden, lines cut at the edge and not wrapped. */
const enterModes = `${esc}[?1049h${esc}[?25l${esc}[?7l`;
const leaveModes = `${esc}[0m${esc}[?7h${esc}[?25h${esc}[?1049l`;
const clearScreen = `${esc}[2J`;
const clearToEnd = `${esc}[K`;
/** Terminals that know this draw a frame at once; the others ignore it. */
const frameStart = `${esc}[?2026h`;
const frameEnd = `${esc}[?2026l`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
const styleCodes = /\u001b\[[\d;]*m/g;
const heldCharactersMax = 65_536;

export interface TerminalOptions {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly isColored: boolean;
}

/**
 * The terminal while the live screen has it: enters the alternate screen, draws frames line by line where they have
 * changed, and puts everything back however the process ends, short of kill -9. What is written to stderr meanwhile
 * is held back and printed after it, so that it neither spoils the screen nor is lost.
 */
export class Terminal {
  readonly #options: TerminalOptions;
  #isEntered = false;
  #drawn: readonly string[] = [];
  #frame: readonly string[] = [];
  #isWaiting = false;
  #held = "";
  #restoreStderr: (() => void) | undefined;

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = this.#options.stdout;
    return { columns: columns || 80, rows: rows || 24 };
  }

  enter(): void {
    if (this.#isEntered) return;
    this.#isEntered = true;
    process.on("exit", this.#leaveAtExit);
    this.#holdStderr();
    this.#options.stdin.setRawMode(true);
    this.#options.stdout.write(enterModes);
    this.repaint();
  }

  /** Idempotent and synchronous: it is called from exit handlers too. */
  leave(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    process.off("exit", this.#leaveAtExit);
    const { stdin, stdout, stderr } = this.#options;
    if (!stdin.destroyed) stdin.setRawMode(false);
    if (!stdout.destroyed) stdout.write(leaveModes);
    this.#restoreStderr?.();
    if (this.#held !== "") stderr.write(this.#held);
    this.#held = "";
  }

  /** Shows a frame: lines with colours, separated by newlines. */
  draw(frame: string): void {
    const text = this.#options.isColored ? frame : frame.replaceAll(styleCodes, "");
    this.#frame = text.split("\n");
    this.#paint();
  }

  /** Empties the screen: after a change of its size the next frame is drawn whole. */
  clear(): void {
    this.#drawn = [];
    if (this.#isEntered) this.#options.stdout.write(clearScreen);
  }

  /** Draws the last frame on an empty screen. */
  repaint(): void {
    this.clear();
    this.#paint();
  }

  #paint(): void {
    // A terminal that is slower than the frames gets the last of them, not all.
    if (!this.#isEntered || this.#isWaiting) return;
    // A row below the last one would be taken for the last one.
    const rows = Math.min(this.size.rows, Math.max(this.#frame.length, this.#drawn.length));
    const lines = Array.from({ length: rows }, (_, row) => this.#frame[row] ?? "");
    const changed = lines
      .map((line, row) => (line === (this.#drawn[row] ?? "") ? "" : this.#placed(line, row)))
      .join("");
    this.#drawn = this.#frame;
    if (changed === "") return;
    if (this.#options.stdout.write(frameStart + changed + frameEnd)) return;
    this.#isWaiting = true;
    this.#options.stdout.once("drain", () => {
      this.#isWaiting = false;
      this.#paint();
    });
  }

  #placed(line: string, row: number): string {
    // Behind a line that fills its row the cursor stands on the last character: clearing would take it away.
    const isShort = textWidth(line.replaceAll(styleCodes, "")) < this.size.columns;
    return `${esc}[${row + 1};1H${line}${esc}[0m${isShort ? clearToEnd : ""}`;
  }

  readonly #leaveAtExit = (): void => this.leave();

  #holdStderr(): void {
    const { stderr } = this.#options;
    const write = stderr.write;
    const hold = (chunk: string | Uint8Array): boolean => {
      const text = typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
      this.#held = (this.#held + text).slice(-heldCharactersMax);
      return true;
    };
    stderr.write = hold as typeof stderr.write;
    this.#restoreStderr = () => {
      stderr.write = write;
      this.#restoreStderr = undefined;
    };
  }
}
