import type { KeyValue, WatchEvent } from "../client/index.ts";
import { toLine } from "./bytes-text.ts";
import type { Output } from "./output.ts";
import { type JsonRecord, toEventRecord, toPutRecord } from "./record.ts";

/** Prints what a watch sees: records as jsonl, or lines of TYPE<TAB>KEY<TAB>VALUE. */
export class WatchPrinter {
  readonly #out: Output;
  readonly #hasControl: boolean;

  constructor(out: Output, hasControl: boolean) {
    this.#out = out;
    this.#hasControl = hasControl;
  }

  /** A pair that was there when the watch began. */
  async initial(kv: KeyValue): Promise<void> {
    if (this.#out.isJson) await this.#record(toPutRecord(kv));
    else await this.#out.line(`PUT\t${toLine(kv.key)}\t${toLine(kv.value)}`);
  }

  async event(event: WatchEvent): Promise<void> {
    if (this.#out.isJson) {
      await this.#record(toEventRecord(event));
      return;
    }
    const value = event.type === "put" ? `\t${toLine(event.kv.value)}` : "";
    const previous = event.previous === undefined ? "" : `\tprev ${toLine(event.previous.value)}`;
    await this.#out.line(`${event.type.toUpperCase()}\t${toLine(event.kv.key)}${value}${previous}`);
  }

  /** Lines about the watch itself, only with --control: sync, progress, reconnect. */
  async control(record: JsonRecord): Promise<void> {
    if (!this.#hasControl) return;
    if (this.#out.isJson) await this.#record(record);
    else {
      const { type, ...fields } = record;
      const text = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
      await this.#out.line(`${String(type).toUpperCase()}\t${text.join("\t")}`);
    }
  }

  /** One line whatever the terminal: a stream has no end at which to close an indented document. */
  #record(record: JsonRecord): Promise<void> {
    return this.#out.line(JSON.stringify(record));
  }
}
