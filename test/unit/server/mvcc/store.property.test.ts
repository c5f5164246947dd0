import assert from "node:assert/strict";
import fc from "fast-check";
import type {
  Compare,
  CompareUnion,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../../../src/codec/index.ts";
import type { ByteString } from "../../../../src/lib/bytes.ts";
import { assertValidTxn, isReadOnlyTxn } from "../../../../src/server/mvcc/request-rules.ts";
import { NaiveStore } from "./naive-store.ts";
import { bytes, codeOf, createStore, deleteOf, putOf, rangeOf, yieldTurn } from "./store-fixture.ts";

/** Set to run longer: `STORE_PROPERTY_RUNS=20000 npx mocha test/unit/server/mvcc/store.property.test.ts`. */
const numRuns = Number(process.env["STORE_PROPERTY_RUNS"] ?? 1_000);

const KEYS = ["a", "b", "ba", "bb", "c", "\xff"];
const LEASES = [0n, 0n, 0n, 1n, 2n];

const key = fc.constantFrom(...KEYS);
const rangeEnd = fc.constantFrom("", "", "b", "bb", "c", "\0", "a");
const value = fc.constantFrom("", "x", "y", "zz");
/** A revision as a distance below the current one, so that most are near it, some ahead and some compacted. */
const revisionBack = fc.integer({ min: -2, max: 12 });
const often0 = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: revisionBack },
);

interface RangeShape extends Omit<RangeRequest, "key" | "rangeEnd" | "revision"> {
  key: string;
  rangeEnd: string;
  back: number | undefined;
}

/** Mostly none: with a filter the limit is not pushed down. */
const filters = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constant({
      minModRevision: 0,
      maxModRevision: 0,
      minCreateRevision: 0,
      maxCreateRevision: 0,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      minModRevision: fc.constantFrom(0, 3, 8, -1),
      maxModRevision: fc.constantFrom(0, 4, 9, -1),
      minCreateRevision: fc.constantFrom(0, 3, 8),
      maxCreateRevision: fc.constantFrom(0, 4, 9),
    }),
  },
);

const range: fc.Arbitrary<RangeShape> = fc
  .record({
    key: fc.oneof(key, fc.constant("\0")),
    rangeEnd: fc.oneof(rangeEnd, fc.constant("\0")),
    back: often0,
    limit: fc.integer({ min: -1, max: 4 }),
    sortOrder: fc.integer({ min: 0, max: 2 }),
    sortTarget: fc.integer({ min: 0, max: 4 }),
    serializable: fc.boolean(),
    keysOnly: fc.boolean(),
    countOnly: fc.constantFrom(false, false, false, true),
    filters,
  })
  .map(({ filters: bounds, ...fields }) => ({ ...fields, ...bounds }));

const put = fc
  .record({
    key,
    value,
    lease: fc.constantFrom(...LEASES, 9n),
    prevKv: fc.boolean(),
    ignoreValue: fc.constantFrom(false, false, true),
    ignoreLease: fc.constantFrom(false, false, true),
  })
  .map((fields) =>
    putOf(fields.key, fields.ignoreValue ? "" : fields.value, {
      lease: fields.ignoreLease ? 0n : fields.lease,
      prevKv: fields.prevKv,
      ignoreValue: fields.ignoreValue,
      ignoreLease: fields.ignoreLease,
    }),
  );

const deletion = fc.record({ key, rangeEnd, prevKv: fc.boolean() }).map((fields) => ({
  ...deleteOf(fields.key, fields.rangeEnd, fields.prevKv),
}));

const union: fc.Arbitrary<CompareUnion> = fc.oneof(
  fc.record({
    case: fc.constantFrom("version" as const, "createRevision" as const, "modRevision" as const),
    value: fc.integer({ min: 0, max: 8 }),
  }),
  fc.record({ case: fc.constant("value" as const), value: value.map(bytes) }),
  fc.record({ case: fc.constant("lease" as const), value: fc.constantFrom(...LEASES) }),
  fc.constant({ case: undefined }),
);

