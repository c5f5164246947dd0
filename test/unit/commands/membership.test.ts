import assert from "node:assert/strict";
import { alarmType } from "../../../src/codec/index.ts";
import { RequestError } from "../../../src/lib/errors.ts";
import { cleanUp, freePort, metastore, startTestServer } from "./cli-process.ts";
import { type FakeMember, startFakeMember, stopFakeMembers } from "./fake-cluster.ts";

interface Ran {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(endpoints: string, ...args: string[]): Promise<Ran> {
  const { exitCode, stdout, stderr } = await metastore(args, { env: { METASTORE_ENDPOINTS: endpoints } });
  return { exitCode, out: stdout.toString("utf8"), err: stderr };
}

describe("The commands about members, as processes", function () {
  this.timeout(30_000);
  let fake: FakeMember;
  const own = "fedcba9876543210";

  beforeEach(async () => {
    fake = await startFakeMember();
  });
  afterEach(stopFakeMembers);
  after(cleanUp);

  it("list members as etcdctl does, as a table and as records", async () => {
    fake.node.memberList[0] = { ...fake.node.memberList[0]!, name: "", clientUrls: [], isLearner: true };
    const { endpoint } = fake;
    assert.deepEqual((await run(endpoint, "member", "list")).out.split("\n").slice(0, 2), [
      "2, started, m2, http://127.0.0.2:2380, http://127.0.0.1:2379, false",
      "9, unstarted, , http://127.0.0.9:2380, , true",
    ]);
    assert.equal(fake.node.barriers, 1);
    const table = await run(endpoint, "member", "list", "-o", "table", "--consistency", "s");
    assert.match(table.out, /^ID +STATUS +NAME +PEER URLS .*\n2 +started +m2 .*\n9 +unstarted +- .*true\n/);
    assert.equal(fake.node.barriers, 1, "a serializable list asks nobody else");
    const { clusterId, members } = JSON.parse((await run(endpoint, "member", "list", "-o", "json")).out);
    assert.equal(clusterId, "123456789abcdef");
    assert.deepEqual(members[2].id, own);
    const lines = (await run(endpoint, "member", "list", "-o", "jsonl")).out.trim().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      members,
    );
  });

  it("add a member and tell how to start it", async () => {
    const added = await run(fake.endpoint, "member", "add", "n4", "--peer-urls", "http://h:4", "--learner");
    assert.equal(added.exitCode, 0, added.err);
    assert.deepEqual(fake.node.changes, [["add", ["http://h:4"], true]]);
    const all = `m2=http://127.0.0.2:2380,m9=http://127.0.0.9:2380,n4=http://h:4,m${BigInt(`0x${own}`)}=http://`;
    assert.ok(
      added.out.startsWith(
        "Member 4d added as learner to cluster 123456789abcdef\n\n" +
          `ETCD_NAME="n4"\nETCD_INITIAL_CLUSTER="${all}`,
      ),
      added.out,
    );
    assert.match(
      added.out,
      /\nETCD_INITIAL_ADVERTISE_PEER_URLS="http:\/\/h:4"\nETCD_INITIAL_CLUSTER_STATE="existing"\n\nStart it with:\nmetastore serve --name n4 --initial-advertise-peer-urls http:\/\/h:4 --initial-cluster m2=\S+ --initial-cluster-state existing\n$/,
    );
    const record = JSON.parse(
      (await run(fake.endpoint, "member", "add", "n5", "--peer-urls", "http://h:5", "-o", "json")).out,
    );
    assert.deepEqual([record.member.id, record.member.started], ["4d", false]);
    assert.equal(record.environment.ETCD_NAME, "n5");
    assert.match(record.command, /^metastore serve --name n5 /);
  });

  it("remove, promote and update a member that is named by id or name", async () => {
    const { endpoint, node } = fake;
    const update = await run(endpoint, "member", "update", "0x2", "--peer-urls", "http://h:2,http://h:1");
    assert.deepEqual([update.exitCode, update.out], [0, "Member 2 updated in cluster 123456789abcdef\n"]);
    const promote = await run(endpoint, "member", "promote", "m9");
    assert.equal(promote.out, "Member 9 promoted in cluster 123456789abcdef\n");
    const remove = await run(endpoint, "member", "remove", "m2", "-o", "json");
    const { member, members } = JSON.parse(remove.out);
    assert.deepEqual([member.id, members.length], ["2", 2]);
    assert.deepEqual(node.changes, [
      ["update", 2n, ["http://h:1", "http://h:2"]],
      ["promote", 9n],
      ["remove", 2n],
    ]);
  });

  it("end with 3 for an unknown member, with 2 for URLs that are none, and ask for nothing then", async () => {
    const unknown = await run(fake.endpoint, "member", "remove", "m3");
    assert.deepEqual([unknown.exitCode, unknown.out], [3, ""]);
    assert.match(unknown.err, /^Error: no member has the id or name "m3"\nTry: +metastore member list/);
    assert.equal((await run(fake.endpoint, "member", "add", "n", "--peer-urls", "h:1")).exitCode, 2);
    assert.equal((await run(fake.endpoint, "member", "add", "n")).exitCode, 2);
    assert.deepEqual(fake.node.changes, []);
  });

  it("say what to do when the cluster refuses", async () => {
    fake.node.changeError = new RequestError("memberNotEnoughStarted");
    const refused = await run(fake.endpoint, "member", "remove", "m2");
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.err,
      /^Error: too few members .*\nWhy: +etcdserver: re-configuration failed due to not enough started members\nTry: +start the members/,
    );
    fake.node.changeError = new RequestError("unhealthy");
    const unhealthy = await run(
      fake.endpoint,
      "member",
      "add",
      "n",
      "--peer-urls",
      "http://h:1",
      "-o",
      "json",
    );
    assert.equal(unhealthy.exitCode, 4);
    const { error } = JSON.parse(unhealthy.out);
    assert.deepEqual([error.etcdCode, error.retryable, error.outcome], ["unhealthy", true, "not-applied"]);
  });

