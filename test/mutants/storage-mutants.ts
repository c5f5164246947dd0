import type { Mutant } from "./mutant.ts";

const memberCrash = "test/sim/member-crash.test.ts";

/** The log and the snapshots on disk: what is durable, when, and in which order. */
export const storageMutants: readonly Mutant[] = [
  {
    number: 201,
    rule: "a vote is written before it is spoken of",
    file: "wal.ts",
    from: "return this.#hardState.term === term && this.#hardState.vote === vote;",
    to: "return this.#hardState.term === term && vote >= 0n;",
  },
  {
    number: 202,
    rule: "a new term is written before it is spoken of",
    file: "wal.ts",
    from: "return this.#hardState.term === term && this.#hardState.vote === vote;",
    to: "return term >= 0 && this.#hardState.vote === vote;",
  },
  {
    number: 203,
    rule: "a batch is acknowledged after its write",
    file: "wal.ts",
    from: "    this.#inFlight = frame;\n",
    to: "    this.#inFlight = frame;\n    for (const callback of frame.callbacks.splice(0)) callback();\n",
  },
  {
    number: 204,
    rule: "a batch that writes nothing is acknowledged after those before it",
    file: "wal.ts",
    from: "if (earlier !== undefined) {",
    to: "if (earlier !== undefined && this.#isClosed) {",
  },
  {
    number: 205,
    rule: "a failed write fails the log",
    file: "wal.ts",
    from: "if (error !== undefined) this.#fail(error);\n      else if",
    to: "if (error !== undefined && this.#isClosed) this.#fail(error);\n      else if",
  },
  {
    number: 206,
    rule: "nothing is acknowledged after the log has failed",
    file: "wal.ts",
    from: "      else if (this.#failure !== undefined) this.#pump();\n",
    to: "",
  },
  {
    number: 207,
    rule: "segments go when the mark that makes them needless is durable, not when it is asked for",
    file: "wal.ts",
    from: "    frame.snapshotMark(metadata);\n",
    to: `    frame.snapshotMark(metadata);
    this.#marks.push({ index: metadata.index, segmentSequence: this.#writer.active.sequence });
`,
  },
  {
    number: 208,
    rule: "the segment that holds the mark stays",
    file: "wal.ts",
    from: "segment.firstIndex <= mark.index + 1 && segment.sequence <= mark.segmentSequence",
    to: "segment.firstIndex <= mark.index + 1",
  },
  {
    number: 209,
    rule: "a new segment's header states what is durable, not what is on its way",
    file: "wal.ts",
    from: "this.#durableLastIndex + 1, this.#durableHardState",
    to: "this.#durableLastIndex + 1, this.#framedHardState",
  },
  {
    number: 210,
    rule: "segments go one by one, durably, the oldest first",
    file: "../../lib/file-operations.ts",
    from: "  await fs.rename(path, retired);\n  await fs.syncDirectory(dirname(path));\n",
    to: "  await fs.rename(path, retired);\n",
  },
  {
    number: 211,
    rule: "a log that is closed writes what waits",
    file: "wal.ts",
    from: "if (this.#failure === undefined && this.#hasUnframedHardState()) {",
    to: "if (this.#failure !== undefined && this.#hasUnframedHardState()) {",
  },
  {
    number: 212,
    rule: "a commit index that is awaited is written",
    file: "wal.ts",
    from: "batch.entries.length === 0 && batch.isCommitAwaited !== true && this.#isOnlyCommitNew()",
    to: "batch.entries.length === 0 && this.#isOnlyCommitNew()",
  },
  {
    number: 221,
    rule: "writes of the log are synced: later segments",
    file: "segment-preparer.ts",
    from: 'access: "create", durable: true',
    to: 'access: "create"',
    tests: [memberCrash],
  },
  {
    number: 222,
    rule: "writes of the log are synced: the segment it was opened with",
    file: "wal-open.ts",
    from: 'options.fs.open(last.path, { access: "write", durable: true })',
    to: 'options.fs.open(last.path, { access: "write" })',
  },
  {
    number: 223,
    rule: "what was read is made durable before anyone relies on it",
    file: "wal-open.ts",
    from: "  await file.sync();\n",
    to: "",
  },
  {
    number: 224,
    rule: "names that were found are made durable before anyone relies on them",
    file: "wal-open.ts",
    from: "  await options.fs.syncDirectory(options.directory);\n",
    to: "",
  },
  {
    number: 225,
    rule: "the rest of a torn write is zeroed",
    file: "wal-open.ts",
    from: "  await zeroTorn(file, recovered.scan);\n",
    to: "",
  },
  {
    number: 226,
    rule: "an end mark that a crash kept from being written is set",
    file: "wal-open.ts",
    from: "  if (unended === undefined) return;\n",
    to: "  if (unended === undefined || unended.offset > 0) return;\n",
  },
  {
    number: 227,
    rule: "a new segment's name is durable before it is written to",
    file: "segment-writer.ts",
    from: "    await fs.syncDirectory(directory);\n",
    to: "",
  },
  {
    number: 228,
    rule: "a segment ends when the next one is durable, not before",
    file: "segment-writer.ts",
    from: "    const next = await createSegment(this.#identity, this.#preparer, start, bodyBytes);\n    await this.#writeMarker(frameType.end);\n",
    to: "    await this.#writeMarker(frameType.end);\n    const next = await createSegment(this.#identity, this.#preparer, start, bodyBytes);\n",
  },
  {
    number: 229,
    rule: "a segment is zeros to its end before it is used",
    file: "segment-preparer.ts",
    from: "      await writeZeros(file, 0, sizeBytes);\n",
    to: "",
  },
  {
    number: 231,
    rule: "a snapshot's bytes are durable before it has its name",
    file: "snapshot-file.ts",
    from: '{ access: "create", durable: true }',
    to: '{ access: "create" }',
  },
  {
    number: 232,
    rule: "a snapshot's name is durable before the log counts on it",
    file: "snapshot-file.ts",
    from: "  await fs.syncDirectory(dirname(path));\n",
    to: "",
  },
  {
    number: 233,
    rule: "the newest snapshot stays when older ones go",
    file: "snapshot-store.ts",
    from: "snapshotIndex < index",
    to: "snapshotIndex <= index",
  },
  {
    number: 234,
    rule: "at the start only the snapshot that the log counts on stays",
    file: "snapshot-store.ts",
    from: "index !== marked?.index || term !== marked.term",
    to: "marked !== undefined && index < marked.index && term >= 0",
  },
  {
    number: 235,
    rule: "a new member's directory is durable before it has its name",
    file: "data-dir.ts",
    from: "      await this.#fs.syncDirectory(draft);\n",
    to: "",
    equivalent:
      "wal and snap are made before metadata, whose atomic write syncs the draft directory already; what comes after " +
      "it is made below wal only, which is synced too. The line keeps the promise should that order ever change.",
  },
  {
    number: 236,
    rule: "a new member's name is durable before it serves",
    file: "data-dir.ts",
    from: '      await this.#fs.rename(draft, join(this.path, "member"));\n      await this.#fs.syncDirectory(this.path);\n',
    to: '      await this.#fs.rename(draft, join(this.path, "member"));\n',
  },
  {
    number: 237,
    rule: "history is looked for in the layers at the moment when the database is known to hold no more",
    file: "disk-content.ts",
    from: "          await closeIterator();\n          continue;\n",
    to: "          await closeIterator();\n          return this.#isRetired ? this.#noMore() : fromLayers(countMax);\n",
  },
  {
    number: 238,
    rule: "a layer goes when the write that holds it is done",
    file: "disk-content.ts",
    from:
      "    if (operations.length > 0 || isSynced) await database.write(operations, { isSynced });\n" +
      "    this.#stored = totals;\n    this.#storedSeal = seal;\n    this.#layers.shift();\n",
    to:
      "    this.#stored = totals;\n    this.#storedSeal = seal;\n    this.#layers.shift();\n" +
      "    if (operations.length > 0 || isSynced) await database.write(operations, { isSynced });\n",
  },
  {
    number: 239,
    rule: "what a page has read is counted up to the bucket behind its first, not beyond",
    file: "disk-content.ts",
    from: "total += first.findIndex(({ key }) => key >= end);",
    to: "total += first.findIndex(({ key }) => key > end);",
  },
];
