import assert from "node:assert/strict";
import fc from "fast-check";
import { createPrng, type Prng } from "../../../src/lib/prng.ts";
import type { ModelRequest, ModelResponse, Operation, WriteOrRead } from "../../checkers/history.ts";
import { checkStoreHistory, type StoreHistory } from "../../checkers/store-check.ts";
import { refusal } from "../../checkers/store-state.ts";
import { describeViolations } from "../../checkers/violation.ts";
import { type LegalHistory, legalHistory } from "./legal-history.ts";

const put = (key: string, value: string, lease = ""): ModelRequest => ({
  kind: "txn",
  compares: [],
  success: [{ kind: "put", key, value, lease }],
  failure: [],
});
const remove = (key: string): ModelRequest => ({
  kind: "txn",
  compares: [],
  success: [{ kind: "delete", key, rangeEnd: "" }],
  failure: [],
});
const wrote = (revision: number): ModelResponse => ({
  kind: "txn",
  revision,
  succeeded: true,
  results: [{ kind: "put" }],
});
const deleted = (revision: number, count = 1): ModelResponse => ({
  kind: "txn",
  revision,
  succeeded: true,
  results: [{ kind: "delete", deleted: count }],
});
const read = (key: string): ModelRequest => ({ kind: "range", key, rangeEnd: "", revision: 0 });
const saw = (revision: number, ...kvs: [string, string, number, number?, number?][]): ModelResponse => ({
  kind: "range",
  revision,
  kvs: kvs.map(([key, value, modRevision, createRevision = modRevision, version = 1]) => ({
    ...{ key, value, createRevision, modRevision, version, lease: "" },
  })),
});
/** Each operation: call, return, request, response. */
type Row = readonly [number, number, ModelRequest, ModelResponse | undefined];
const never = Number.POSITIVE_INFINITY;
const history = (...rows: Row[]): Operation[] =>
  rows.map(([callMs, returnMs, request, response], client) => ({
    client,
    callMs,
    returnMs,
    request,
    response,
  }));
const kindOf = (operations: readonly Operation[], rest: Partial<StoreHistory> = {}): string =>
  checkStoreHistory({ operations, ...rest }).kind;

