import assert from "node:assert/strict";
import { encodeRangeRequest } from "../../../../src/codec/index.ts";
import { RequestError } from "../../../../src/lib/errors.ts";
import { Guard } from "../../../../src/server/api/guard.ts";
import { rpcTable } from "../../../../src/server/api/index.ts";
import { FakeApi, FakeContext, FakeStream, tableOptions } from "./fake-call.ts";
import { FakeNode } from "./fake-node.ts";
import { rangeRequest } from "./requests.ts";

describe("Guard", () => {
  let node: FakeNode;
  let guard: Guard;

  beforeEach(() => {
    node = new FakeNode();
    guard = new Guard(node, tableOptions);
  });

  function codeOf(fn: () => void): string {
    try {
      fn();
    } catch (error) {
      return error instanceof RequestError ? error.code : String(error);
    }
    return "admitted";
  }

  const admit = (metadata: Record<string, string>, isServedByLearner = false): string =>
    codeOf(() => guard.admit(new FakeContext(metadata), isServedByLearner));

  it("admits what has nothing special about it", () => {
    assert.equal(admit({}), "admitted");
    assert.equal(admit({ hasleader: "true", "client-api-version": "3.6" }), "admitted");
  });

  it("refuses a client API version that is not UTF-8, and takes one that is", () => {
    assert.equal(admit({ "client-api-version": "\xff\xfe" }), "invalidClientApiVersion");
    assert.equal(admit({ "client-api-version": Buffer.from("3.6ü").toString("latin1") }), "admitted");
  });

  it("refuses without a leader only those who ask for one", () => {
    node.leaderId = 0n;
    assert.equal(admit({ hasleader: "true" }), "noLeader");
    assert.equal(admit({ hasleader: "false" }), "admitted");
    assert.equal(admit({}), "admitted");
  });

  it("lets a learner serve what learners serve", async () => {
    node.isLearner = true;
    assert.equal(admit({}), "learner");
    assert.equal(admit({}, true), "admitted");
    const api = new FakeApi(node);
    await api.call("/etcdserverpb.Maintenance/Status", Buffer.alloc(0));
    const path = "/etcdserverpb.KV/Range";
    await api.call(path, encodeRangeRequest(rangeRequest("a", { serializable: true })));
    await api.rejects(path, encodeRangeRequest(rangeRequest("a")), "learner");
  });

  it("lets a learner serve nothing else of what a client may call", async () => {
    node.isLearner = true;
    const api = new FakeApi(node);
    const others = rpcTable.filter(
      ({ path, isServed }) =>
        isServed &&
        !path.startsWith("/grpc.health") &&
        !/^\/etcdserverpb\.Maintenance\/(Status|Snapshot)$/.test(path),
    );
    assert.ok(others.length > 15);
    for (const { path, kind } of others) {
      const method = api.methods.get(path);
      assert.ok(method);
      const stream = new FakeStream();
      let error: unknown;
      try {
        if (method.kind === "unary") await method.handle(Buffer.alloc(0), stream.context);
        else if (method.kind === "serverStream") method.handle(Buffer.alloc(0), stream);
        else method.handle(stream);
        await new Promise((resolve) => setImmediate(resolve));
        error = stream.ended;
      } catch (thrown) {
        error = thrown;
      }
      assert.ok(
        error instanceof RequestError && error.code === "learner",
        `${path} (${kind}): ${String(error)}`,
      );
    }
  });

  it("checks in etcd's order: learner, version, leader", () => {
    node.leaderId = 0n;
    const all = { hasleader: "true", "client-api-version": "\xff" };
    assert.equal(admit(all), "invalidClientApiVersion");
    node.isLearner = true;
    assert.equal(admit(all), "learner");
  });

  it("lets everything pass the quota that costs nothing", () => {
    node.quotaBytes = 0;
    assert.equal(guard.refuseByQuota(0), undefined);
  });

  it("checks a stream before it watches it", () => {
    node.leaderId = 0n;
    const stream = new FakeStream({ hasleader: "true" });
    assert.equal(
      codeOf(() => guard.admitStream(stream, () => assert.fail("never admitted"))),
      "noLeader",
    );
  });
});
