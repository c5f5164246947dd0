import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { encodeRangeResponse, type KeyValue, type RangeResponse } from "../../../../../src/codec/index.ts";
import { fromUtf8 } from "../../../../../src/lib/bytes.ts";
import { RangeAnswers } from "../../../../../src/server/api/services/range-answers.ts";
import { SimClock } from "../../../../sim/clock.ts";

const header = { clusterId: 7n, memberId: 8n, revision: 9, raftTerm: 3 };
const goingOn = { isCancelled: false };

const keyValue = (i: number, valueBytes: number): KeyValue => ({
  key: fromUtf8(`key ${i}`),
  createRevision: 2 + i,
  modRevision: 3 + i,
  version: 1,
  value: fromUtf8("v".repeat(valueBytes)),
  lease: 0n,
});

const responseOf = (keys: number, valueBytes: number, more = true): RangeResponse => ({
  header,
  kvs: Array.from({ length: keys }, (_, i) => keyValue(i, valueBytes)),
  more,
  count: keys + 5,
});

/** Lets turns pass until it is made; how many passed. */
async function turnsUntil(clock: SimClock, made: Promise<unknown>): Promise<number> {
  let isMade = false;
  void made.then(() => {
    isMade = true;
  });
  for (let turns = 0; ; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (isMade) return turns;
    clock.runDeferred();
  }
}

describe("Answers of Range", () => {
  it("are there at once up to a mebibyte", () => {
    const answers = new RangeAnswers(new SimClock());
    for (const response of [responseOf(0, 0, false), responseOf(1, 5_000_000), responseOf(1_000, 900)]) {
      assert.deepEqual(answers.encode(response, goingOn), encodeRangeResponse(response));
    }
  });

  it("are the same bytes when they are made over many turns", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 300_000, max: 2_000_000 }),
        fc.boolean(),
        async (keys, valueBytes, more) => {
          const clock = new SimClock();
          const response = responseOf(keys, valueBytes, more);
          const answer = Promise.resolve(new RangeAnswers(clock).encode(response, goingOn));
          await turnsUntil(clock, answer);
          assert.ok((await answer).equals(encodeRangeResponse(response)));
        },
      ),
      { numRuns: 10 },
    );
  });

  it("of many keys take a turn for each mebibyte, and wait for those that were asked for before", async () => {
    const clock = new SimClock();
    const answers = new RangeAnswers(clock);
    const first = answers.encode(responseOf(40_000, 200), goingOn) as Promise<Buffer>;
    const second = answers.encode(responseOf(40_000, 200), goingOn) as Promise<Buffer>;
    const order: string[] = [];
    void first.then(() => order.push("first"));
    void second.then(() => order.push("second"));
    const firstTurns = await turnsUntil(clock, first);
    assert.deepEqual(order, ["first"]);
    const secondTurns = await turnsUntil(clock, second);
    assert.ok(firstTurns >= 9 && firstTurns <= 12, `${firstTurns} turns for 10.5 MiB`);
    assert.ok(Math.abs(secondTurns - firstTurns) <= 2, `${secondTurns} turns for as much`);
  });

  it("do not stay in memory once they are given", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const clock = new SimClock();
    const answers = new RangeAnswers(clock);
    const give = async (): Promise<WeakRef<Buffer>> => {
      const answer = answers.encode(responseOf(20_000, 200), goingOn) as Promise<Buffer>;
      await turnsUntil(clock, answer);
      return new WeakRef(await answer);
    };
    const given = await give();
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    assert.equal(given.deref(), undefined);
    assert.ok(answers.encode(responseOf(1, 1), goingOn) instanceof Buffer);
  });

  it("are not made to the end for a call that is cancelled, and the next one is", async () => {
    const clock = new SimClock();
    const answers = new RangeAnswers(clock);
    const call = { isCancelled: false };
    const cancelled = answers.encode(responseOf(40_000, 200), call) as Promise<Buffer>;
    const response = responseOf(20_000, 200);
    const next = answers.encode(response, goingOn) as Promise<Buffer>;
    call.isCancelled = true;
    assert.ok((await turnsUntil(clock, cancelled)) <= 1);
    assert.equal((await cancelled).length, 0);
    await turnsUntil(clock, next);
    assert.ok((await next).equals(encodeRangeResponse(response)));
  });
});
