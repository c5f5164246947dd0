import assert from "node:assert/strict";
import { silentLog } from "../../../../src/lib/log.ts";
import { Applier } from "../../../../src/server/node/applier.ts";
import {
  type ConfChange,
  type ConfChangeType,
  confChangeType,
  type Entry,
  emptyConfState,
  encodeConfChange,
  entryType,
} from "../../../../src/server/raft/index.ts";
import { type Command, encodeCommand, encodeMemberChange } from "../../../../src/server/state/index.ts";
import { SimClock } from "../../../sim/clock.ts";
import { createState } from "../../../sim/member.ts";
import { rangeRequest } from "../api/requests.ts";
import { putRequest } from "./node-world.ts";

const run = { proposer: 1n, runId: 7 };

function setUp() {
  const answers: unknown[] = [];
  const installed: ConfChange[] = [];
  const seen: string[] = [];
  const atHand = new Map<number, Command>();
  const state = createState();
  const applier = new Applier({
    state,
    clock: new SimClock(),
    log: silentLog,
    run,
    slowMs: 1_000,
    observer: undefined,
    position: { index: 0, term: 0 },
    sink: {
      command: (sequence) => atHand.get(sequence),
      resolve: (sequence, answer) => answers.push([sequence, answer]),
      reject: (sequence, error) => answers.push([sequence, error.message]),
      confChange: (change) => installed.push(change),
      membersChanged: () => seen.push("members changed"),
      emptyEntry: (entry) => seen.push(`empty ${entry.index}`),
      leaseGranted: (ttl) => seen.push(`granted ${ttl}`),
      leaseRevoked: (id) => seen.push(`revoked ${id}`),
      applied: () => assert.fail("this state loads nothing"),
    },
  });
  let index = 0;
  const apply = (type: Entry["type"], data: Uint8Array): void =>
    assert.equal(applier.apply([{ term: 3, index: ++index, type, data }]), undefined);
  const command = (each: Command, id: { proposer: bigint; runId: number } = run): void =>
    apply(entryType.normal, encodeCommand({ ...id, sequence: index + 1 }, each));
  const change = (type: ConfChangeType, nodeId: bigint, peerUrls: readonly string[], by = run): void => {
    const id = { ...by, sequence: index + 1 };
    const context = encodeMemberChange({ id, peerUrls, isPromotion: false, learnersMax: 0 });
    apply(entryType.confChange, encodeConfChange({ type, nodeId, context }));
  };
  return { applier, state, answers, installed, seen, atHand, apply, command, change };
}

describe("Applier", () => {
  it("answers the commands of its own run, and nobody for those of others", () => {
    const { applier, answers, command, state } = setUp();
    command({ kind: "put", request: putRequest("a", "1") });
    command({ kind: "put", request: putRequest("a", "2") }, { proposer: 1n, runId: 6 });
    command({ kind: "put", request: putRequest("a", "3") }, { proposer: 2n, runId: 7 });
    assert.equal(answers.length, 1);
    assert.equal(state.store.currentRevision, 4);
    assert.deepEqual([applier.index, applier.term], [3, 3]);
  });

  it("applies a command of its own run as it is at hand, and decodes that of any other", async () => {
    const { atHand, command, state } = setUp();
    const valueNow = async (): Promise<string | undefined> =>
      (await state.store.range(rangeRequest("a"))).kvs[0]?.value;
    const asProposed: Command = { kind: "put", request: putRequest("a", "at hand") };
    for (const sequence of [1, 2]) atHand.set(sequence, asProposed);
    command({ kind: "put", request: putRequest("a", "in the log") });
    assert.equal(await valueNow(), "at hand");
    command({ kind: "put", request: putRequest("a", "in the log") }, { proposer: 1n, runId: 6 });
    assert.equal(await valueNow(), "in the log");
  });

  it("answers a refusal by the state as an answer, and throws whatever else goes wrong", () => {
    const { answers, command, apply } = setUp();
    command({ kind: "leaseRevoke", request: { id: 5n } });
    assert.deepEqual(answers, [[1, "etcdserver: requested lease not found"]]);
    assert.throws(() => apply(entryType.normal, Buffer.from([1, 2, 3])), { name: "DecodeError" });
  });

  it("installs a membership change that the state takes, and none in place of one that it refuses", () => {
    const { answers, installed, change, seen } = setUp();
    change(confChangeType.addNode, 5n, ["http://a:1"]);
    change(confChangeType.addNode, 6n, ["http://a:1"]);
    assert.deepEqual(
      installed.map(({ nodeId }) => nodeId),
      [5n, 0n],
    );
    assert.deepEqual(seen, ["members changed"]);
    assert.deepEqual(answers[1], [2, "etcdserver: Peer URLs already exists"]);
  });

  it("answers nobody for membership changes of other runs", () => {
    const { answers, installed, change } = setUp();
    change(confChangeType.addNode, 5n, ["http://a:1"], { proposer: 1n, runId: 6 });
    change(confChangeType.addNode, 6n, ["http://b:1"], { proposer: 2n, runId: 7 });
    assert.equal(installed.length, 2);
    assert.deepEqual(answers, []);
  });

  it("tells of empty entries, of leases granted and revoked, and goes on behind a snapshot", () => {
    const { applier, seen, apply, command } = setUp();
    apply(entryType.normal, Buffer.alloc(0));
    command({ kind: "leaseGrant", id: 9n, ttl: 20, leaseTimeMs: 0 });
    command({ kind: "leaseRevoke", request: { id: 9n } });
    assert.deepEqual(seen, ["empty 1", "granted 20", "revoked 9"]);
    applier.restored({ index: 70, term: 4, confState: emptyConfState });
    assert.deepEqual([applier.index, applier.term], [70, 4]);
  });
});
