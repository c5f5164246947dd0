import assert from "node:assert/strict";
import { messageType, role } from "../../../../src/server/raft/index.ts";
import { makeMessage } from "../../../../src/server/raft/messages.ts";
import { TestCluster } from "./cluster.ts";

const production = { preVote: true, checkQuorum: true } as const;

describe("Three members", () => {
  it("elect one leader, and all apply what it commits, in order", () => {
    const cluster = new TestCluster(3, production);
    const leader = cluster.elect();
    for (let i = 0; i < 20; i++) assert.equal(cluster.propose(`${i}`, leader), true);
    for (const { texts } of cluster.up) assert.deepEqual(texts, leader.texts);
    assert.equal(leader.texts.length, 20);
  });

  it("take proposals at any member and pass them to the leader", () => {
    const cluster = new TestCluster(3, production);
    const leader = cluster.elect();
    const follower = cluster.up.find(({ id }) => id !== leader.id)!;
    assert.equal(cluster.propose("via a follower", follower), true);
    for (const { texts } of cluster.up) assert.deepEqual(texts, ["via a follower"]);
  });

  it("pass what one turn proposes on in as few messages as hold 64 of them each, in order", () => {
    for (const [coalesceAppends, counts] of [
      [true, [64, 36]],
      [false, Array.from({ length: 100 }, () => 1)],
    ] as const) {
      const cluster = new TestCluster(3, { ...production, coalesceAppends });
      const leader = cluster.elect();
      const follower = cluster.up.find(({ id }) => id !== leader.id)!;
      const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
      for (const text of texts) assert.equal(follower.raw.propose(Buffer.from(text)), true);
      const proposals = follower.raw.ready().messages.filter(({ type }) => type === messageType.prop);
      assert.deepEqual(
        proposals.map(({ entries }) => entries.length),
        counts,
      );
      for (const message of proposals) leader.raw.step(message);
      cluster.tick(1);
      assert.deepEqual(leader.texts, texts);
    }
  });

  it("pass no proposals on where that is switched off", () => {
    const cluster = new TestCluster(3, { disableProposalForwarding: true });
    const leader = cluster.elect();
    const follower = cluster.up.find(({ id }) => id !== leader.id)!;
    assert.equal(cluster.propose("via a follower", follower), false);
    assert.equal(cluster.propose("via the leader", leader), true);
    assert.deepEqual(follower.texts, ["via the leader"]);
  });

  it("go on without one of them, and bring it up to date when it is back", () => {
    const cluster = new TestCluster(3, production);
    const first = cluster.elect();
    cluster.isolated.add(first.id);
    const second = cluster.elect();
    assert.notEqual(second.id, first.id);
    for (let i = 0; i < 10; i++) assert.equal(cluster.propose(`${i}`, second), true);
    // Cut off, the old leader takes a proposal that nobody hears of, and steps down.
    first.raw.propose(Buffer.from("lost"));
    cluster.tick(25);
    assert.equal(first.raw.isLeader, false);
    cluster.isolated.clear();
    cluster.elect();
    cluster.tick(5);
    for (const { texts } of cluster.up) assert.deepEqual(texts, second.texts);
    assert.equal(second.texts.includes("lost"), false);
  });

  it("are not disturbed by one that was cut off and comes back", () => {
    const cluster = new TestCluster(3, production);
    const leader = cluster.elect();
    const { term } = leader.raw;
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    cluster.isolated.add(away.id);
    cluster.tick(100);
    cluster.isolated.clear();
    cluster.tick(30);
    assert.deepEqual([cluster.leader?.id, leader.raw.term, away.raw.leader], [leader.id, term, leader.id]);
  });

  it("send a snapshot to one that needs entries which are dropped", () => {
    const cluster = new TestCluster(3, production);
    const leader = cluster.elect();
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    cluster.isolated.add(away.id);
    for (let i = 0; i < 50; i++) cluster.propose(`${i}`, leader);
    for (const member of cluster.up) if (member !== away) member.compact();
    cluster.isolated.clear();
    cluster.tick(30);
    assert.deepEqual(away.texts, leader.texts);
    assert.equal(away.stable.firstIndex() > 2, true, "its log begins behind a snapshot");
    cluster.propose("after", leader);
    assert.equal(away.texts.at(-1), "after");
  });

  it("wait with a snapshot that cannot be opened at the moment", () => {
    const cluster = new TestCluster(3, production);
    const leader = cluster.elect();
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    cluster.isolated.add(away.id);
    for (let i = 0; i < 5; i++) cluster.propose(`${i}`, leader);
    leader.compact();
    leader.isSnapshotUnavailable = true;
    cluster.isolated.clear();
    cluster.tick(15);
    assert.notDeepEqual(away.texts, leader.texts);
    leader.isSnapshotUnavailable = false;
    cluster.tick(5);
    assert.deepEqual(away.texts, leader.texts);
  });

  it("keep all they have acknowledged over crashes of all of them", () => {
    const cluster = new TestCluster(3, production);
    cluster.propose("a");
    const leader = cluster.elect();
    leader.compact();
    cluster.propose("b");
    for (const member of cluster.up) member.crash();
    cluster.messages = [];
    for (const member of cluster.members.values()) member.start();
    cluster.elect();
    cluster.propose("c");
    for (const { texts } of cluster.up) assert.deepEqual(texts, ["a", "b", "c"]);
  });

  it("hand leadership over, also to one that is behind, and back", () => {
    const cluster = new TestCluster(3, production);
    const leader = cluster.elect();
    const target = cluster.up.find(({ id }) => id !== leader.id)!;
    cluster.isolated.add(target.id);
    cluster.propose("a", leader);
    cluster.isolated.clear();
    leader.raw.transferLeader(target.id);
    assert.equal(leader.raw.status().leadTransferee, target.id);
    cluster.settle();
    assert.equal(cluster.elect().id, target.id);
    // A follower passes the wish on.
    cluster.member(leader.id).raw.transferLeader(leader.id);
    cluster.settle();
    assert.equal(cluster.elect().id, leader.id);
  });

  it("confirm reads at any member, at an index no older than what was committed when they came", () => {
    const cluster = new TestCluster(3, production);
    const leader = cluster.elect();
    cluster.propose("a", leader);
    for (const member of cluster.up) {
      assert.equal(member.raw.readIndex(Buffer.from("read")), true);
      cluster.settle();
      assert.equal(member.reads.length, 1);
      assert.equal(member.reads[0]!.index >= leader.raw.committed, true);
      assert.equal(Buffer.from(member.reads[0]!.context).toString(), "read");
    }
  });

  it("confirm no read of a leader that was replaced and does not know it", () => {
    const cluster = new TestCluster(3, production);
    const old = cluster.elect();
    cluster.isolated.add(old.id);
    cluster.elect();
    cluster.propose("new");
    assert.equal(old.raw.readIndex(Buffer.from("stale")), old.raw.isLeader);
    cluster.settle();
    cluster.isolated.clear();
    cluster.tick(5);
    assert.deepEqual(old.reads, []);
  });

  it("grow to five and shrink again, by single changes and by joint ones", () => {
    const cluster = new TestCluster(3, production);
    cluster.add(4n);
    cluster.add(5n);
    cluster.propose("a");
    assert.deepEqual(cluster.changeMembers("l4").learners, [4n]);
    assert.deepEqual(cluster.changeMembers("v4").voters, [1n, 2n, 3n, 4n]);
    assert.deepEqual(cluster.changeMembers("v5").voters, [1n, 2n, 3n, 4n, 5n]);
    cluster.propose("b");
    cluster.tick(3);
    for (const { texts } of cluster.up) assert.deepEqual(texts, ["a", "b"]);
    const leader = cluster.elect();
    const others = cluster.up.filter(({ id }) => id !== leader.id);
    cluster.changeMembers(`r${others[0]!.id} r${others[1]!.id}`, leader);
    cluster.tick(3);
    assert.equal(leader.confState.voters.length, 3);
    assert.deepEqual(leader.confState.votersOutgoing, [], "it has left the joint configuration by itself");
    cluster.isolated.add(others[0]!.id).add(others[1]!.id);
    cluster.propose("c", leader);
    assert.equal(leader.texts.at(-1), "c");
  });

  it("elect another leader when theirs is removed", () => {
    const cluster = new TestCluster(3, { ...production, stepDownOnRemoval: true });
    const leader = cluster.elect();
    cluster.changeMembers(`r${leader.id}`, leader);
    assert.equal(leader.raw.role, role.follower);
    leader.crash();
    const next = cluster.elect();
    assert.equal(next.confState.voters.length, 2);
    assert.equal(cluster.propose("a", next), true);
    assert.deepEqual(next.texts, ["a"]);
  });

  it("send one append to each peer for all that was proposed between two Readys", () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect();
    for (let i = 0; i < 100; i++) leader.raw.propose(Buffer.from(`${i}`));
    const { messages } = leader.raw.ready();
    const appends = messages.filter(({ type }) => type === messageType.app);
    assert.deepEqual(
      appends.map(({ entries }) => entries.length),
      [100, 100],
    );
    const write = messages.find(({ type }) => type === messageType.storageAppend);
    assert.deepEqual(
      write?.responses.map(({ type }) => type),
      [messageType.appResp, messageType.storageAppendResp],
      "its own acknowledgement is one as well",
    );
  });

  it("tell the commit index to peers that have nothing new to get, once per Ready", () => {
    const cluster = new TestCluster(3);
    const leader = cluster.elect();
    const { term } = leader.raw;
    for (const text of ["a", "b"]) leader.raw.propose(Buffer.from(text));
    cluster.collect(leader);
    cluster.sync(leader);
    cluster.messages = [];
    const from = cluster.up.find(({ id }) => id !== leader.id)!.id;
    for (const index of [leader.raw.lastIndex - 1, leader.raw.lastIndex]) {
      leader.raw.step(makeMessage({ type: messageType.appResp, from, to: leader.id, term, index }));
    }
    const { messages } = leader.raw.ready();
    const appends = messages.filter(({ type }) => type === messageType.app);
    assert.equal(appends.length, 2);
    assert.ok(
      appends.every(({ commit, entries }) => commit === leader.raw.lastIndex && entries.length === 0),
    );
  });
});
