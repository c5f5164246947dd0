import { strict as assert } from "node:assert";
import { createLease } from "../../../../src/server/lease/lease-record.ts";

describe("createLease", () => {
  it("makes a lease without keys, in no heap and with no command on its way", () => {
    const lease = createLease({ id: -5n, ttlSeconds: 7, deadlineMs: undefined }, 1);
    assert.equal(lease.id, -5n);
    assert.equal(lease.keys, undefined);
    assert.deepEqual([lease.expiry.heapIndex, lease.idle.heapIndex], [-1, -1]);
    assert.deepEqual([lease.isFixing, lease.isExpiring], [false, false]);
    assert.notEqual(lease.expiry, lease.idle);
  });
});
