import { compareResult, compareTarget, type RequestOp } from "../../src/codec/index.ts";
import { type ByteString, EMPTY, fromUtf8 } from "../../src/lib/bytes.ts";
import type { Prng } from "../../src/lib/prng.ts";
import type { Command } from "../../src/server/state/index.ts";

/** A workload that touches everything a log can hold: the same seed gives the same commands. */
export function randomCommands(prng: Prng, count: number): Command[] {
  let revision = 1;
  let leaseTimeMs = 0;
  return Array.from({ length: count }, (_, i): Command => {
    const key = (): ByteString => fromUtf8(`key${prng.below(30)}`);
    const value = fromUtf8(`${i}`.padEnd(prng.below(200), "."));
    const put = (lease: bigint): RequestOp & { case: "put" } => ({
      case: "put",
      request: { key: key(), value, lease, prevKv: false, ignoreValue: false, ignoreLease: false },
    });
    const remove = (rangeEnd: ByteString): RequestOp & { case: "deleteRange" } => ({
      case: "deleteRange",
      request: { key: key(), rangeEnd, prevKv: false },
    });
    revision++;
    switch (prng.below(14)) {
      case 0:
        return { kind: "deleteRange", request: remove(EMPTY).request };
      case 1:
        return { kind: "deleteRange", request: remove(fromUtf8("key2")).request };
      case 2:
        return {
          kind: "txn",
          request: {
            compare: [
              {
                result: compareResult.greater,
                target: compareTarget.version,
                key: key(),
                rangeEnd: EMPTY,
                union: { case: "version", value: 1 },
              },
            ],
            success: [put(0n), remove(EMPTY)],
            failure: [put(0n)],
          },
        };
      case 3:
        leaseTimeMs += prng.below(1000);
        return { kind: "leaseGrant", id: BigInt(1 + prng.below(5)), ttl: 2 + prng.below(100), leaseTimeMs };
      case 4:
        return { kind: "leaseRevoke", request: { id: BigInt(1 + prng.below(5)) } };
      case 5:
        return { kind: "put", request: put(BigInt(1 + prng.below(5))).request };
      case 6:
        return {
          kind: "compaction",
          request: { revision: Math.max(1, revision - 20 - prng.below(100)), physical: false },
        };
      case 7:
        leaseTimeMs += prng.below(1000);
        return { kind: "leaseTick", leaseTimeMs, fixed: [] };
      case 8:
        return { kind: "leaseFloat", ids: [BigInt(1 + prng.below(5))] };
      default:
        return { kind: "put", request: put(0n).request };
    }
  });
}
