import { fromUtf8, toUtf8 } from "../../src/lib/bytes.ts";
import type { VersionedRecord } from "../../src/server/storage/index.ts";
import type { EventSeen, RevisionEvents } from "../checkers/index.ts";
import { leaseText } from "./requests.ts";
import type { Tripwire } from "./tripwire.ts";

/** What the store went through, revision by revision, as the first member to apply each has it; all must agree. */
export class GoldenHistory {
  readonly log: RevisionEvents[] = [];
  readonly #records: string[] = [];
  readonly #hashes = new Map<string, { readonly hash: number; readonly memberId: bigint }>();
  /** When a key with a lease was seen to be deleted first. */
  readonly deletedAtMs = new Map<string, number>();
  hashesCompared = 0;
  readonly #tripwire: Tripwire;

  constructor(tripwire: Tripwire) {
    this.#tripwire = tripwire;
  }

  get lastRevision(): number {
    return this.log.length + 1;
  }

  committed(memberId: bigint, revision: number, records: readonly VersionedRecord[], nowMs: number): void {
    const text = records.map(recordText).join("\n");
    const known = this.#records[revision];
    if (known !== undefined) {
      if (known !== text) {
        this.#tripwire.fail("equal revisions", `member ${memberId} at ${revision}:\n${text}\nnot\n${known}`);
      }
      return;
    }
    if (revision !== this.lastRevision + 1) {
      const detail = `member ${memberId} makes ${revision} after ${this.lastRevision}`;
      this.#tripwire.fail("revisions go up by one", detail);
    }
    this.#records[revision] = text;
    const events = records.map((record) => eventOf(record, revision));
    for (const { type, kv } of events) if (type === "delete") this.deletedAtMs.set(kv.key, nowMs);
    this.log.push({ revision, events });
  }

  /**
   * The KV hash of a member at a revision. What a compaction left is another one than what is computed, as in etcd,
   * where no key is alive and one was deleted at that very revision (semantics-kv-mvcc 9.1: its tombstone is kept).
   */
  hashed(
    memberId: bigint,
    found: {
      readonly hash: number;
      readonly compactRevision: number;
      readonly hashRevision: number;
      readonly isRemembered: boolean;
    },
  ): void {
    const { hashRevision, compactRevision, isRemembered } = found;
    const key = `${hashRevision} ${compactRevision}${isRemembered ? " left by a compaction" : ""}`;
    const known = this.#hashes.get(key);
    if (known === undefined) {
      this.#hashes.set(key, { hash: found.hash, memberId });
      return;
    }
    this.hashesCompared++;
    if (known.hash === found.hash) return;
    const detail = `members ${known.memberId} and ${memberId} differ at ${key}: ${known.hash}, ${found.hash}`;
    this.#tripwire.fail("equal hashes", detail);
  }
}

function recordText({ key, value, createRevision, version, lease, tombstone }: VersionedRecord): string {
  return `${tombstone ? "delete" : "put"} ${key}=${value} ${createRevision} ${version} ${leaseText(lease)}`;
}

function eventOf(record: VersionedRecord, revision: number): EventSeen {
  const key = toUtf8(record.key);
  if (record.tombstone) {
    const kv = { key, value: "", createRevision: 0, modRevision: revision, version: 0, lease: "" };
    return { type: "delete", kv, prev: undefined };
  }
  const { createRevision, version } = record;
  const kv = {
    ...{ key, value: toUtf8(record.value), createRevision, modRevision: revision, version },
    lease: leaseText(record.lease),
  };
  return { type: "put", kv, prev: undefined };
}

/** The first key behind all of `prefix`. */
export function endOfPrefix(prefix: string): string {
  const bytes = fromUtf8(prefix);
  return prefix.slice(0, -1) + String.fromCharCode(bytes.charCodeAt(bytes.length - 1) + 1);
}
