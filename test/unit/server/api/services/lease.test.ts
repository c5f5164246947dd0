import assert from "node:assert/strict";
import {
  decodeLeaseGrantResponse,
  decodeLeaseKeepAliveResponse,
  decodeLeaseLeasesResponse,
  decodeLeaseRevokeResponse,
  decodeLeaseTimeToLiveResponse,
  encodeLeaseGrantRequest,
  encodeLeaseKeepAliveRequest,
  encodeLeaseRevokeRequest,
  encodeLeaseTimeToLiveRequest,
} from "../../../../../src/codec/index.ts";
import { DecodeError, RequestError } from "../../../../../src/lib/errors.ts";
import { limits } from "../../../../../src/lib/limits.ts";
import { FakeApi, type FakeStream, until } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";
import { putRequest } from "../requests.ts";

const LEASE = "/etcdserverpb.Lease";
const ID = -9_223_372_036_854_775_808n;

describe("Lease service", () => {
  let node: FakeNode;
  let api: FakeApi;

  beforeEach(() => {
    node = new FakeNode();
    api = new FakeApi(node);
  });

  const grant = (ttl: number, id: bigint) =>
    api.call(`${LEASE}/LeaseGrant`, encodeLeaseGrantRequest({ ttl, id }));
  const keepAlive = (id: bigint) => encodeLeaseKeepAliveRequest({ id });
  const ttls = (stream: FakeStream) => stream.sent.map((m) => decodeLeaseKeepAliveResponse(m).ttl);

  it("grants with the given or a chosen id, and shows the TTL that was raised", async () => {
    const given = decodeLeaseGrantResponse(await grant(10, ID));
    assert.deepEqual([given.id, given.ttl, given.error], [ID, 10, ""]);
    assert.deepEqual(given.header, {
      clusterId: node.clusterId,
      memberId: node.memberId,
      revision: 1,
      raftTerm: 3,
    });
    const chosen = decodeLeaseGrantResponse(await grant(-5, 0n));
    assert.notEqual(chosen.id, 0n);
    assert.equal(chosen.ttl, 2);
    await api.rejects(`${LEASE}/LeaseGrant`, encodeLeaseGrantRequest({ ttl: 10, id: ID }), "leaseExists");
  });

  it("checks the quota, then the TTL", async () => {
    const tooLong = encodeLeaseGrantRequest({ ttl: limits.leaseTtlSecondsMax + 1, id: 1n });
    await api.rejects(`${LEASE}/LeaseGrant`, tooLong, "leaseTtlTooLarge");
    assert.equal(node.commands.length, 0);
    node.quotaBytes = 0;
    await api.rejects(`${LEASE}/LeaseGrant`, tooLong, "noSpace");
  });

  it("revokes with the keys, and tells of an unknown lease", async () => {
    await grant(10, 7n);
    node.kv.put(putRequest("a", "1", { lease: 7n }));
    const answer = decodeLeaseRevokeResponse(
      await api.call(`${LEASE}/LeaseRevoke`, encodeLeaseRevokeRequest({ id: 7n })),
    );
    assert.equal(answer.header?.revision, 3);
    assert.equal(answer.header?.memberId, node.memberId);
    await api.rejects(`${LEASE}/LeaseRevoke`, encodeLeaseRevokeRequest({ id: 7n }), "leaseNotFound");
  });

  it("tells the time to live, the keys, and -1 of an unknown lease", async () => {
    await grant(100, 7n);
    node.kv.put(putRequest("a", "1", { lease: 7n }));
    const ask = async (id: bigint, keys: boolean) =>
      decodeLeaseTimeToLiveResponse(
        await api.call(`${LEASE}/LeaseTimeToLive`, encodeLeaseTimeToLiveRequest({ id, keys })),
      );
    const known = await ask(7n, true);
    assert.ok(known.ttl >= 98 && known.ttl <= 100);
    assert.deepEqual([known.grantedTtl, known.keys, known.header?.revision], [100, ["a"], 2]);
    assert.deepEqual((await ask(7n, false)).keys, []);
    const unknown = await ask(8n, true);
    assert.deepEqual([unknown.id, unknown.ttl, unknown.grantedTtl], [8n, -1, 0]);
  });

  it("lists the leases", async () => {
    await grant(100, 7n);
    await grant(50, ID);
    const answer = decodeLeaseLeasesResponse(await api.call(`${LEASE}/LeaseLeases`, Buffer.alloc(0)));
    assert.deepEqual(answer.leases, [{ id: ID }, { id: 7n }]);
    assert.equal(answer.header?.clusterId, node.clusterId);
  });

  describe("keep-alive", () => {
    it("answers each request in order, TTL 0 for an unknown lease, and ends with the caller", async () => {
      await grant(10, 1n);
      await grant(20, 2n);
      const stream = api.open(`${LEASE}/LeaseKeepAlive`);
      for (const id of [1n, 9n, 2n, 1n]) stream.receive(keepAlive(id));
      await until(() => stream.sent.length === 4);
      assert.deepEqual(ttls(stream), [10, 0, 20, 10]);
      assert.deepEqual(
        stream.sent.map((message) => decodeLeaseKeepAliveResponse(message).id),
        [1n, 9n, 2n, 1n],
      );
      stream.halfClose();
      assert.equal(stream.ended, "ok");
    });

    it("keeps the order when renewals finish out of order, and makes the header before the renewal", async () => {
      const renewals: ((ttl: number) => void)[] = [];
      node.leaseRenew = () => new Promise((resolve) => renewals.push(resolve));
      const stream = api.open(`${LEASE}/LeaseKeepAlive`);
      for (const id of [1n, 2n, 3n]) stream.receive(keepAlive(id));
      node.kv.put(putRequest("a", "1"));
      stream.halfClose();
      renewals[2]?.(30);
      renewals[1]?.(20);
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(ttls(stream), []);
      renewals[0]?.(10);
      await until(() => stream.ended === "ok");
      assert.deepEqual(ttls(stream), [10, 20, 30]);
      assert.deepEqual(
        stream.sent.map((message) => decodeLeaseKeepAliveResponse(message).header?.revision),
        [1, 1, 1],
      );
    });

    it("ends with the error of a renewal that fails, once", async () => {
      node.leaseRenew = () => Promise.reject(new RequestError("notPrimaryLessor"));
      const stream = api.open(`${LEASE}/LeaseKeepAlive`);
      stream.receive(keepAlive(1n));
      stream.receive(keepAlive(2n));
      await until(() => stream.ended !== undefined);
      assert.ok(stream.ended instanceof RequestError && stream.ended.code === "notPrimaryLessor");
      assert.deepEqual(stream.sent, []);
    });

    it("ends on bytes that are no request", () => {
      const stream = api.open(`${LEASE}/LeaseKeepAlive`);
      stream.receive(Buffer.from([0x08]));
      assert.ok(stream.ended instanceof DecodeError);
    });

    it("reads no more while too many renewals wait or answers are not taken", async () => {
      let open = 0;
      const renewals: (() => void)[] = [];
      node.leaseRenew = () => {
        open++;
        return new Promise((resolve) => renewals.push(() => resolve(5)));
      };
      const stream = api.open(`${LEASE}/LeaseKeepAlive`);
      for (let i = 0; i < 5_000; i++) stream.receive(keepAlive(BigInt(i + 1)));
      assert.equal(open, limits.keepAlivesInFlightPerStreamMax);
      stream.isReading = false;
      for (const resolve of renewals.splice(0)) resolve();
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(stream.isPaused);
      assert.ok(open < 2 * limits.keepAlivesInFlightPerStreamMax + 10);
      await until(() => {
        stream.take();
        for (const resolve of renewals.splice(0)) resolve();
        return stream.sent.length === 5_000;
      });
    });

    it("forgets the call when the caller cancels", async () => {
      let resolveRenewal: (ttl: number) => void = () => {};
      node.leaseRenew = () =>
        new Promise((resolve) => {
          resolveRenewal = resolve;
        });
      const stream = api.open(`${LEASE}/LeaseKeepAlive`);
      stream.receive(keepAlive(1n));
      stream.context.cancel();
      resolveRenewal(5);
      await new Promise((resolve) => setImmediate(resolve));
      stream.receive(keepAlive(1n));
      assert.deepEqual(stream.sent, []);
    });

    it("requires a leader when it is asked to", () => {
      node.leaderId = 0n;
      const stream = api.open(`${LEASE}/LeaseKeepAlive`, { hasleader: "true" });
      assert.ok(stream.ended instanceof RequestError && stream.ended.code === "noLeader");
    });
  });
});