const condition: fc.Arbitrary<Compare> = fc.record({
  result: fc.integer({ min: 0, max: 4 }),
  target: fc.integer({ min: 0, max: 4 }),
  key: key.map(bytes),
  rangeEnd: rangeEnd.map(bytes),
  union,
});

type OpShape =
  | { case: "range"; request: RangeShape }
  | Extract<RequestOp, { case: "put" | "deleteRange" }>
  | { case: "txn"; request: TxnShape };
interface TxnShape {
  compare: Compare[];
  success: OpShape[];
  failure: OpShape[];
}

const { txn } = fc.letrec<{ txn: TxnShape; op: OpShape }>((tie) => ({
  txn: fc.record({
    compare: fc.array(condition, { maxLength: 2 }),
    success: fc.array(tie("op"), { maxLength: 3 }),
    failure: fc.array(tie("op"), { maxLength: 2 }),
  }),
  op: fc.oneof(
    { depthSize: "small" },
    { weight: 3, arbitrary: put.map((request) => ({ case: "put" as const, request })) },
    { weight: 2, arbitrary: range.map((request) => ({ case: "range" as const, request })) },
    { weight: 1, arbitrary: deletion.map((request) => ({ case: "deleteRange" as const, request })) },
    { weight: 1, arbitrary: tie("txn").map((request) => ({ case: "txn" as const, request })) },
  ),
}));

const step = fc.oneof(
  { weight: 5, arbitrary: put.map((request) => ({ kind: "put" as const, request })) },
  { weight: 2, arbitrary: deletion.map((request) => ({ kind: "delete" as const, request })) },
  { weight: 5, arbitrary: txn.map((request) => ({ kind: "txn" as const, request })) },
  { weight: 4, arbitrary: range.map((request) => ({ kind: "range" as const, request })) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("compact" as const), back: revisionBack }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("revoke" as const), lease: fc.constantFrom(1n, 2n) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("turn" as const) }) },
);

/** Fills in the revisions, which are drawn relative to the current one. */
function atRevision(shape: RangeShape, current: number): RangeRequest {
  const { back, key: start, ...fields } = shape;
  return rangeOf(start, { ...fields, revision: back === undefined ? 0 : current - back });
}

function txnAt(shape: TxnShape, current: number): TxnRequest {
  const opAt = (operation: OpShape): RequestOp => {
    if (operation.case === "range") return { case: "range", request: atRevision(operation.request, current) };
    if (operation.case === "txn") return { case: "txn", request: txnAt(operation.request, current) };
    return operation;
  };
  return { compare: shape.compare, success: shape.success.map(opAt), failure: shape.failure.map(opAt) };
}

function outcomeOf(action: () => unknown): unknown {
  let response: unknown;
  const code = codeOf(() => {
    response = action();
  });
  return code === "none" ? response : code;
}

