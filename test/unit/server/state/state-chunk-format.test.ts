import assert from "node:assert/strict";
import fc from "fast-check";
import { fromBytes, toBytes } from "../../../../src/lib/bytes.ts";
import {
  decodeStateChunk,
  encodeStateChunk,
  type StateChunk,
} from "../../../../src/server/state/state-chunk.ts";
import { referenceCodec } from "../../codec/reference.ts";

const reference = referenceCodec("metastorepb.StateChunk");
const bytes = fc.uint8Array({ maxLength: 30 }).map(fromBytes);
const number = fc.maxSafeNat();
const revision = fc.oneof(fc.constant(-1), number);
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const urls = fc.array(fc.webUrl(), { maxLength: 2 });

function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

const chunks = record<StateChunk>({
  meta: fc.option(
    record({
      currentRevision: number,
      compactRevision: revision,
      finishedCompactRevision: revision,
      leaseTimeMs: number,
      alarms: fc.array(record({ memberId: uint64, alarm: fc.integer({ min: 0, max: 2 }) }), { maxLength: 3 }),
      members: fc.array(
        record({ id: uint64, name: fc.string(), peerUrls: urls, clientUrls: urls, isLearner: fc.boolean() }),
        { maxLength: 3 },
      ),
      removed: fc.array(uint64, { maxLength: 3 }),
    }),
    { nil: undefined },
  ),
  leases: fc.array(
    record({
      id: int64,
      ttlSeconds: number,
      deadlineMs: fc.option(fc.oneof(fc.constant(0), number), { nil: undefined }),
    }),
    { maxLength: 4 },
  ),
  records: fc.array(
    record({
      key: bytes,
      modRevision: number,
      sub: number,
      createRevision: number,
      version: number,
      value: bytes,
      lease: int64,
      tombstone: fc.boolean(),
    }),
    { maxLength: 4 },
  ),
});

/** The chunk as proto-loader shows it. */
function toWire({ meta, leases, records }: StateChunk): object {
  return {
    meta:
      meta === undefined
        ? null
        : {
            current_revision: String(meta.currentRevision),
            compact_revision: String(meta.compactRevision),
            finished_compact_revision: String(meta.finishedCompactRevision),
            lease_time_ms: String(meta.leaseTimeMs),
            alarms: meta.alarms.map(({ memberId, alarm }) => ({ memberID: String(memberId), alarm })),
            members: meta.members.map((member) => ({
              ID: String(member.id),
              name: member.name,
              peerURLs: member.peerUrls,
              clientURLs: member.clientUrls,
              isLearner: member.isLearner,
            })),
            removed: meta.removed.map(String),
          },
    leases: leases.map((lease) => ({
      id: String(lease.id),
      ttl_seconds: String(lease.ttlSeconds),
      ...(lease.deadlineMs === undefined ? {} : { deadline_ms: String(lease.deadlineMs) }),
    })),
    records: records.map((each) => ({
      key: toBytes(each.key),
      mod_revision: String(each.modRevision),
      sub: String(each.sub),
      create_revision: String(each.createRevision),
      version: String(each.version),
      value: toBytes(each.value),
      lease: String(each.lease),
      tombstone: each.tombstone,
    })),
    backup: null,
  };
}

describe("state chunks", () => {
  it("are what proto/metastore.proto says, and come back whole", () => {
    fc.assert(
      fc.property(chunks, (chunk) => {
        const encoded = encodeStateChunk(chunk);
        assert.deepEqual(reference.decode(encoded), toWire(chunk));
        assert.deepEqual(decodeStateChunk(encoded), chunk);
      }),
      { numRuns: 200 },
    );
  });
});
