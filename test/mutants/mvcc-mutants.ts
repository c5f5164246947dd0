import type { Mutant } from "./mutant.ts";

/** Watches: every event once, in order, or a clear word that some are gone. */
export const mvccMutants: readonly Mutant[] = [
  {
    number: 501,
    rule: "a watch whose history was compacted is told, and does not go on behind the gap",
    file: "watch-catch-up.ts",
    from: "      if (watcher.nextRevision >= this.#source.compactRevision || !this.#waiting.delete(watcher)) continue;\n      this.#targets.compacted(watcher);\n",
    to: "      watcher.nextRevision = Math.max(watcher.nextRevision, this.#source.compactRevision);\n",
  },
  {
    number: 502,
    rule: "a compaction during a read of history is noticed",
    file: "watch-pass.ts",
    from: "    this.#dropCompacted();\n",
    to: "",
  },
  {
    number: 503,
    rule: "a compaction cancels no watch that has read beyond it",
    file: "watch-pass.ts",
    from: "if (Math.max(watcher.nextRevision, this.#revision) >= compactRevision) continue;",
    to: "if (watcher.nextRevision >= compactRevision) continue;",
  },
  {
    number: 504,
    rule: "a watch gets no event again when the store is replaced",
    file: "watch-hub.ts",
    from: "        watcher.nextRevision = Math.max(watcher.nextRevision, nextRevision);\n",
    to: "",
  },
  {
    number: 505,
    rule: "a read of history ends when that history is replaced",
    file: "watch-hub.ts",
    from: "    this.#catchUp.restart();\n",
    to: "",
  },
  {
    number: 506,
    rule: "a watch misses nothing that came while its stream was full",
    file: "watch-hub.ts",
    from: "        watcher.nextRevision = revision;\n",
    to: "        watcher.nextRevision = revision + 1;\n",
  },
  {
    number: 507,
    rule: "a watch gets nothing before the revision that it asked for",
    file: "watch-hub.ts",
    from: "      if (watcher.nextRevision > revision) continue;\n",
    to: "",
  },
  {
    number: 508,
    rule: "progress is told to a watch that has all events up to it",
    file: "watch-stream.ts",
    from: 'return watcher.state === "synced" && watcher.startRevision',
    to: "return watcher.startRevision",
  },
  {
    number: 509,
    rule: "the events of a revision come in one response",
    file: "watch-pass.ts",
    from: "if (record === undefined || record.main > this.#revision) {",
    to: "if (record === undefined || record.main >= this.#revision) {",
  },
  {
    number: 510,
    rule: "what was gathered for a stream that became full is read again",
    file: "watch-pass.ts",
    from: "watcher.nextRevision = watcher.batch?.firstRevision ?? revision;",
    to: "watcher.nextRevision = revision;",
  },
  {
    number: 511,
    rule: "a catch-up gives no event that the watch has already",
    file: "watch-pass.ts",
    from: "if (record.main < watcher.nextRevision || isDropped(record, watcher.options)) continue;",
    to: "if (isDropped(record, watcher.options)) continue;",
  },
  {
    number: 512,
    rule: "a watch is up to date when it has read what was committed meanwhile too",
    file: "watch-pass.ts",
    from: "if (watcher.nextRevision > this.#source.currentRevision) this.#outcome.synced(watcher);",
    to: "if (watcher.nextRevision > 0) this.#outcome.synced(watcher);",
  },
];
