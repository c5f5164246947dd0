import type { KeyValueSeen, Operation } from "./history.ts";
import type { Replay } from "./replay.ts";
import { isSameList, keysInRange } from "./store-state.ts";
import type { Violation } from "./violation.ts";

/** A read of one member's own state: as old as that member is, but of one revision and never of another history. */
export interface SerializableRead {
  readonly client: number;
  readonly callMs: number;
  readonly returnMs: number;
  readonly key: string;
  readonly rangeEnd: string;
  /** The header's. */
  readonly revision: number;
  readonly kvs: readonly KeyValueSeen[];
}

/** Whether each serializable read, and each range at an old revision, saw the keys of its revision. */
export function checkOldReads(
  replay: Replay,
  serializable: readonly SerializableRead[],
  operations: readonly Operation[],
): Violation[] {
  const violations: Violation[] = [];
  const check = (
    what: string,
    key: string,
    rangeEnd: string,
    at: number,
    kvs: readonly KeyValueSeen[],
  ): void => {
    if (at > replay.lastRevision) {
      violations.push({ promise: "serializable reads", detail: `${what} at ${at}, which was never reached` });
    } else if (!isSameList(keysInRange(replay.stateAt(at).keys, key, rangeEnd), kvs)) {
      const detail = `${what} of ${describeRange(key, rangeEnd)} at ${at} saw ${describeKvs(kvs)}`;
      violations.push({ promise: "serializable reads", detail });
    }
  };
  for (const read of serializable) {
    check(`read of client ${read.client}`, read.key, read.rangeEnd, read.revision, read.kvs);
  }
  for (const { client, request, response } of operations) {
    if (request.kind !== "range" || request.revision <= 0 || response?.kind !== "range") continue;
    check(`old read of client ${client}`, request.key, request.rangeEnd, request.revision, response.kvs);
  }
  return violations;
}

export function describeRange(key: string, rangeEnd: string): string {
  return rangeEnd === "" ? JSON.stringify(key) : `[${JSON.stringify(key)}, ${JSON.stringify(rangeEnd)})`;
}

export function describeKvs(kvs: readonly KeyValueSeen[]): string {
  return `{${kvs.map((kv) => `${kv.key}=${kv.value}@${kv.modRevision}`).join(", ")}}`;
}