  it("show the leader, and say when there is none", async () => {
    const { endpoint, node } = fake;
    node.leaderId = 9n;
    assert.equal((await run(endpoint, "leader", "show")).out, "m9 (9)\n");
    const { leader, term } = JSON.parse((await run(endpoint, "leader", "show", "-o", "json")).out);
    assert.deepEqual([leader.id, leader.name, term], ["9", "m9", 3]);
    node.leaderId = 0n;
    const none = await run(endpoint, "leader", "show");
    assert.equal(none.exitCode, 4);
    assert.match(none.err, /^Error: the cluster has no leader\n/);
  });

  it("move the leader from wherever it is", async () => {
    const other = await startFakeMember(2n);
    fake.node.leaderId = 2n;
    const moved = await run(`${fake.endpoint},${other.endpoint}`, "leader", "move", "m9");
    assert.deepEqual([moved.exitCode, moved.out], [0, "Leadership transferred from 2 to 9\n"], moved.err);
    assert.deepEqual([fake.node.changes, other.node.changes], [[], [["moveLeader", 9n]]]);
  });

  it("find the leader where it advertises itself when no endpoint is its own", async () => {
    const { node } = fake;
    const leader = await startFakeMember();
    node.leaderId = 9n;
    node.memberList = node.memberList.map((member) =>
      member.id === 9n ? { ...member, clientUrls: [`http://${leader.endpoint}`] } : member,
    );
    const moved = await run(fake.endpoint, "move-leader", "2", "-o", "json");
    assert.equal(moved.exitCode, 0, moved.err);
    assert.deepEqual([JSON.parse(moved.out).from.id, JSON.parse(moved.out).to.id], ["9", "2"]);
    assert.deepEqual([node.changes, leader.node.changes], [[], [["moveLeader", 2n]]]);
    const already = await run(fake.endpoint, "leader", "move", "m9");
    assert.deepEqual([already.exitCode, already.out], [0, "m9 (9) is the leader already\n"]);
  });

  it("tell healthy endpoints from others, and end with 9 when some are not, 4 when none is", async () => {
    const down = `127.0.0.1:${await freePort()}`;
    const healthy = await run(fake.endpoint, "cluster", "health");
    assert.equal(healthy.exitCode, 0, healthy.err);
    assert.match(
      healthy.out,
      /^127\.0\.0\.1:\d+ is healthy: successfully committed proposal: took = [\d.]+ms\n$/,
    );
    const some = await run(`${fake.endpoint},${down}`, "endpoint", "health", "-o", "json");
    assert.equal(some.exitCode, 9);
    const document = JSON.parse(some.out);
    assert.equal(document.healthy, false);
    assert.deepEqual(
      document.endpoints.map((each: { endpoint: string; healthy: boolean; error?: string }) => [
        each.endpoint,
        each.healthy,
        each.error,
      ]),
      [
        [fake.endpoint, true, undefined],
        [down, false, "connection refused: nothing listens there"],
      ],
    );
    const none = await run(down, "cluster", "health", "-o", "table");
    assert.equal(none.exitCode, 4);
    assert.match(none.out, /^ENDPOINT +HEALTH +TOOK +ERROR\n\S+ +unhealthy /);
    fake.node.activeAlarms.push({ memberId: 9n, alarm: alarmType.noSpace });
    const alarm = await run(fake.endpoint, "cluster", "health");
    assert.equal(alarm.exitCode, 9);
    assert.match(alarm.out, / is unhealthy: active alarms: NOSPACE\n$/);
  });

  it("ask every member for its health with --cluster", async () => {
    const { node, endpoint } = fake;
    const other = await startFakeMember();
    node.memberList = node.memberList.map((member, i) => ({
      ...member,
      clientUrls: i === 0 ? [] : [`http://${i === 1 ? endpoint : other.endpoint}`],
    }));
    const { exitCode, out } = await run(endpoint, "cluster", "health", "--cluster", "-o", "jsonl");
    assert.equal(exitCode, 0);
    const endpoints = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).endpoint);
    assert.deepEqual(endpoints.toSorted(), [endpoint, other.endpoint].toSorted());
  });

  it("work against a server of one member", async () => {
    const server = await startTestServer();
    const { endpoint } = server;
    const listed = await run(endpoint, "member", "list");
    assert.match(
      listed.out,
      /^[0-9a-f]+, started, default, http:\/\/\S+, http:\/\/127\.0\.0\.1:\d+, false\n$/,
    );
    const [id] = listed.out.split(",");
    assert.equal((await run(endpoint, "leader", "show")).out, `default (${id})\n`);
    assert.equal((await run(endpoint, "cluster", "health", "--cluster")).exitCode, 0);
    assert.equal(
      (await run(endpoint, "leader", "move", "default")).out,
      `default (${id}) is the leader already\n`,
    );
    assert.equal(await server.stop(), 0);
  });
});
