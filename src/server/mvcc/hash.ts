import { crc32c } from "../../lib/crc32c.ts";
import type { Engine, EngineView, RecordPassed, VersionedRecord, Want } from "../storage/index.ts";
import type { RecordPage } from "./record-pages.ts";
import { encodedBytesMax, encodeRecord } from "./storage-encoding.ts";

const BUFFER_BYTES = 65_536;
const BITE_RECORDS_MAX = 256;
const BITE_BYTES_MAX = 262_144;
/** etcd hashes the name of the bucket first. */
const BUCKET_NAME = "key";

/** What a hash is of: the state at `revision` of a store compacted at `compactRevision` (semantics-kv-mvcc 9.1). */
export interface HashScope {
  readonly compactRevision: number;
  readonly revision: number;
  /**
   * Whether a tombstone that is the newest record of its key belongs to what is kept: "none" for HashKV, "recent"
   * (at `revision` itself) for the hash that a compaction leaves.
   */
  readonly keptTombstones: "none" | "recent";
}

/** One checksum over many records, through one buffer. */
class RecordHash {
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #filled: number;
  #checksum = 0;

  constructor() {
    this.#filled = this.#buffer.write(BUCKET_NAME, "latin1");
  }

  add(record: VersionedRecord): void {
    const needed = encodedBytesMax(record);
    if (this.#filled + needed > BUFFER_BYTES) this.#flush();
    if (needed > BUFFER_BYTES) {
      const large = Buffer.allocUnsafe(needed);
      this.#checksum = crc32c(large.subarray(0, encodeRecord(record, large, 0)), this.#checksum);
    } else {
      this.#filled = encodeRecord(record, this.#buffer, this.#filled);
    }
  }

  digest(): number {
    this.#flush();
    return this.#checksum;
  }

  #flush(): void {
    this.#checksum = crc32c(this.#buffer.subarray(0, this.#filled), this.#checksum);
    this.#filled = 0;
  }
}

/**
 * CRC-32C over the records of the scope as etcd would store them, in bites of about a millisecond with
 * `yieldTurn` between them. The answer does not depend on how far the removal up to scope.compactRevision has
 * come; no removal beyond that may begin meanwhile (Compactor.pin).
 */
export async function hashRecords(
  engine: Engine,
  scope: HashScope,
  yieldTurn: () => Promise<void>,
): Promise<number> {
  const bite = new Bite(yieldTurn);
  const keepsAny = await holdsKept(engine, scope, bite);
  const hash = new RecordHash();
  const revisionAsked = (record: VersionedRecord): number | undefined => {
    if (record.modRevision > scope.compactRevision || record.tombstone) return undefined;
    return keepsAny ? scope.revision : scope.compactRevision;
  };
  for await (const { records, view } of viewedPages(engine, 0, scope.revision, revisionAsked)) {
    for (const record of records) {
      if (isHashed(record, view, scope, keepsAny)) hash.add(record);
      if (bite.isFullWith(record)) await bite.end();
    }
  }
  return hash.digest();
}

/**
 * The hash that a compaction leaves (semantics-kv-mvcc 9.1), taken of the records as its removal passes them: a pass of
 * its own would cost as much again.
 */
export class CompactionHashing {
  /** To be given to Engine.compactStep; undefined where the hash is known before. */
  readonly passed: RecordPassed | undefined;
  readonly #records = new RecordHash();
  readonly #known: number | undefined;

  private constructor(compactRevision: number, known: number | undefined) {
    this.#known = known;
    if (known !== undefined) return;
    // The order of isHashed, which knows what is kept by looking it up.
    this.passed = (record, isKept) => {
      if (record.modRevision > compactRevision || (isKept && !record.tombstone)) this.#records.add(record);
    };
  }

