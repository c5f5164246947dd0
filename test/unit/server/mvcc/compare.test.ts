import assert from "node:assert/strict";
import {
  type Compare,
  type CompareUnion,
  compareResult,
  compareTarget,
} from "../../../../src/codec/index.ts";
import { holds } from "../../../../src/server/mvcc/compare.ts";
import { bytes, compareOf, createStore, putOf } from "./store-fixture.ts";

/** a: create 2, mod 4, version 3, value "v", lease 7. b: create 5, mod 5, version 1, value "w", no lease. */
function createKeys(): (condition: Compare) => boolean {
  const { store, engine, leases } = createStore();
  leases.grant(7n);
  store.put(putOf("a", "u"));
  store.put(putOf("a", "u"));
  store.put(putOf("a", "v", { lease: 7n }));
  store.put(putOf("b", "w"));
  return (condition) => holds(condition, engine, store.currentRevision);
}

type Field = "version" | "create" | "mod" | "value" | "lease";
const unions: Record<Field, (value: never) => CompareUnion> = {
  version: (value: number) => ({ case: "version", value }),
  create: (value: number) => ({ case: "createRevision", value }),
  mod: (value: number) => ({ case: "modRevision", value }),
  value: (value: string) => ({ case: "value", value: bytes(value) }),
  lease: (value: bigint) => ({ case: "lease", value }),
};

/** For each field: the values of a and b, and comparands on all sides of them. */
const worlds: Record<Field, { a: unknown; b: unknown; zero: unknown; comparands: unknown[] }> = {
  version: { a: 3, b: 1, zero: 0, comparands: [-1, 0, 1, 2, 3, 4, Number.MAX_SAFE_INTEGER] },
  create: { a: 2, b: 5, zero: 0, comparands: [-1, 0, 1, 2, 3, 5, 6] },
  mod: { a: 4, b: 5, zero: 0, comparands: [-1, 0, 3, 4, 5, 6] },
  value: { a: "v", b: "w", zero: "", comparands: ["", "u", "v", "v\0", "w", "x", "\xff"] },
  lease: { a: 7n, b: 0n, zero: 0n, comparands: [-1n, 0n, 6n, 7n, 8n, 2n ** 62n] },
};

function expectedOf(result: string, left: unknown, right: unknown): boolean {
  const [a, b] = [left, right] as [number, number];
  if (result === "equal") return a === b;
  if (result === "notEqual") return a !== b;
  return result === "greater" ? a > b : a < b;
}

describe("holds", () => {
  const check = createKeys();

  for (const field of Object.keys(worlds) as Field[]) {
    const { a, b, zero, comparands } = worlds[field];
    it(`every operator on ${field} is right for a key, a range, a missing key and an empty range`, () => {
      for (const [name, result] of Object.entries(compareResult)) {
        for (const comparand of comparands) {
          const union = unions[field](comparand as never);
          const ask = (key: string, rangeEnd: string): boolean =>
            check(compareOf(key, { result, target: compareTarget[field], rangeEnd: bytes(rangeEnd), union }));
          const said = `${field} ${name} ${String(comparand)}`;
          const forA = expectedOf(name, a, comparand);
          const forB = expectedOf(name, b, comparand);
          const forMissing = field !== "value" && expectedOf(name, zero, comparand);
          assert.equal(ask("a", ""), forA, `${said} of a`);
          assert.equal(ask("b", ""), forB, `${said} of b`);
          assert.equal(ask("a", "z"), forA && forB, `${said} of a and b`);
          assert.equal(ask("\0", "\0"), forA && forB, `${said} of all`);
          assert.equal(ask("b", "\0"), forB, `${said} from b`);
          assert.equal(ask("x", ""), forMissing, `${said} of a missing key`);
          assert.equal(ask("x", "z"), forMissing, `${said} of an empty range`);
          assert.equal(ask("b", "a"), forMissing, `${said} of a range turned round`);
        }
      }
    });
  }

  it("a comparand of another kind than the target counts as zero or empty", () => {
    for (const [field, target] of Object.entries(compareTarget)) {
      for (const other of [{ case: undefined }, unions[field === "lease" ? "mod" : "lease"](3n as never)]) {
        const ask = (result: number): boolean =>
          check(compareOf("a", { target, result, union: other as CompareUnion }));
        assert.equal(ask(compareResult.greater), true, field);
        assert.equal(ask(compareResult.equal), false, field);
      }
    }
  });

  it("an unknown operator holds, an unknown target compares as equal, as in etcd", () => {
    assert.equal(check(compareOf("a", { result: 9 })), true);
    assert.equal(check(compareOf("x", { result: 9, target: compareTarget.value })), false);
    assert.equal(check(compareOf("a", { target: 9, result: compareResult.equal })), true);
    assert.equal(check(compareOf("a", { target: 9, result: compareResult.notEqual })), false);
  });
});
