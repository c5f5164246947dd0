import assert from "node:assert/strict";
import { connect, type MetaStoreClient, MetaStoreError } from "../../../src/client/index.ts";
import {
  decodeMemberAddRequest,
  decodeMemberIdRequest,
  decodeMemberUpdateRequest,
  decodeMoveLeaderRequest,
  encodeAlarmResponse,
  encodeHeaderOnlyResponse,
  encodeMemberAddResponse,
  encodeMembersResponse,
  encodePutResponse,
  encodeRangeResponse,
  encodeStatusResponse,
  type Member,
} from "../../../src/codec/index.ts";
import { errorTable, grpcCode } from "../../../src/lib/errors.ts";
import { type FakeServer, Refusal, startFakeServer, stopFakeServers, unusedPort } from "./fake-server.ts";

const header = { clusterId: 1n, memberId: 2n, revision: 7, raftTerm: 3 };
const member: Member = {
  id: 0xf47d65768e3e6222n,
  name: "",
  peerUrls: ["http://10.0.0.4:2380"],
  clientUrls: [],
  isLearner: true,
};
const noAlarms = encodeAlarmResponse({ header, alarms: [] });
const emptyRange = encodeRangeResponse({ header, kvs: [], more: false, count: 0 });

function statusOf(memberId: bigint, leader: bigint): Buffer {
  return encodeStatusResponse({
    header: { ...header, memberId },
    version: "3.6.0",
    dbSize: 1,
    leader,
    raftIndex: 9,
    raftTerm: 3,
    raftAppliedIndex: 9,
    errors: [],
    dbSizeInUse: 1,
    isLearner: false,
    storageVersion: "3.6.0",
    dbSizeQuota: 0,
  });
}