  /** Before anything is removed by the compaction at `revision` of a store compacted at `compactRevision`. */
  static async begin(
    engine: Engine,
    { compactRevision, revision }: Omit<HashScope, "keptTombstones">,
    yieldTurn: () => Promise<void>,
  ): Promise<CompactionHashing> {
    const scope = { compactRevision, revision, keptTombstones: "recent" } as const;
    const keepsAny = await holdsKept(engine, scope, new Bite(yieldTurn));
    // What is hashed then is not what is kept.
    const known = keepsAny ? undefined : await hashRecords(engine, scope, yieldTurn);
    return new CompactionHashing(compactRevision, known);
  }

  /** Once all have passed. */
  digest(): number {
    return this.#known ?? this.#records.digest();
  }
}

/** Counts work, so that it can stop for others in time. */
class Bite {
  readonly #yieldTurn: () => Promise<void>;
  #records = 0;
  #bytes = 0;

  constructor(yieldTurn: () => Promise<void>) {
    this.#yieldTurn = yieldTurn;
  }

  isFullWith(record: VersionedRecord): boolean {
    this.#records++;
    this.#bytes += record.key.length + record.value.length;
    return this.#records >= BITE_RECORDS_MAX || this.#bytes >= BITE_BYTES_MAX;
  }

  async end(): Promise<void> {
    this.#records = 0;
    this.#bytes = 0;
    await this.#yieldTurn();
  }
}

interface ViewedPage {
  readonly records: RecordPage;
  /** Answers newest() for each record's key, at the revision that was said to be asked for. */
  readonly view: EngineView;
}

/** The records whose revision is from `from` to `to`. */
async function* viewedPages(
  engine: Engine,
  from: number,
  to: number,
  revisionAsked: (record: VersionedRecord) => number | undefined,
): AsyncGenerator<ViewedPage> {
  const cursor = engine.records(from, to);
  try {
    for (;;) {
      const next = cursor.next(BITE_RECORDS_MAX);
      const records = next instanceof Promise ? await next : next;
      if (records.length === 0) return;
      yield { records, view: await viewOf(engine, records, revisionAsked) };
    }
  } finally {
    cursor.close();
  }
}

function viewOf(
  engine: Engine,
  records: RecordPage,
  revisionAsked: (record: VersionedRecord) => number | undefined,
): EngineView | Promise<EngineView> {
  if (engine.loader === undefined) return engine;
  const wants = new Map<string, Want>();
  for (const record of records) {
    const revision = revisionAsked(record);
    if (revision !== undefined) wants.set(record.key, { kind: "key", key: record.key, revision });
  }
  return wants.size === 0 ? engine : engine.loader.view([...wants.values()]);
}

/**
 * Whether a compaction at scope.revision would keep anything; etcd filters nothing when it would not. Looks from the end:
 * the last records are the most likely to be the newest of their keys.
 */
async function holdsKept(engine: Engine, scope: HashScope, bite: Bite): Promise<boolean> {
  let to = scope.revision;
  for (let count = BITE_RECORDS_MAX; to >= 0; count *= 2) {
    const from = Math.max(0, to - count);
    for await (const { records, view } of viewedPages(engine, from, to, () => scope.revision)) {
      for (const record of records) {
        if (isKept(record, view, scope)) return true;
        if (bite.isFullWith(record)) await bite.end();
      }
    }
    to = from - 1;
  }
  return false;
}

function isHashed(record: VersionedRecord, view: EngineView, scope: HashScope, keepsAny: boolean): boolean {
  if (record.modRevision > scope.compactRevision) return true;
  // Old etcd removed a tombstone at the compact revision, new etcd keeps it: neither hashes it.
  if (record.tombstone) return false;
  if (keepsAny) return isKept(record, view, scope);
  return isNewest(record, view, scope.compactRevision);
}

function isKept(record: VersionedRecord, view: EngineView, scope: HashScope): boolean {
  if (!isNewest(record, view, scope.revision)) return false;
  return !record.tombstone || (scope.keptTombstones === "recent" && record.modRevision === scope.revision);
}

/** Whether the record, which is not above `revision`, is the newest of its key up to it. */
function isNewest(record: VersionedRecord, view: EngineView, revision: number): boolean {
  const newest = view.newest(record.key, revision);
  return newest?.modRevision === record.modRevision && newest.sub === record.sub;
}
