import { strict as assert } from "node:assert";
import fc from "fast-check";
import { type LeaseRecord, Lessor } from "../../../../src/server/lease/index.ts";

function lessorOf(count: number): Lessor {
  const lessor = new Lessor();
  for (let id = 1; id <= count; id++) lessor.grant(BigInt(id), id, 1_000);
  return lessor;
}

function recordsOf(lessor: Lessor): LeaseRecord[] {
  const view = lessor.openSnapshot();
  const records = [...view.leases];
  view.close();
  return records;
}

const sorted = (records: readonly LeaseRecord[]): LeaseRecord[] =>
  records.toSorted((left, right) => (left.id < right.id ? -1 : 1));

describe("LeaseView", () => {
  it("reads the leases in the order they were granted in", () => {
    const lessor = new Lessor();
    for (const id of [5n, 1n, 9n]) lessor.grant(id, 10, 2_000);
    const view = lessor.openSnapshot();
    assert.deepEqual([view.count, view.leaseTimeMs], [3, 2_000]);
    assert.deepEqual(
      [...view.leases].map(({ id }) => id),
      [5n, 1n, 9n],
    );
  });

  it("is of its moment, wherever the reader stands when leases are granted, changed and revoked", () => {
    const operation = fc.record({
      kind: fc.constantFrom("read", "read", "grant", "float", "tick", "revoke", "again"),
      id: fc.bigInt({ min: 1n, max: 30n }),
    });
    fc.assert(
      fc.property(fc.nat({ max: 20 }), fc.array(operation, { maxLength: 120 }), (count, operations) => {
        const lessor = lessorOf(count);
        const before = recordsOf(lessor);
        const view = lessor.openSnapshot();
        const reader = view.leases[Symbol.iterator]();
        const read: LeaseRecord[] = [];
        let timeMs = 1_000;
        for (const { kind, id } of operations) {
          timeMs++;
          if (kind === "read") {
            const next = reader.next();
            if (next.done !== true) read.push(next.value);
          } else if (kind === "grant" && !lessor.has(id)) lessor.grant(id, 50, timeMs);
          else if (kind === "float") lessor.float([id]);
          else if (kind === "tick")
            lessor.tick({ leaseTimeMs: timeMs, fixed: [{ id, deadlineMs: timeMs + 7 }] });
          else if (kind === "revoke" && lessor.has(id)) lessor.revoke(id);
          else if (kind === "again" && lessor.has(id)) {
            lessor.revoke(id);
            lessor.grant(id, 60, timeMs);
          }
        }
        for (let next = reader.next(); next.done !== true; next = reader.next()) read.push(next.value);
        view.close();
        assert.equal(view.count, count);
        assert.deepEqual(sorted(read), sorted(before));
      }),
    );
  });

  it("two at a time are each of their own moment", () => {
    const lessor = lessorOf(10);
    const [first, firstRecords] = [lessor.openSnapshot(), recordsOf(lessor)];
    lessor.revoke(3n);
    lessor.grant(11n, 5, 3_000);
    const [second, secondRecords] = [lessor.openSnapshot(), recordsOf(lessor)];
    lessor.revoke(4n);
    lessor.float([5n]);
    assert.deepEqual(sorted([...second.leases]), sorted(secondRecords));
    assert.deepEqual(sorted([...first.leases]), sorted(firstRecords));
  });

  it("fails when others take the place of the leases, whether it was begun or not", () => {
    const lessor = lessorOf(3);
    const views = [lessor.openSnapshot(), lessor.openSnapshot()];
    const reader = views[1]!.leases[Symbol.iterator]();
    reader.next();
    lessor.restore({ leaseTimeMs: 9_000, leases: [{ id: 1n, ttlSeconds: 1, deadlineMs: 9_500 }] });
    assert.throws(() => [...views[0]!.leases], { code: "leaderChanged" });
    assert.throws(() => reader.next(), { code: "leaderChanged" });
    assert.equal(recordsOf(lessor).length, 1);
  });
});