describe("calls about members", () => {
  const clients: MetaStoreClient[] = [];
  const open = (...args: Parameters<typeof connect>): MetaStoreClient => {
    const client = connect(...args);
    clients.push(client);
    return client;
  };
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    stopFakeServers();
  });

  it("add, remove, update and promote a member by its 64-bit id", async () => {
    const asked: unknown[] = [];
    const all = encodeMembersResponse({ header, members: [member] });
    const server = await startFakeServer({
      unary: {
        "Cluster/MemberAdd": (request) => {
          asked.push(decodeMemberAddRequest(request));
          return encodeMemberAddResponse({ header, member, members: [member] });
        },
        "Cluster/MemberRemove": (request) => {
          asked.push(decodeMemberIdRequest(request));
          return all;
        },
        "Cluster/MemberUpdate": (request) => {
          asked.push(decodeMemberUpdateRequest(request));
          return all;
        },
        "Cluster/MemberPromote": (request) => {
          asked.push(decodeMemberIdRequest(request));
          return all;
        },
      },
    });
    const { cluster } = open({ endpoints: server.endpoint });
    const added = await cluster.memberAdd(member.peerUrls, { learner: true });
    assert.deepEqual(added, { header, member, members: [member] });
    await cluster.memberAdd(["http://a:1"]);
    assert.deepEqual(await cluster.memberRemove(member.id), { header, members: [member] });
    await cluster.memberUpdate(member.id, ["http://b:1"]);
    await cluster.memberPromote(member.id);
    const { id } = member;
    assert.deepEqual(asked, [
      { peerUrls: member.peerUrls, isLearner: true },
      { peerUrls: ["http://a:1"], isLearner: false },
      { id },
      { id, peerUrls: ["http://b:1"] },
      { id },
    ]);
  });

  it("say that a refused change did not happen, also where the code leaves it open", async () => {
    for (const name of ["memberNotEnoughStarted", "unhealthy", "memberNotFound", "peerUrlExists"] as const) {
      const { grpc, text } = errorTable[name];
      const server = await startFakeServer({
        unary: {
          "Cluster/MemberRemove": () => {
            throw new Refusal(grpc, text);
          },
        },
      });
      await assert.rejects(
        open({ endpoints: server.endpoint }).cluster.memberRemove(5n),
        (error) =>
          error instanceof MetaStoreError && error.etcdCode === name && error.outcome === "not-applied",
        name,
      );
    }
  });

  it("move the leader where the leader is, wherever among the endpoints", async () => {
    const moved: string[] = [];
    const start = (name: string, id: bigint): Promise<FakeServer> =>
      startFakeServer({
        unary: {
          "Maintenance/Status": () => statusOf(id, 12n),
          "Maintenance/MoveLeader": (request) => {
            moved.push(`${name} to ${decodeMoveLeaderRequest(request).targetId}`);
            return encodeHeaderOnlyResponse({ header: undefined });
          },
        },
      });
    const servers = [await start("a", 11n), await start("b", 12n), await start("c", 13n)];
    const endpoints = servers.map(({ endpoint }) => endpoint);
    await open({ endpoints }).maintenance.moveLeader(13n);
    assert.deepEqual(moved, ["b to 13"]);
    await open({ endpoints }).maintenance.moveLeader(13n, { endpointIndex: 2 });
    assert.deepEqual(moved, ["b to 13", "c to 13"]);
    await assert.rejects(
      open({ endpoints: [endpoints[0]!, endpoints[2]!] }).maintenance.moveLeader(11n),
      (error) => error instanceof MetaStoreError && error.etcdCode === "notLeader",
    );
  });

  it("ask all endpoints for their status at once, and do not wait for one that is down", async () => {
    const server = await startFakeServer({ unary: { "Maintenance/Status": () => statusOf(11n, 11n) } });
    const down = `127.0.0.1:${await unusedPort()}`;
    const startedMs = performance.now();
    const statuses = await open({ endpoints: [down, server.endpoint] }).maintenance.statuses();
    assert.ok(performance.now() - startedMs < 2_000);
    assert.deepEqual(
      statuses.map(({ endpoint, endpointIndex, status, error }) => [
        endpoint,
        endpointIndex,
        status?.header?.memberId,
        error?.code,
      ]),
      [
        [down, 0, undefined, "UNAVAILABLE"],
        [server.endpoint, 1, 11n, undefined],
      ],
    );
  });

  it("tell healthy endpoints from those that are down, without quorum or under an alarm", async () => {
    const refusing = (grpc: number, text: string) => () => {
      throw new Refusal(grpc, text);
    };
    const servers = await Promise.all([
      startFakeServer({ unary: { "KV/Range": () => emptyRange, "Maintenance/Alarm": () => noAlarms } }),
      startFakeServer({
        unary: {
          "KV/Range": refusing(grpcCode.permissionDenied, "etcdserver: permission denied"),
          "Maintenance/Alarm": () => noAlarms,
        },
      }),
      startFakeServer({ unary: { "KV/Range": refusing(grpcCode.unavailable, errorTable.timeout.text) } }),
      startFakeServer({
        unary: {
          "KV/Range": () => emptyRange,
          "Maintenance/Alarm": () => encodeAlarmResponse({ header, alarms: [{ memberId: 3n, alarm: 1 }] }),
        },
      }),
    ]);
    const healths = await open({ endpoints: servers.map(({ endpoint }) => endpoint) }).maintenance.healths();
    assert.deepEqual(
      healths.map(({ isHealthy, error, alarms }) => [
        isHealthy,
        error?.message,
        alarms.map(({ type }) => type),
      ]),
      [
        [true, undefined, []],
        [true, undefined, []],
        [false, errorTable.timeout.text, []],
        [false, undefined, ["noSpace"]],
      ],
    );
    assert.ok(healths.every(({ tookMs }) => tookMs >= 0));
  });

  it("call a learner healthy while it follows a leader", async () => {
    const { grpc, text } = errorTable.learner;
    const start = (leader: bigint) =>
      startFakeServer({
        unary: {
          "Maintenance/Status": () => statusOf(11n, leader),
          "KV/Range": () => {
            throw new Refusal(grpc, text);
          },
        },
      });
    const servers = [await start(12n), await start(0n)];
    const healths = await open({ endpoints: servers.map(({ endpoint }) => endpoint) }).maintenance.healths();
    assert.deepEqual(
      healths.map(({ isHealthy, error }) => [isHealthy, error?.etcdCode]),
      [
        [true, "learner"],
        [false, "learner"],
      ],
    );
  });

  it("leave a member that is cut off, although the write that it failed is not repeated", async () => {
    let writes = 0;
    const cutOff = await startFakeServer({
      unary: {
        "KV/Put": () => {
          writes += 1;
          throw new Refusal(grpcCode.unavailable, errorTable.timeout.text);
        },
      },
    });
    const other = await startFakeServer({
      unary: { "KV/Put": () => encodePutResponse({ header, prevKv: undefined }) },
    });
    const { kv } = open({ endpoints: [cutOff.endpoint, other.endpoint] });
    await assert.rejects(
      kv.put("a", "1"),
      (error) => error instanceof MetaStoreError && error.outcome === "unknown",
    );
    await kv.put("a", "2");
    assert.equal(writes, 1);
  });
});
