import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as library from "../../../src/client/index.ts";
import { encodeMemberListResponse, encodeStatusResponse, type Member } from "../../../src/codec/index.ts";
import { ClusterObserver } from "../../../src/tui/cluster-observer.ts";
import { MetricsRequester } from "../../../src/tui/metrics-request.ts";
import { type FakeServer, Refusal, startFakeServer, stopFakeServers } from "../client/fake-server.ts";

const clusterId = 0x7b89n;
const unavailable = 14;

/** Three members behind scripted servers, and what each does when it is asked for its status. */
class FakeCluster {
  readonly servers: FakeServer[] = [];
  readonly behaviour: ("answers" | "silent" | "refuses")[] = ["answers", "answers", "answers"];
  members: Member[] = [];
  leader = 1n;
  moved: bigint[] = [];

  static async start(): Promise<FakeCluster> {
    const cluster = new FakeCluster();
    for (const index of [0, 1, 2])
      cluster.servers.push(await startFakeServer({ unary: cluster.#scripts(index) }));
    cluster.members = cluster.servers.map(({ endpoint }, index) => ({
      id: BigInt(index + 1),
      name: `n${index + 1}`,
      peerUrls: [`http://127.0.0.1:${index + 1}`],
      clientUrls: [`http://${endpoint}`],
      isLearner: false,
    }));
    return cluster;
  }

  #scripts(index: number) {
    const header = { clusterId, memberId: BigInt(index + 1), revision: 42, raftTerm: 3 };
    const behave = (answer: () => Buffer): Buffer | Promise<Buffer> => {
      if (this.behaviour[index] === "refuses") throw new Refusal(unavailable, "read ECONNRESET");
      return this.behaviour[index] === "silent" ? new Promise<Buffer>(() => {}) : answer();
    };
    return {
      "Maintenance/Status": () =>
        behave(() =>
          encodeStatusResponse({
            header,
            version: "3.6.0",
            dbSize: 100,
            leader: this.leader,
            raftIndex: 7,
            raftTerm: 3,
            raftAppliedIndex: 7,
            errors: [],
            dbSizeInUse: 50,
            isLearner: false,
            storageVersion: "3.6",
            dbSizeQuota: 1_000,
          }),
        ),
      "Cluster/MemberList": () => behave(() => encodeMemberListResponse({ header, members: this.members })),
      "Maintenance/MoveLeader": (request: Buffer) =>
        behave(() => {
          if (this.leader !== BigInt(index + 1)) throw new Refusal(9, "etcdserver: not leader");
          this.leader = BigInt(request[1]!);
          this.moved.push(this.leader);
          return Buffer.alloc(0);
        }),
    };
  }
}

describe("The observer of a cluster", () => {
  let cluster: FakeCluster;
  const open: ClusterObserver[] = [];

  function observe(endpoints: string, patienceMs = 300, timeoutMs = 800): ClusterObserver {
    const observer = new ClusterObserver({ library, connect: { endpoints }, patienceMs, timeoutMs });
    open.push(observer);
    return observer;
  }

  beforeEach(async () => {
    cluster = await FakeCluster.start();
  });
  afterEach(() => {
    for (const observer of open.splice(0)) observer.close();
    stopFakeServers();
  });

  it("finds all members through one endpoint, and asks each at its own address", async () => {
    const sample = await observe(cluster.servers[0]!.endpoint).sample();
    assert.equal(sample.clusterId, "7b89");
    assert.deepEqual(
      sample.members.map(({ name, endpoint, status, failure }) => [
        name,
        endpoint,
        status?.revision,
        failure,
      ]),
      cluster.servers.map(({ endpoint }, i) => [`n${i + 1}`, endpoint, 42, undefined]),
    );
    assert.deepEqual(sample.members[0]!.status?.leaderId, "1");
  });

  it("asks a member behind the endpoint that was named, though it tells another address", async () => {
    cluster.members[1] = { ...cluster.members[1]!, clientUrls: ["http://10.255.255.1:2379"] };
    const observer = observe(`${cluster.servers[0]!.endpoint},${cluster.servers[1]!.endpoint}`);
    const { members } = await observer.sample();
    assert.equal(members[1]!.endpoint, cluster.servers[1]!.endpoint);
    assert.equal(members[1]!.failure, undefined);
  });

  it("is not held up by a member that is silent, and calls it lost after the time-out, not before", async () => {
    const observer = observe(cluster.servers[0]!.endpoint);
    await observer.sample();
    cluster.behaviour[2] = "silent";
    const startedMs = performance.now();
    const first = await observer.sample();
    assert.ok(performance.now() - startedMs < 700, `${performance.now() - startedMs} ms`);
    assert.equal(first.members[2]!.failure, undefined, "its last answer stands for a while");
    let last = first;
    while (performance.now() - startedMs < 1_200) last = await observer.sample();
    assert.deepEqual(
      last.members.map(({ failure }) => failure),
      [undefined, undefined, "no answer in time"],
    );
    cluster.behaviour[2] = "answers";
    for (let tries = 0; tries < 10 && last.members[2]!.failure !== undefined; tries++)
      last = await observer.sample();
    assert.equal(last.members[2]!.failure, undefined);
  });

  it("says at once and in few words why a member cannot be reached", async () => {
    const observer = observe(cluster.servers[0]!.endpoint);
    await observer.sample();
    cluster.behaviour[1] = "refuses";
    const { members } = await observer.sample();
    assert.equal(members[1]!.failure, "connection closed");
  });

  it("takes the list from another member when the one it asked is gone", async () => {
    const observer = observe(cluster.servers[0]!.endpoint);
    await observer.sample();
    cluster.behaviour[0] = "refuses";
    cluster.leader = 2n;
    cluster.members = cluster.members.slice(0, 2);
    for (const expected of [3, 2]) {
      const { members } = await observer.sample();
      if (expected === 2) assert.equal(members.length, 2);
    }
  });

  it("keeps the members it knows when nobody answers, and has none to show when nobody ever did", async () => {
    const observer = observe(cluster.servers[0]!.endpoint);
    await observer.sample();
    cluster.behaviour.fill("refuses");
    const sample = await observer.sample();
    assert.equal(sample.members.length, 3);
    assert.ok(sample.members.every(({ failure }) => failure === "connection closed"));
    const stranger = await observe(cluster.servers[0]!.endpoint).sample();
    assert.deepEqual([stranger.members.length, stranger.failure], [0, "connection closed"]);
  });

  it("tells a member that has not started, or tells no usable address, from one that is lost", async () => {
    cluster.members[1] = { ...cluster.members[1]!, name: "", clientUrls: [] };
    cluster.members[2] = { ...cluster.members[2]!, name: "n\u001b[2J", clientUrls: ["no address at all"] };
    const { members } = await observe(cluster.servers[0]!.endpoint).sample();
    assert.deepEqual(
      members.map(({ name, failure }) => [name, failure]),
      [
        ["n1", undefined],
        ["", "not started"],
        ["n?[2J", "no usable address"],
      ],
    );
  });

  it("moves leadership by asking the leader, whichever endpoint was named", async () => {
    const observer = observe(cluster.servers[2]!.endpoint);
    await observer.sample();
    await observer.moveLeader("2");
    assert.deepEqual(cluster.moved, [2n]);
    cluster.behaviour.fill("refuses");
    await observer.sample();
    await assert.rejects(observer.moveLeader("1"), /no leader answers/);
  });
});

describe("The request for metrics", () => {
  let server: Server;
  let url: string;
  let answer: { status: number; body: string | undefined } = { status: 200, body: "" };

  before((done) => {
    server = createServer((_, response) => {
      if (answer.body === undefined) return;
      response.writeHead(answer.status);
      response.end(answer.body);
    }).listen(0, "127.0.0.1", () => {
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
      done();
    });
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it("answers the text, and nothing at all when there is none, none in time or no server", async () => {
    const requester = new MetricsRequester(undefined);
    try {
      answer = { status: 200, body: "etcd_mvcc_put_total 1" };
      assert.equal(await requester.request(url, 1_000), "etcd_mvcc_put_total 1");
      answer = { status: 404, body: "not here" };
      assert.equal(await requester.request(url, 1_000), undefined);
      answer = { status: 200, body: undefined };
      assert.equal(await requester.request(url, 100), undefined);
      assert.equal(await requester.request("http://127.0.0.1:1/metrics", 1_000), undefined);
    } finally {
      requester.close();
    }
  });
});
