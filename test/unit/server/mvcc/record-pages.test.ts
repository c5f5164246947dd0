import assert from "node:assert/strict";
import { createDeferred } from "../../../../src/lib/deferred.ts";
import { PageReader, pagesKept, pagesOf, type RecordPage } from "../../../../src/server/mvcc/record-pages.ts";
import type { KeptCursor, RecordCursor } from "../../../../src/server/storage/index.ts";
import { put } from "../../../suites/engine-suite.ts";

const pages: RecordPage[] = [[put("a", 2, 0)], [put("b", 3, 0)], []];

/** Gives the pages, and counts how often it was closed. */
function cursorOver(
  next: (index: number) => ReturnType<RecordCursor["next"]>,
): RecordCursor & { closes: number } {
  let index = 0;
  return {
    closes: 0,
    next: () => next(index++),
    close() {
      this.closes++;
    },
  };
}

describe("PageReader", () => {
  it("closes its cursor once, at once when no page is on its way", async () => {
    const cursor = cursorOver(async (index) => pages[index] ?? []);
    const reader = new PageReader(cursor);
    await reader.next(1);
    reader.close();
    reader.close();
    assert.equal(cursor.closes, 1);
    assert.throws(() => reader.next(1), { name: "AssertionError" });
  });

  it("closes its cursor after the page that is on its way, whether that comes or not", async () => {
    for (const isFailing of [false, true]) {
      const page = createDeferred<RecordPage>();
      const cursor = cursorOver(() => page.promise);
      const reader = new PageReader(cursor);
      const next = reader.next(1);
      reader.close();
      assert.equal(cursor.closes, 0);
      if (isFailing) page.reject(new Error("no"));
      else page.resolve([]);
      await Promise.allSettled([next]);
      assert.equal(cursor.closes, 1);
    }
  });
});

describe("pagesKept", () => {
  it("gives the pages with something in them, ends a turn for each other, and asks before each", async () => {
    const bites: RecordPage[] = [[], [put("a", 2, 0)], [], [], [put("b", 3, 0)]];
    let [index, turns, checks] = [0, 0, 0];
    const cursor: KeptCursor = {
      next: () => ({ records: bites[index++]!, isLast: index === bites.length }),
    };
    const seen: RecordPage[] = [];
    const check = (): void => {
      if (++checks > bites.length) throw new Error("over");
    };
    const yieldTurn = async (): Promise<void> => {
      turns++;
    };
    for await (const page of pagesKept(cursor, check, yieldTurn)) seen.push(page);
    assert.deepEqual(seen, [bites[1], bites[4]]);
    assert.deepEqual([turns, checks], [3, 5]);
    index = 0;
    await assert.rejects(pagesKept(cursor, check, yieldTurn).next(), /over/);
  });
});

describe("pagesOf", () => {
  it("gives all pages, at once where they are at hand, and closes the cursor behind the last", async () => {
    const cursor = cursorOver((index) => pages[index] ?? []);
    const now = pagesOf(new PageReader(cursor), true, () => {});
    assert.deepEqual([...(now as Iterable<RecordPage>)], pages.slice(0, 2));
    assert.equal(cursor.closes, 1);
    const late = cursorOver(async (index) => pages[index] ?? []);
    const seen: RecordPage[] = [];
    for await (const page of pagesOf(new PageReader(late), false, () => {})) seen.push(page);
    assert.deepEqual(seen, pages.slice(0, 2));
    assert.equal(late.closes, 1);
  });

  it("closes the cursor when the reading is given up, or the check throws", async () => {
    for (const isAtHand of [true, false]) {
      const cursor = cursorOver((index) => pages[index] ?? []);
      for await (const _ of pagesOf(new PageReader(cursor), isAtHand, () => {})) break;
      assert.equal(cursor.closes, 1);
      const checked = cursorOver((index) => pages[index] ?? []);
      const refuse = (): void => {
        throw new Error("over");
      };
      await assert.rejects(async () => {
        for await (const _ of pagesOf(new PageReader(checked), isAtHand, refuse));
      }, /over/);
      assert.equal(checked.closes, 1);
    }
  });
});
