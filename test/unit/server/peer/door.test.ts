import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import { checkDoor } from "../../../../src/server/peer/door.ts";

const self = { memberId: 0xabcn, clusterId: 0xfeedn };
const good: IncomingHttpHeaders = {
  "x-etcd-cluster-id": "feed",
  "x-server-from": "1",
  "x-raft-to": "abc",
  "x-server-version": "3.6.0",
};

function check(headers: IncomingHttpHeaders, removed: readonly bigint[] = []) {
  return checkDoor(
    { ...good, ...headers },
    self,
    "3.6.0",
    (id) => id === 1n || id === 0xffff_ffff_ffff_ffffn,
    (id) => removed.includes(id),
  );
}

const statusOf = (answer: ReturnType<typeof check>): number => (answer.isWelcome ? 200 : answer.status);

describe("The door between members", () => {
  it("lets a member of the cluster in", () => {
    assert.deepEqual(check({}), { isWelcome: true, from: 1n });
    assert.deepEqual(check({ "x-server-from": "ffffffffffffffff" }), {
      isWelcome: true,
      from: 0xffff_ffff_ffff_ffffn,
    });
    assert.equal(statusOf(check({ "x-server-version": "3.5.21" })), 200);
    assert.equal(statusOf(check({ "x-server-version": "3.8.0-alpha.0" })), 200);
  });

  it("refuses another cluster, another receiver and another major version with 412", () => {
    const cluster = check({ "x-etcd-cluster-id": "beef" });
    assert.equal(statusOf(cluster), 412);
    assert.match(cluster.isWelcome ? "" : cluster.text, /cluster ID mismatch.*feed.*beef/);
    assert.equal(statusOf(check({ "x-raft-to": "abd" })), 412);
    for (const version of ["4.0.0", "", "3", "x.y.z", "3.6.0\n", "3.6.0".repeat(50)]) {
      assert.equal(statusOf(check({ "x-server-version": version })), 412, version);
    }
  });

  it("tells a removed member so with 410, though it is no peer any more", () => {
    const answer = check({ "x-server-from": "9" }, [9n]);
    assert.equal(statusOf(answer), 410);
    assert.match(answer.isWelcome ? "" : answer.text, /the member 9 has been permanently removed/);
  });

  it("does not know strangers: 404, to be tried again", () => {
    assert.equal(statusOf(check({ "x-server-from": "9" })), 404);
    assert.equal(statusOf(check({ "x-server-from": "abc" })), 404);
  });

  it("refuses ids that are none with 400", () => {
    for (const name of ["x-etcd-cluster-id", "x-server-from", "x-raft-to"]) {
      for (const value of [undefined, "", "xyz", "FEED", "0x1", "-1", "1".repeat(17), "1 ", ["1", "2"]]) {
        const headers = { ...good, [name]: value } as IncomingHttpHeaders;
        assert.equal(statusOf(check(headers)), 400, `${name}: ${value}`);
      }
    }
  });
});
