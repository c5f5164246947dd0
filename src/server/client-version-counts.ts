import { limits } from "../lib/limits.ts";
import type { CounterCell } from "../lib/metrics.ts";

/** What etcd's client sends: "X.Y" or "X.Y.Z", with what a build adds behind it. */
const versionPattern = /^\d{1,4}\.\d{1,4}(?:\.\d{1,4})?(?:[-+][\w.+-]{1,16})?$/;

/**
 * Counter cells by the client-api-version of a call's metadata. "unknown": none was sent (as in etcd). "other": no
 * version, or one more than limits.clientVersionsMax: clients cannot grow the number of series.
 */
export class ClientVersionCounts {
  readonly #create: (version: string) => CounterCell;
  readonly #cells = new Map<string, CounterCell>();
  readonly #unknown: CounterCell;
  #other: CounterCell | undefined;

  constructor(create: (version: string) => CounterCell) {
    this.#create = create;
    this.#unknown = create("unknown");
  }

  cell(version: string | undefined): CounterCell {
    if (version === undefined) return this.#unknown;
    return this.#cells.get(version) ?? this.#add(version);
  }

  #add(version: string): CounterCell {
    if (this.#cells.size >= limits.clientVersionsMax || !versionPattern.test(version)) {
      this.#other ??= this.#create("other");
      return this.#other;
    }
    const fresh = this.#create(version);
    this.#cells.set(version, fresh);
    return fresh;
  }
}
