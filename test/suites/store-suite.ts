import assert from "node:assert/strict";
import fc from "fast-check";
import type { Compare, CompareUnion, RangeRequest, RequestOp, TxnRequest } from "../../src/codec/index.ts";
import type { ByteString } from "../../src/lib/bytes.ts";
import type { LastChange } from "../../src/server/mvcc/index.ts";
import { assertValidTxn, isReadOnlyTxn } from "../../src/server/mvcc/request-rules.ts";
import { asSeen } from "../unit/server/mvcc/as-seen.ts";
import { NaiveStore } from "../unit/server/mvcc/naive-store.ts";
import {
  bytes,
  codeOf,
  codeOfLater,
  deleteOf,
  putOf,
  rangeOf,
  StoreDriver,
  yieldTurn,
} from "../unit/server/mvcc/store-fixture.ts";
import type { CreateEngine } from "./engine-suite.ts";
import { refuseUnhandledRejections } from "./unhandled-rejections.ts";

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

async function outcomeOfLater(action: () => unknown): Promise<unknown> {
  let response: unknown;
  const code = await codeOfLater(async () => {
    response = await action();
  });
  return code === "none" ? response : code;
}

/** One lease, which is there. */
function leaseOf({ lease }: { readonly lease: bigint }): bigint {
  return lease === 0n ? 0n : 1n;
}

/** What the store promises, over any engine. */
export function storeSuite(name: string, createEngine: CreateEngine, numRuns: number): void {
  describe(`Store over ${name} against the naive store`, () => {
    refuseUnhandledRejections();

    it("answers every sequence of requests, at every revision still readable, as the naive store does", async () => {
      let txnCount = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const under = await createEngine();
          const driver = new StoreDriver(under.engine);
          const { store, leases } = driver;
          const naive = new NaiveStore();
          for (const id of [1n, 2n]) {
            leases.grant(id);
            naive.leases.add(id);
          }
          /** The state rebuilt from what the commit listener was told. */
          const followed = new Map<ByteString, number>();
          const lastChanges = new Map<ByteString, LastChange>();
          let told = 1;
          store.onCommit((revision, records) => {
            assert.equal(revision, ++told);
            records.forEach((record, index) => {
              assert.deepEqual([record.modRevision, record.sub], [revision, index]);
              lastChanges.set(record.key, { revision, isRemoval: record.tombstone });
              if (record.tombstone) followed.delete(record.key);
              else followed.set(record.key, record.version);
            });
          });

          // Every key once, out of order and with few values, so that limits, sorts and filters have work to do.
          for (const [index, each] of KEYS.toReversed().entries()) {
            const request = putOf(each, ["y", "x", "zz"][index % 3] as string);
            assert.deepEqual(asSeen(await driver.put(request)), naive.put(request));
          }

          for (const action of steps) {
            const current = naive.currentRevision;
            switch (action.kind) {
              case "put":
                assert.deepEqual(
                  asSeen(await outcomeOfLater(() => driver.put(action.request))),
                  outcomeOf(() => naive.put(action.request)),
                );
                break;
              case "delete":
                assert.deepEqual(
                  asSeen(await driver.deleteRange(action.request)),
                  naive.deleteRange(action.request),
                );
                break;
              case "txn": {
                const request = txnAt(action.request, current);
                if (codeOf(() => assertValidTxn(request, 128)) !== "none") break;
                txnCount++;
                const run = isReadOnlyTxn(request) ? () => store.readTxn(request) : () => driver.txn(request);
                assert.deepEqual(
                  asSeen(await outcomeOfLater(run)),
                  outcomeOf(() => naive.txn(request)),
                );
                break;
              }
              case "range": {
                const request = atRevision(action.request, current);
                assert.deepEqual(
                  asSeen(await outcomeOfLater(() => store.range(request))),
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
                assert.equal(await driver.deleteKeys(keys), naive.revoke(action.lease));
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
            assert.deepEqual(asSeen(await store.range(request)), naive.range(request));
          }
          assert.deepEqual(
            [...followed].sort(),
            [...naive.current.values()].map((kv) => [kv.key, kv.version] as const).sort(),
          );
          assert.equal(told, naive.currentRevision);
          assert.equal(store.stats().liveKeys, naive.current.size);
          for (const each of KEYS.map(bytes)) {
            const last = lastChanges.get(each);
            const isGone = last?.isRemoval === true && last.revision < store.compactRevision;
            assert.deepEqual(await store.lastChange(each), isGone ? undefined : last);
          }
          await under.settle?.();
          await under.close?.();
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
            const under = [await createEngine(), await createEngine()] as const;
            const original = new StoreDriver(under[0].engine);
            const play = async (driver: StoreDriver, steps: typeof before): Promise<unknown[]> => {
              const answers: unknown[] = [];
              for (const action of steps) answers.push(await playOne(driver, action));
              return answers;
            };
            const playOne = async (
              driver: StoreDriver,
              action: (typeof before)[number],
            ): Promise<unknown> => {
              const { store } = driver;
              if (action.kind === "put")
                return await outcomeOfLater(() =>
                  driver.put({ ...action.request, lease: leaseOf(action.request) }),
                );
              if (action.kind === "delete") return await driver.deleteRange(action.request);
              if (action.kind === "compact")
                return outcomeOf(() => store.compact(store.currentRevision - action.back));
              if (action.kind === "range")
                return await outcomeOfLater(() =>
                  store.range(atRevision(action.request, store.currentRevision)),
                );
              return undefined;
            };
            original.leases.grant(1n);
            await play(original, before);
            const snapshot = original.store.openSnapshot();
            const copy = new StoreDriver(under[1].engine);
            await copy.put(putOf("to be dropped"));
            copy.leases.grant(1n);
            await copy.restore(snapshot);
            snapshot.close();
            assert.deepEqual(copy.leases.keysOf(1n), original.leases.keysOf(1n));
            assert.deepEqual(await play(copy, after), await play(original, after));
            assert.deepEqual(copy.leases.keysOf(1n), original.leases.keysOf(1n));
            await Promise.all([copy.store.compactionFinished(), original.store.compactionFinished()]);
            assert.deepEqual(await copy.records(), await original.records());
            for (const { settle } of under) await settle?.();
            assert.deepEqual(copy.store.stats(), original.store.stats());
            const { hash } = await copy.store.hashKv(0);
            assert.equal(hash, (await original.store.hashKv(0)).hash);
            for (const { settle, close } of under) {
              await settle?.();
              await close?.();
            }
          },
        ),
        { numRuns: Math.ceil(numRuns / 4) },
      );
    });
  });
}
