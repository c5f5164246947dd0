import assert from "node:assert/strict";
import fc from "fast-check";
import { type ByteString, EMPTY } from "../../../../src/lib/bytes.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import type { SortedMap } from "../../../../src/lib/sorted-map.ts";
import { KeyHistory } from "../../../../src/server/storage/key-history.ts";
import { KeyOrder } from "../../../../src/server/storage/key-order.ts";
import { put, tombstone } from "../../../suites/engine-suite.ts";

const RUN = 8_192;
const noTurn = (): Promise<void> => Promise.resolve();

function keysOf(map: SortedMap<KeyHistory>): ByteString[] {
  const keys: ByteString[] = [];
  for (const cursor = map.seek(EMPTY); !cursor.isDone; cursor.advance()) {
    assert.equal(cursor.value.latest.key, cursor.key);
    keys.push(cursor.key);
  }
  return keys;
}

/** Orders histories of these keys, those of `isDead` deleted. */
async function ordered(
  keys: readonly string[],
  isDead = (_key: string): boolean => false,
  yieldTurn = noTurn,
) {
  const order = new KeyOrder();
  for (const [i, key] of keys.entries()) {
    const history = new KeyHistory(put(key, i + 2, 0));
    order.add(history);
    if (isDead(key)) history.push(tombstone(key, keys.length + i + 2, 0));
  }
  const { live, dead } = await order.order(yieldTurn);
  return { live: keysOf(live), dead: keysOf(dead) };
}

describe("KeyOrder", () => {
  it("of nothing is nothing", async () => {
    assert.deepEqual(await ordered([]), { live: [], dead: [] });
  });

  for (const [name, place] of [
    ["ascending", (i: number) => i],
    ["descending", (i: number) => 1_000_000 - i],
    ["scattered", (i: number) => (i * 7_919) % 1_000_003],
  ] as const) {
    it(`puts ${name} keys of many runs in order, and those of deleted keys apart`, async () => {
      const keys = Array.from({ length: 5 * RUN + 17 }, (_, i) => String(place(i)).padStart(7, "0"));
      const isDead = (key: string): boolean => key.endsWith("3");
      const sorted = [...keys].sort();
      assert.deepEqual(await ordered(keys, isDead), {
        live: sorted.filter((key) => !isDead(key)),
        dead: sorted.filter(isDead),
      });
    });
  }

  it("keeps what a key got after it was gathered, across the end of its run", async () => {
    const order = new KeyOrder();
    const first = new KeyHistory(put("a", 2, 0));
    order.add(first);
    for (let i = 0; i < RUN; i++) order.add(new KeyHistory(put(`b${i}`, 3 + i, 0)));
    first.push(tombstone("a", RUN + 10, 0));
    const { live, dead } = await order.order(noTurn);
    assert.deepEqual([live.size, keysOf(dead)], [RUN, ["a"]]);
  });

  it("ends its turn after each 8,192 keys, however many there are", async () => {
    for (const [count, turns] of [
      [RUN - 1, 0],
      [RUN, 1],
      [4 * RUN + 5, 4],
    ] as const) {
      let ended = 0;
      const keys = Array.from({ length: count }, (_, i) => String(i));
      await ordered(keys, undefined, async () => {
        ended++;
      });
      assert.equal(ended, turns, `${count} keys`);
    }
  });

  it("equals one sort, whatever the keys and their order", async () => {
    const key = fc.string({ unit: "binary-ascii", maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40_000 }),
        fc.nat(),
        fc.array(key),
        async (count, seed, few) => {
          const prng = createPrng(seed);
          const keys = new Set(few);
          for (let i = 0; i < count; i++) keys.add(`k${prng.below(1_000_000)}`);
          const isDead = (text: string): boolean => text.length % 3 === 0;
          const sorted = [...keys].sort();
          const found = await ordered([...keys], isDead);
          assert.deepEqual(
            found.live,
            sorted.filter((text) => !isDead(text)),
          );
          assert.deepEqual(found.dead, sorted.filter(isDead));
        },
      ),
      { numRuns: 20 },
    );
  });
});
