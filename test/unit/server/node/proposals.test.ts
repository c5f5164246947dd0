import assert from "node:assert/strict";
import { RequestError } from "../../../../src/lib/errors.ts";
import { Proposals } from "../../../../src/server/node/proposals.ts";
import type { Command } from "../../../../src/server/state/index.ts";
import { SimClock } from "../../../sim/clock.ts";

const limits = { timeoutMs: 7000, countMax: 3, sizeBytesMax: 100 };

describe("Proposals", () => {
  it("answers each command once", async () => {
    const proposals = new Proposals(new SimClock(), limits);
    const sequence = proposals.nextSequence();
    const answer = proposals.wait(sequence, 10);
    proposals.resolve(sequence, "first");
    proposals.resolve(sequence, "second");
    assert.equal(await answer, "first");
    assert.equal(proposals.pending, 0);
  });

  it("has a command at hand until it is answered, where it was given one", () => {
    const proposals = new Proposals(new SimClock(), limits);
    const command: Command = { kind: "leaseRevoke", request: { id: 5n } };
    const [given, other] = [proposals.nextSequence(), proposals.nextSequence()];
    void proposals.wait(given, 10, command);
    void proposals.wait(other, 10);
    assert.equal(proposals.command(given), command);
    assert.equal(proposals.command(other), undefined);
    proposals.resolve(given, "answer");
    assert.equal(proposals.command(given), undefined);
  });

  it("refuses more commands than its count and its bytes allow", () => {
    const proposals = new Proposals(new SimClock(), limits);
    proposals.admit(1000);
    void proposals.wait(proposals.nextSequence(), 60);
    assert.throws(() => proposals.admit(60), /too many requests/);
    void proposals.wait(proposals.nextSequence(), 10);
    void proposals.wait(proposals.nextSequence(), 10);
    assert.throws(() => proposals.admit(1), /too many requests/);
    assert.equal(proposals.failedTotal, 2);
  });

  it("takes as many bytes again when what waited is answered, refused or given up", () => {
    const clock = new SimClock();
    const proposals = new Proposals(clock, limits);
    const wait = (): number => {
      const sequence = proposals.nextSequence();
      void proposals.wait(sequence, 60);
      return sequence;
    };
    proposals.resolve(wait(), undefined);
    proposals.admit(60);
    proposals.reject(wait(), new RequestError("noSpace"));
    proposals.admit(60);
    wait();
    clock.advance(limits.timeoutMs);
    proposals.expire(() => "timeout");
    wait();
    proposals.admit(40);
    assert.throws(() => proposals.admit(41), /too many requests/);
  });

  it("gives up on a command after its time, and says that it timed out", async () => {
    const clock = new SimClock();
    const proposals = new Proposals(clock, limits);
    const early = proposals.wait(proposals.nextSequence(), 1);
    clock.advance(5000);
    const late = proposals.wait(proposals.nextSequence(), 1);
    clock.advance(2000);
    proposals.expire(() => "timeout");
    await assert.rejects(early.promise(), /request timed out/);
    assert.equal(proposals.pending, 1);
    clock.advance(5000);
    proposals.expire(() => "timeout");
    await assert.rejects(late.promise(), /request timed out/);
  });

  it("says why nobody answered, by when the command came in", async () => {
    const clock = new SimClock();
    const proposals = new Proposals(clock, limits);
    clock.advance(300);
    const waiting = proposals.wait(proposals.nextSequence(), 1);
    clock.advance(7000);
    proposals.expire((sinceMs) => (sinceMs === 300 ? "timeoutLeaderFailed" : "timeout"));
    await assert.rejects(waiting.promise(), /possibly due to previous leader failure/);
  });

  it("keeps commands that found no leader, in their order, and drops those that have expired", async () => {
    const clock = new SimClock();
    const proposals = new Proposals(clock, limits);
    const expired = proposals.wait(1, 1);
    proposals.keep(1, Buffer.from("1"));
    clock.advance(6_999);
    for (const sequence of [2, 3]) {
      void proposals.wait(sequence, 1);
      proposals.keep(sequence, Buffer.from(String(sequence)));
    }
    clock.advance(1);
    proposals.expire(() => "timeout");
    await assert.rejects(expired.promise(), /request timed out/);
    const offered: string[] = [];
    proposals.offer((data) => {
      offered.push(String(data));
      return offered.length < 2;
    });
    assert.deepEqual(offered, ["2", "3"]);
    assert.equal(proposals.hasLeaderless, true);
    proposals.offer((data) => offered.push(String(data)) > 0);
    assert.deepEqual(offered, ["2", "3", "3"]);
    assert.equal(proposals.hasLeaderless, false);
  });

  it("rejects all that wait when the member stops", async () => {
    const proposals = new Proposals(new SimClock(), limits);
    const waiting = [1, 2].map(() => proposals.wait(proposals.nextSequence(), 1));
    proposals.stop(new RequestError("stopped"));
    for (const each of waiting) await assert.rejects(each.promise(), /server stopped/);
  });
});