describe("Store against the naive store", () => {
  it("answers every sequence of requests, at every revision still readable, as the naive store does", async () => {
    let txnCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { store, leases } = createStore();
        const naive = new NaiveStore();
        for (const id of [1n, 2n]) {
          leases.grant(id);
          naive.leases.add(id);
        }
        /** The state rebuilt from what the commit listener was told. */
        const followed = new Map<ByteString, number>();
        let told = 1;
        store.onCommit((revision, records) => {
          assert.equal(revision, ++told);
          records.forEach((record, index) => {
            assert.deepEqual([record.main, record.sub], [revision, index]);
            if (record.tombstone) followed.delete(record.key);
            else followed.set(record.key, record.version);
          });
        });

        // Every key once, out of order and with few values, so that limits, sorts and filters have work to do.
        KEYS.toReversed().forEach((each, index) => {
          const request = putOf(each, ["y", "x", "zz"][index % 3] as string);
          assert.deepEqual(store.put(request), naive.put(request));
        });

        for (const action of steps) {
          const current = naive.currentRevision;
          switch (action.kind) {
            case "put":
              assert.deepEqual(
                outcomeOf(() => store.put(action.request)),
                outcomeOf(() => naive.put(action.request)),
              );
              break;
            case "delete":
              assert.deepEqual(store.deleteRange(action.request), naive.deleteRange(action.request));
              break;
            case "txn": {
              const request = txnAt(action.request, current);
              if (codeOf(() => assertValidTxn(request, 128)) !== "none") break;
              txnCount++;
              const run = isReadOnlyTxn(request) ? () => store.readTxn(request) : () => store.txn(request);
              assert.deepEqual(
                outcomeOf(run),
                outcomeOf(() => naive.txn(request)),
              );
              break;
            }
            case "range": {
              const request = atRevision(action.request, current);
              assert.deepEqual(
                outcomeOf(() => store.range(request)),
                outcomeOf(() => naive.range(request)),
              );
              break;
            }
            case "compact":
              assert.equal(
                outcomeOf(() => store.compact(current - action.back)),
                outcomeOf(() => naive.compact(current - action.back)),
              );
              break;
            case "revoke": {
              const keys = leases.keysOf(action.lease).toReversed().map(bytes);
              assert.equal(store.deleteKeys(keys), naive.revoke(action.lease));
              leases.keys.delete(action.lease);
              break;
            }
            case "turn":
              await yieldTurn();
              break;
          }
          assert.equal(store.currentRevision, naive.currentRevision);
          assert.equal(store.compactRevision, naive.compactRevision);
          for (const id of leases.keys.keys()) {
            const attached = [...naive.current.values()]
              .filter((kv) => kv.lease === id)
              .map((kv) => kv.key as string);
            assert.deepEqual(leases.keysOf(id), attached.sort());
          }
        }

        await store.compactionFinished();
        for (
          let revision = Math.max(1, naive.compactRevision);
          revision <= naive.currentRevision;
          revision++
        ) {
          const request = rangeOf("\0", { rangeEnd: "\0", revision });
          assert.deepEqual(store.range(request), naive.range(request));
        }
        assert.deepEqual(
          [...followed].sort(),
          [...naive.current.values()].map((kv) => [kv.key, kv.version] as const).sort(),
        );
        assert.equal(told, naive.currentRevision);
        assert.equal(store.stats().liveKeys, naive.current.size);
      }),
      { numRuns },
    );
    assert.ok(txnCount > numRuns / 2, `${txnCount} transactions were valid`);
  });

  it("a store restored from a snapshot taken among compactions goes on as the original does", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.array(step, { maxLength: 10 }),
        async (before, after) => {
          const original = createStore();
          const play = (fixture: typeof original, steps: typeof before): unknown[] =>
            steps.map((action) => {
              const { store } = fixture;
              if (action.kind === "put") return outcomeOf(() => store.put({ ...action.request, lease: 0n }));
              if (action.kind === "delete") return store.deleteRange(action.request);
              if (action.kind === "compact")
                return outcomeOf(() => store.compact(store.currentRevision - action.back));
              if (action.kind === "range") {
                return outcomeOf(() => store.range(atRevision(action.request, store.currentRevision)));
              }
              return undefined;
            });
          play(original, before);
          const snapshot = original.store.openSnapshot();
          const copy = createStore();
          copy.store.put(putOf("to be dropped"));
          const restore = copy.store.restore(snapshot);
          for (const record of snapshot.records) restore.append([record]);
          restore.finish();
          snapshot.close();
          assert.deepEqual(play(copy, after), play(original, after));
          await Promise.all([copy.store.compactionFinished(), original.store.compactionFinished()]);
          assert.deepEqual([...copy.engine.records(0, 999)], [...original.engine.records(0, 999)]);
          assert.deepEqual(copy.store.stats(), original.store.stats());
          const { hash } = await copy.store.hashKv(0);
          assert.equal(hash, (await original.store.hashKv(0)).hash);
        },
      ),
      { numRuns: Math.ceil(numRuns / 4) },
    );
  });
});
