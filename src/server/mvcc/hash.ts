import { crc32c } from "../../lib/crc32c.ts";
import type { Engine, VersionedRecord } from "../storage/index.ts";
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
  for (const record of engine.records(0, scope.revision)) {
    if (isHashed(record, engine, scope, keepsAny)) hash.add(record);
    if (bite.isFullWith(record)) await bite.end();
  }
  return hash.digest();
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

/** Whether a compaction at scope.revision would keep anything; etcd filters nothing when it would not. */
async function holdsKept(engine: Engine, scope: HashScope, bite: Bite): Promise<boolean> {
  for (const record of engine.records(0, scope.revision)) {
    if (isKept(record, engine, scope)) return true;
    if (bite.isFullWith(record)) await bite.end();
  }
  return false;
}

function isHashed(record: VersionedRecord, engine: Engine, scope: HashScope, keepsAny: boolean): boolean {
  if (record.main > scope.compactRevision) return true;
  // Old etcd removed a tombstone at the compact revision, new etcd keeps it: neither hashes it.
  if (record.tombstone) return false;
  if (keepsAny) return isKept(record, engine, scope);
  return isNewest(record, engine, scope.compactRevision);
}

function isKept(record: VersionedRecord, engine: Engine, scope: HashScope): boolean {
  if (!isNewest(record, engine, scope.revision)) return false;
  return !record.tombstone || (scope.keptTombstones === "recent" && record.main === scope.revision);
}

/** Whether the record, which is not above `revision`, is the newest of its key up to it. */
function isNewest(record: VersionedRecord, engine: Engine, revision: number): boolean {
  const newest = engine.newest(record.key, revision);
  return newest?.main === record.main && newest.sub === record.sub;
}