describe("The check of what clients saw of the store", () => {
  it("accepts writes and reads in their order", () => {
    const operations = history(
      [0, 1, put("a", "x"), wrote(2)],
      [2, 3, read("a"), saw(2, ["a", "x", 2])],
      [4, 5, put("a", "y"), wrote(3)],
      [6, 7, read("a"), saw(3, ["a", "y", 3, 2, 2])],
      [8, 9, remove("a"), deleted(4)],
      [10, 11, remove("a"), deleted(4, 0)],
    );
    assert.equal(kindOf(operations), "linearizable");
  });

  const violations: Record<string, Operation[]> = {
    "a stale read": history(
      [0, 1, put("a", "x"), wrote(2)],
      [2, 3, put("a", "y"), wrote(3)],
      [4, 5, read("a"), saw(2, ["a", "x", 2])],
    ),
    "a read that saw an old value under a new revision": history(
      [0, 1, put("a", "x"), wrote(2)],
      [2, 3, put("a", "y"), wrote(3)],
      [4, 5, read("a"), saw(3, ["a", "x", 2])],
    ),
    "a revision that was given to two writes": history(
      [0, 1, put("a", "x"), wrote(2)],
      [0, 1, put("b", "y"), wrote(2)],
    ),
    "an answered write that is gone": history([0, 1, put("a", "x"), wrote(2)], [2, 3, read("a"), saw(2)]),
    "a write that was done twice": history(
      [0, 1, put("a", "x"), wrote(2)],
      [2, 3, read("a"), saw(3, ["a", "x", 3, 2, 2])],
    ),
    "revisions that go backward": history([0, 1, put("a", "x"), wrote(3)], [2, 3, put("b", "y"), wrote(2)]),
    "a delete that says it deleted what was not there": history([0, 1, remove("a"), deleted(2)]),
    "a compare that held and did not": history(
      [0, 1, put("a", "x"), wrote(2)],
      [
        2,
        3,
        {
          kind: "txn",
          compares: [{ key: "a", target: "modRevision", equals: 2 }],
          success: [],
          failure: [],
        },
        { kind: "txn", revision: 2, succeeded: false, results: [] },
      ],
    ),
    "a lease that is not found while it lives": history(
      [0, 1, { kind: "leaseGrant", lease: "1", ttlSeconds: 100 }, { kind: "done", revision: 1 }],
      [2, 3, put("a", "x", "1"), { kind: "refused", error: refusal.leaseNotFound }],
    ),
    "a revoked lease that is found": history(
      [0, 1, { kind: "leaseGrant", lease: "1", ttlSeconds: 100 }, { kind: "done", revision: 1 }],
      [2, 3, { kind: "leaseRevoke", lease: "1" }, { kind: "done", revision: 1 }],
      [4, 5, put("a", "x", "1"), wrote(2)],
    ),
    "a revision that nobody compacted": history(
      [0, 1, put("a", "x"), wrote(2)],
      [
        2,
        3,
        { ...read("a"), kind: "range", key: "a", rangeEnd: "", revision: 1 },
        { kind: "refused", error: refusal.compacted },
      ],
    ),
    "a compacted revision that can be read": history(
      [0, 1, put("a", "x"), wrote(2)],
      [2, 3, put("a", "y"), wrote(3)],
      [4, 5, { kind: "compaction", revision: 3 }, { kind: "done", revision: 3 }],
      [6, 7, { kind: "range", key: "a", rangeEnd: "", revision: 2 }, saw(3, ["a", "x", 2])],
    ),
    "a known revision that is in the future": history(
      [0, 1, put("a", "x"), wrote(2)],
      [
        2,
        3,
        { kind: "range", key: "a", rangeEnd: "", revision: 2 },
        { kind: "refused", error: refusal.futureRevision },
      ],
    ),
    "an old read that saw another revision": history(
      [0, 1, put("a", "x"), wrote(2)],
      [2, 3, put("a", "y"), wrote(3)],
      [4, 5, { kind: "range", key: "a", rangeEnd: "", revision: 2 }, saw(3, ["a", "y", 3, 2, 2])],
    ),
  };
  for (const [what, operations] of Object.entries(violations)) {
    it(`finds ${what}`, () => {
      assert.equal(kindOf(operations), "violation");
    });
  }

  it("finds a serializable read of a state that never was", () => {
    const operations = history([0, 1, put("a", "x"), wrote(2)]);
    const seen = { client: 1, callMs: 2, returnMs: 3, key: "a", rangeEnd: "", revision: 2, kvs: [] };
    assert.equal(kindOf(operations, { serializable: [{ ...seen, revision: 1 }] }), "linearizable");
    assert.equal(kindOf(operations, { serializable: [seen] }), "violation");
  });

  it("lets a write of unknown outcome be seen late, and names it by its value", () => {
    const operations = history(
      [0, never, put("a", "x"), undefined],
      [0, 1, put("b", "y"), wrote(2)],
      [5, 6, put("b", "z"), wrote(4)],
      [7, 8, read("a"), saw(4, ["a", "x", 3])],
    );
    assert.equal(kindOf(operations), "linearizable");
    const early = operations.map((op, i) => (i === 0 ? { ...op, callMs: 6.5 } : op));
    assert.equal(kindOf(early), "violation");
  });

  it("searches where a revision is nobody's for sure, and finds what explains it", () => {
    const operations = history(
      [0, 1, put("a", "x"), wrote(2)],
      [2, never, remove("a"), undefined],
      [2, never, remove("b"), undefined],
      [4, 5, put("b", "y"), wrote(4)],
      [6, 7, read("a"), saw(4)],
    );
    assert.equal(kindOf(operations), "linearizable");
    assert.equal(kindOf(operations.filter((_, i) => i !== 1)), "violation");
  });

  it("takes a revoke for what made a revision only where no delete of unknown outcome could have", () => {
    const removeAll: WriteOrRead = { kind: "delete", key: "a", rangeEnd: "\0" };
    const operations = history(
      [0, 1, { kind: "leaseGrant", lease: "1", ttlSeconds: 1000 }, { kind: "done", revision: 1 }],
      [2, 3, put("a", "x"), wrote(2)],
      [4, 5, put("b", "y", "1"), wrote(3)],
      [6, never, { kind: "txn", compares: [], success: [removeAll], failure: [] }, undefined],
      [8, 9, read("a"), saw(4)],
      [10, 11, { kind: "leaseRevoke", lease: "1" }, { kind: "done", revision: 4 }],
    );
    assert.equal(kindOf(operations), "linearizable");
    assert.equal(kindOf(operations.filter((_, i) => i !== 3)), "violation");
  });

  it("lets a lease end by itself, and delete its keys at one revision", () => {
    const leased = (key: string, value: string, revision: number): ModelResponse => ({
      kind: "range",
      revision,
      kvs: [{ key, value, createRevision: 2, modRevision: 2, version: 1, lease: "1" }],
    });
    const operations = history(
      [0, 1, { kind: "leaseGrant", lease: "1", ttlSeconds: 1 }, { kind: "done", revision: 1 }],
      [2, 3, put("a", "x", "1"), wrote(2)],
      [4, 5, read("a"), leased("a", "x", 2)],
      [3000, 3001, read("a"), saw(3)],
    );
    assert.equal(kindOf(operations), "linearizable");
  });

  const size = fc.record({
    seed: fc.integer(),
    operations: fc.integer({ min: 1, max: 60 }),
    clients: fc.integer({ min: 1, max: 6 }),
  });

  it("accepts every history of a store that works, with the log and without", () => {
    fc.assert(
      fc.property(size, ({ seed, ...rest }) => {
        const { log, ...seen } = legalHistory(seed, rest);
        const withLog = checkStoreHistory({ ...seen, log });
        assert.equal(withLog.kind, "linearizable", describeViolations(withLog.violations));
        const without = checkStoreHistory(seen);
        assert.notEqual(without.kind, "violation", describeViolations(without.violations));
      }),
      // The example: a delete and a revoke, both of unknown outcome, could have made a revision.
      { numRuns: 300, examples: [[{ seed: -1_374_979_311, operations: 49, clients: 3 }]] },
    );
  });

  const breakages: Record<string, (history: LegalHistory, prng: Prng) => boolean> = {
    "a put answered at another revision": ({ operations }, prng) =>
      change(operations, prng, ({ response }) =>
        response?.kind === "txn" && response.results.some(({ kind }) => kind === "put")
          ? { ...response, revision: response.revision + 1 + prng.below(3) }
          : undefined,
      ),
    "a write that is missing from the log": ({ log }, prng) => {
      // The last one may be of unknown outcome, and never have been seen.
      if (log.length < 2) return false;
      log.splice(prng.below(log.length - 1), 1);
      return true;
    },
    "a write done twice": ({ log }, prng) => {
      const made = log[prng.below(log.length)];
      if (made === undefined || made.events.some(({ type }) => type === "delete")) return false;
      log.push({
        revision: log.length + 2,
        events: made.events.map((event) => ({
          ...event,
          kv: { ...event.kv, modRevision: log.length + 2, version: event.kv.version + 1 },
        })),
      });
      return true;
    },
    "a read that misses a key": ({ operations }, prng) =>
      change(operations, prng, ({ response }) =>
        response?.kind === "range" && response.kvs.length > 0
          ? { ...response, kvs: response.kvs.slice(1) }
          : undefined,
      ),
    "a serializable read that misses a key": ({ serializable }, prng) => {
      const at = prng.below(serializable.length);
      const read = serializable[at];
      if (read === undefined || read.kvs.length === 0) return false;
      serializable[at] = { ...read, kvs: read.kvs.slice(1) };
      return true;
    },
  };
  for (const [what, plant] of Object.entries(breakages)) {
    it(`finds ${what} in any history`, () => {
      fc.assert(
        fc.property(size, ({ seed, ...rest }) => {
          const history = legalHistory(seed, rest);
          if (!plant(history, createPrng(seed))) return;
          assert.equal(checkStoreHistory(history).kind, "violation");
        }),
        { numRuns: 200 },
      );
    });
  }

  it("finds an operation that real time forbids in any history", () => {
    fc.assert(
      fc.property(size, ({ seed, ...rest }) => {
        const { operations, log } = legalHistory(seed, rest);
        const reads = operations.filter(
          ({ request, response }) => request.kind === "range" && response?.kind === "range",
        );
        const read = reads[0];
        const write = operations.find(
          ({ response }) => response?.kind === "txn" && revisionOf(response) > revisionOf(read?.response),
        );
        if (read === undefined || write === undefined) return;
        const lateMs = Math.max(...operations.map((op) => op.callMs)) + 1000;
        operations[operations.indexOf(read)] = { ...read, callMs: lateMs, returnMs: lateMs + 1 };
        assert.equal(checkStoreHistory({ operations, log }).kind, "violation");
      }),
      { numRuns: 200 },
    );
  });
});

function revisionOf(response: ModelResponse | undefined): number {
  return response === undefined || response.kind === "refused" ? 0 : response.revision;
}

/** Changes one operation's response where `changed` finds one to change. */
function change(
  operations: Operation[],
  prng: Prng,
  changed: (operation: Operation) => ModelResponse | undefined,
): boolean {
  for (let tries = 0; tries < 20; tries++) {
    const at = prng.below(operations.length);
    const response = changed(operations[at]!);
    if (response === undefined) continue;
    operations[at] = { ...operations[at]!, response };
    return true;
  }
  return false;
}
