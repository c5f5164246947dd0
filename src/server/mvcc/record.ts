import { type ByteString, EMPTY } from "../../lib/bytes.ts";
import type { VersionedRecord } from "../storage/index.ts";

/** Record factories. What storage and snapshots decode has its fields in this order too: one shape, so that reads are fast. */
export function putRecord(fields: {
  readonly key: ByteString;
  readonly modRevision: number;
  readonly sub: number;
  readonly createRevision: number;
  readonly version: number;
  readonly value: ByteString;
  readonly lease: bigint;
}): VersionedRecord {
  return {
    key: fields.key,
    modRevision: fields.modRevision,
    sub: fields.sub,
    createRevision: fields.createRevision,
    version: fields.version,
    value: fields.value,
    // Most keys have no lease: share one zero rather than keep one for each.
    lease: fields.lease === 0n ? 0n : fields.lease,
    tombstone: false,
  };
}

export function tombstoneRecord(key: ByteString, modRevision: number, sub: number): VersionedRecord {
  return { key, modRevision, sub, createRevision: 0, version: 0, value: EMPTY, lease: 0n, tombstone: true };
}
