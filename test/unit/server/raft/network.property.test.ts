import assert from "node:assert/strict";
import fc from "fast-check";
import type { Message } from "../../../../src/server/raft/index.ts";
import { TestCluster, type TestMember } from "./cluster.ts";

/** What may happen next; the numbers choose a member or a message. */
const step = fc.record({
  kind: fc.constantFrom(
    ...([
      "tick",
      "tick",
      "deliver",
      "deliver",
      "deliver",
      "deliver",
      "sync",
      "sync",
      "collect",
      "propose",
    ] as const),
    ...([
      "drop",
      "duplicate",
      "crash",
      "start",
      "compact",
      "read",
      "transfer",
      "isolate",
      "heal",
      "change",
    ] as const),
  ),
  choice: fc.nat(),
});

interface Expected {
  readonly reads: Map<string, number>;
  /** Term and text by index, as somebody has applied them first. */
  readonly committedMax: { index: number };
}

function pick<T>(from: readonly T[], choice: number): T | undefined {
  return from[choice % Math.max(1, from.length)];
}

/** Every prefix that a member has applied is a prefix of what another has. */
function checkAgreement(cluster: TestCluster): void {
  const lists = [...cluster.members.values()].map(({ texts }) => texts).sort((a, b) => a.length - b.length);
  const longest = lists.at(-1)!;
  for (const texts of lists) assert.deepEqual(texts, longest.slice(0, texts.length));
}

function checkReads(member: TestMember, expected: Expected): void {
  for (const { index, context } of member.reads) {
    const asked = expected.reads.get(Buffer.from(context).toString());
    assert.ok(
      asked !== undefined && index >= asked,
      `a read at ${index} that came when ${asked} was committed`,
    );
  }
  member.reads = [];
}

function act(cluster: TestCluster, expected: Expected, kind: string, choice: number, at: number): void {
  const member = pick([...cluster.members.values()], choice)!;
  const takeMessage = (): Message | undefined => {
    const message = pick(cluster.messages, choice);
    if (message !== undefined) cluster.messages.splice(choice % cluster.messages.length, 1);
    return message;
  };
  if (kind === "deliver") {
    const message = takeMessage();
    if (message !== undefined) cluster.deliver(message);
  } else if (kind === "run") {
    // Things go well for a while.
    for (let i = 0; i < choice % 20; i++) {
      for (const each of cluster.up) cluster.sync(each);
      const message = cluster.messages.shift();
      if (message !== undefined) cluster.deliver(message);
    }
  } else if (kind === "drop") {
    const message = takeMessage();
    if (message !== undefined) cluster.members.get(message.from)?.raw.reportUnreachable(message.to);
  } else if (kind === "duplicate") {
    const message = pick(cluster.messages, choice);
    if (message !== undefined) cluster.messages.push(message);
  } else if (kind === "heal") {
    cluster.isolated.clear();
  } else if (kind === "start") {
    if (!member.isUp) member.start();
  } else if (member.isUp) {
    actOn(cluster, member, expected, kind, choice, at);
  }
}

function actOn(
  cluster: TestCluster,
  member: TestMember,
  expected: Expected,
  kind: string,
  choice: number,
  at: number,
): void {
  const other = BigInt(1 + (choice % 3));
  if (kind === "tick") for (let i = 0; i < 3; i++) member.raw.tick();
  else if (kind === "sync") cluster.sync(member);
  else if (kind === "collect") cluster.collect(member);
  else if (kind === "propose") member.raw.propose(Buffer.from(`${at}`));
  else if (kind === "crash") member.crash();
  else if (kind === "compact") member.compact();
  else if (kind === "transfer") member.raw.transferLeader(other);
  else if (kind === "isolate") cluster.isolated.add(member.id);
  else if (kind === "change") {
    const context = new Uint8Array(0);
    const type = choice % 2 === 0 ? 0 : 3;
    member.raw.proposeConfChange({
      transition: (choice % 3) as 0 | 1 | 2,
      changes: [{ type, nodeId: other }],
      context,
    });
  } else if (kind === "read") {
    expected.reads.set(`${at}`, expected.committedMax.index);
    member.raw.readIndex(Buffer.from(`${at}`));
  }
}

function runSchedule(
  steps: readonly { readonly kind: string; readonly choice: number }[],
  config: { preVote: boolean; checkQuorum: boolean; coalesceAppends: boolean },
): void {
  const cluster = new TestCluster(3, config);
  const expected: Expected = { reads: new Map(), committedMax: { index: 0 } };
  cluster.elect();
  for (const [at, { kind, choice }] of steps.entries()) {
    act(cluster, expected, kind, choice, at);
    for (const member of cluster.up) {
      expected.committedMax.index = Math.max(expected.committedMax.index, member.raw.committed);
      checkReads(member, expected);
    }
    checkAgreement(cluster);
  }
  // Whatever has happened, with all of them back they agree and go on.
  cluster.isolated.clear();
  for (const member of cluster.members.values()) if (!member.isUp) member.start();
  cluster.settle();
  cluster.tick(50);
  cluster.elect();
  cluster.propose("last");
  cluster.tick(30);
  checkAgreement(cluster);
  const leader = cluster.elect();
  assert.equal(leader.texts.at(-1), "last");
  for (const { texts } of cluster.up) assert.deepEqual(texts, leader.texts);
}

describe("Three members over a network and disks that do anything", () => {
  it("never disagree, never answer a stale read, and go on when they are left in peace", () => {
    const runs = Number(process.env["METASTORE_RAFT_RUNS"] ?? 60);
    const config = fc.record({
      preVote: fc.boolean(),
      checkQuorum: fc.boolean(),
      coalesceAppends: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 400, size: "max" }), config, runSchedule),
      {
        numRuns: runs,
      },
    );
  });
});
