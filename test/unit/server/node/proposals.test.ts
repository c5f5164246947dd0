import assert from "node:assert/strict";
import { RequestError } from "../../../../src/lib/errors.ts";
import { Proposals } from "../../../../src/server/node/proposals.ts";
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

  it("gives up on a command after its time, and says that it timed out", async () => {
    const clock = new SimClock();
    const proposals = new Proposals(clock, limits);
    const early = proposals.wait(proposals.nextSequence(), 1);
    clock.advance(5000);
    const late = proposals.wait(proposals.nextSequence(), 1);
    clock.advance(2000);
    proposals.expire();
    await assert.rejects(early, /request timed out/);
    assert.equal(proposals.pending, 1);
    clock.advance(5000);
    proposals.expire();
    await assert.rejects(late, /request timed out/);
  });

  it("rejects all that wait when the member stops", async () => {
    const proposals = new Proposals(new SimClock(), limits);
    const waiting = [1, 2].map(() => proposals.wait(proposals.nextSequence(), 1));
    proposals.stop(new RequestError("stopped"));
    for (const each of waiting) await assert.rejects(each, /server stopped/);
  });
});
