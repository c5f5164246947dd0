import { type Entry, entryType } from "../../src/server/raft/index.ts";
import { hashText } from "./random.ts";

/** Entries before `index` and that one, as one number: equal hashes, equal logs up to there. */
export function prefixHash(before: number, entry: Entry): number {
  let hash = hashText(`${entry.term}:${entry.type}:`, before);
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** A member's log as the world has seen it grow: terms and prefix hashes behind a snapshot. */
export class LogTrack {
  #baseIndex = 0;
  #baseHash = 0;
  #baseTerm = 0;
  readonly #terms: number[] = [];
  readonly #hashes: number[] = [];
  readonly #commands: boolean[] = [];

  get lastIndex(): number {
    return this.#baseIndex + this.#hashes.length;
  }

  get baseIndex(): number {
    return this.#baseIndex;
  }

  /** Undefined outside of what is there. */
  hashAt(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseHash;
    return this.#hashes[index - this.#baseIndex - 1];
  }

  termAt(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#terms[index - this.#baseIndex - 1];
  }

  /** Whether the entry holds a command: neither empty nor a membership change. */
  isCommandAt(index: number): boolean | undefined {
    return this.#commands[index - this.#baseIndex - 1];
  }

  /** Starts over behind a snapshot. */
  reset(index: number, term: number, hash: number): void {
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#baseHash = hash;
    this.#terms.length = 0;
    this.#hashes.length = 0;
    this.#commands.length = 0;
  }

  /** Adds entries in place of what was at their indexes and behind. False: they leave a gap. */
  append(entries: readonly Entry[]): boolean {
    for (const entry of entries) {
      if (entry.index <= this.#baseIndex) continue;
      const before = this.hashAt(entry.index - 1);
      if (before === undefined) return false;
      const at = entry.index - this.#baseIndex - 1;
      this.#terms.length = at;
      this.#hashes.length = at;
      this.#terms.push(entry.term);
      this.#hashes.push(prefixHash(before, entry));
      this.#commands.length = at;
      this.#commands.push(entry.type === entryType.normal && entry.data.length > 0);
    }
    return true;
  }
}
