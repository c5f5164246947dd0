import assert from "node:assert/strict";
import fc from "fast-check";
import { fromBytes } from "../../../../src/lib/bytes.ts";
import { DecodeError } from "../../../../src/lib/errors.ts";
import {
  decodeStateChunk,
  encodeStateChunk,
  type StateChunk,
} from "../../../../src/server/state/state-chunk.ts";

const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => fromBytes(each));
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const lease = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const member = fc.record({
  id: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  name: fc.string(),
  peerUrls: fc.array(fc.string({ minLength: 1 })),
  clientUrls: fc.array(fc.string({ minLength: 1 })),
  isLearner: fc.boolean(),
});
const chunks: fc.Arbitrary<StateChunk> = fc.record({
  meta: fc.option(
    fc.record({
      currentRevision: count,
      compactRevision: fc.oneof(fc.constant(-1), count),
      finishedCompactRevision: fc.oneof(fc.constant(-1), count),
      leaseTimeMs: count,
      alarms: fc.array(
        fc.record({ memberId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), alarm: fc.nat({ max: 2 }) }),
      ),
      members: fc.array(member),
      removed: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    }),
    { nil: undefined },
  ),
  leases: fc.array(
    fc.record({ id: lease, ttlSeconds: count, deadlineMs: fc.option(count, { nil: undefined }) }),
  ),
  records: fc.array(
    fc.record({
      key: bytes,
      modRevision: count,
      sub: count,
      createRevision: count,
      version: count,
      value: bytes,
      lease,
      tombstone: fc.boolean(),
    }),
  ),
});

/** fast-check makes objects without a prototype; equality here is of content. */
const plain = (chunk: StateChunk): StateChunk => structuredClone(chunk);

describe("State chunks", () => {
  it("come back as they were written", () => {
    fc.assert(
      fc.property(chunks, (chunk) => {
        assert.deepEqual(decodeStateChunk(encodeStateChunk(chunk)), plain(chunk));
      }),
    );
  });

  it("tell a floating lease from one whose deadline is 0", () => {
    const leases = [
      { id: 1n, ttlSeconds: 5, deadlineMs: 0 },
      { id: 2n, ttlSeconds: 5, deadlineMs: undefined },
    ];
    assert.deepEqual(
      decodeStateChunk(encodeStateChunk({ meta: undefined, leases, records: [] })).leases,
      leases,
    );
  });

  it("refuse bytes that are no chunk", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        try {
          decodeStateChunk(noise);
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }),
    );
  });

  it("pass over fields of a later format", () => {
    const known = encodeStateChunk({ meta: undefined, leases: [], records: [] });
    const later = Buffer.concat([known, Buffer.from([0x7a, 0x02, 0x01, 0x02])]);
    assert.deepEqual(decodeStateChunk(later), { meta: undefined, leases: [], records: [] });
  });
});
