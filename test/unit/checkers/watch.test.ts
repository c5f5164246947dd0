import assert from "node:assert/strict";
import fc from "fast-check";
import { createPrng } from "../../../src/lib/prng.ts";
import type { EventSeen, WatchHistory, WatchSeen } from "../../checkers/history.ts";
import { eventLogOf, Replay, type RevisionEvents } from "../../checkers/replay.ts";
import { applyRequest, emptyStore, type StoreState } from "../../checkers/store-state.ts";
import { describeViolations } from "../../checkers/violation.ts";
import { checkWatches, countEvents, type WatchPromise } from "../../checkers/watch.ts";
import { legalHistory } from "./legal-history.ts";

/** Revision 2: a=1, 3: b=2, 4: a=3 and b=4, 5: a deleted, 6: a=5, 7: b=6. */
function sampleLog(): RevisionEvents[] {
  const log: RevisionEvents[] = [];
  let state: StoreState = emptyStore;
  const writes: (readonly [string, string | undefined])[][] = [
    [["a", "1"]],
    [["b", "2"]],
    [
      ["a", "3"],
      ["b", "4"],
    ],
    [["a", undefined]],
    [["a", "5"]],
    [["b", "6"]],
  ];
  for (const write of writes) {
    const success = write.map(([key, value]) =>
      value === undefined
        ? { kind: "delete" as const, key, rangeEnd: "" }
        : { kind: "put" as const, key, value, lease: "" },
    );
    const outcome = applyRequest(state, { kind: "txn", compares: [], success, failure: [] });
    state = outcome.state;
    log.push({ revision: state.revision, events: outcome.events });
  }
  return log;
}

const log = sampleLog();
const replay = new Replay(log);
const at = (revision: number): readonly EventSeen[] => log[revision - 2]!.events;
const created: WatchSeen = { kind: "created", atMs: 0, revision: 7 };
const events = (...list: (readonly EventSeen[])[]): WatchSeen => ({
  kind: "events",
  atMs: 1,
  revision: 7,
  events: list.flat(),
});
const watch = (responses: WatchSeen[], changed: Partial<WatchHistory> = {}): WatchHistory => ({
  ...{ client: 1, key: "a", rangeEnd: "\0", startRevision: 2, prevKv: true, responses },
  ...changed,
});
const broken = (history: WatchHistory): string[] => [
  ...new Set(checkWatches([history], replay).map(({ promise }) => promise.replace("watch: ", ""))),
];

describe("The check of watches", () => {
  const whole = [created, events(at(2), at(3)), events(at(4)), events(at(5), at(6), at(7))];

  it("accepts a watch that saw everything once and in order", () => {
    assert.deepEqual(broken(watch(whole)), []);
    assert.equal(countEvents([watch(whole)]), 7);
  });

  it("accepts progress that tells the truth, and a resumption where the stream broke off", () => {
    const progress = (revision: number): WatchSeen => ({ kind: "progress", atMs: 1, revision });
    const resumed: WatchSeen = { kind: "resumed", atMs: 2, fromRevision: 4 };
    const seen = [created, events(at(2), at(3)), progress(3), resumed, created, events(at(4)), events(at(5))];
    assert.deepEqual(broken(watch([...seen, progress(5), events(at(6))])), []);
  });

  it("accepts a watch that was refused as compacted, and opened again above", () => {
    const seen: WatchSeen[] = [created, { kind: "compacted", atMs: 1, compactRevision: 6 }];
    assert.deepEqual(broken(watch(seen)), []);
    assert.deepEqual(
      broken(watch([...seen, { kind: "resumed", atMs: 2, fromRevision: 6 }, events(at(6))])),
      [],
    );
  });

  it("takes the next event as the first where no revision was asked for", () => {
    const seen: WatchSeen[] = [{ kind: "created", atMs: 0, revision: 4 }, events(at(5)), events(at(6))];
    assert.deepEqual(broken(watch(seen, { startRevision: 0 })), []);
  });

  const b = { key: "b" };
  const put6 = at(6)[0]!;
  const cases: readonly (readonly [string, WatchPromise[], WatchHistory])[] = [
    ["an event of another key", ["filter"], watch([created, events(at(2))], { ...b, rangeEnd: "" })],
    [
      "events out of order",
      ["ordered", "reliable"],
      watch([created, events(at(2)), events(at(4)), events(at(3))]),
    ],
    [
      "an event that came twice",
      ["unique", "ordered"],
      watch([created, events(at(2)), events(at(3)), events(at(2))]),
    ],
    [
      "a revision split over two responses",
      ["atomic"],
      watch([created, events(at(2), at(3)), events(at(4).slice(0, 1)), events(at(4).slice(1))]),
    ],
    [
      "progress that goes backward",
      ["bookmarkable"],
      watch([...whole, { kind: "progress", atMs: 2, revision: 6 }]),
    ],
    [
      "progress ahead of what was delivered",
      ["bookmarkable"],
      watch([created, events(at(2)), { kind: "progress", atMs: 2, revision: 4 }]),
    ],
    [
      "an event behind the progress that was told",
      ["bookmarkable"],
      watch([created, { kind: "progress", atMs: 2, revision: 4 }, events(at(3))]),
    ],
    ["a start that is missing", ["resumable"], watch([created, events(at(3))])],
    ["an event left out in the middle", ["reliable"], watch([created, events(at(2)), events(at(4))])],
    [
      "one of two events of a revision left out",
      ["reliable"],
      watch([created, events(at(2), at(3), at(4).slice(1))]),
    ],
    [
      "an event that never happened",
      ["reliable"],
      watch([created, events(at(2)), events([{ ...at(3)[0]!, kv: { ...at(3)[0]!.kv, value: "9" } }])]),
    ],
    [
      "an event left out across a resumption",
      ["resumable"],
      watch([created, events(at(2)), { kind: "resumed", atMs: 1, fromRevision: 3 }, created, events(at(4))]),
    ],
    [
      "a previous value that it never had",
      ["prevKv"],
      watch([created, events(at(2), at(3)), events(at(4).map((event) => ({ ...event, prev: event.kv })))]),
    ],
    [
      "a creation that is said to be a change",
      ["isCreate", "reliable"],
      watch([created, events([{ ...put6, kv: { ...put6.kv, createRevision: 2 } }])], { startRevision: 6 }),
    ],
    [
      "a header behind its events",
      ["header"],
      watch([created, { ...events(at(2)), revision: 1 } as WatchSeen]),
    ],
    ["events before the watch was created", ["protocol"], watch([events(at(2))])],
    [
      "an event after the end",
      ["protocol"],
      watch([created, { kind: "compacted", atMs: 1, compactRevision: 3 }, events(at(2))]),
    ],
    [
      "a refusal as compacted above the compact revision",
      ["compaction"],
      watch([created, { kind: "compacted", atMs: 1, compactRevision: 3 }], { startRevision: 5 }),
    ],
    [
      "an event before the revision asked for",
      ["future"],
      watch([created, events(at(4))], { startRevision: 6 }),
    ],
  ];
  for (const [what, promises, history] of cases) {
    it(`finds ${what}`, () => {
      const found = broken(history);
      for (const promise of promises) assert.ok(found.includes(promise), `${promise} of ${found}`);
    });
  }

  it("reads the log of revisions off a watch of everything", () => {
    assert.deepEqual(eventLogOf(watch(whole)), log);
  });

  it("finds a log of revisions that contradicts itself", () => {
    assert.deepEqual(new Replay(log).problems, []);
    assert.notDeepEqual(new Replay(log.filter(({ revision }) => revision !== 4)).problems, []);
    assert.notDeepEqual(new Replay(log.filter(({ revision }) => revision !== 2)).problems, []);
  });

  it("accepts every watch of a store that works, and finds any event that is left out", () => {
    const size = fc.record({ seed: fc.integer(), operations: fc.integer({ min: 5, max: 60 }) });
    fc.assert(
      fc.property(size, ({ seed, operations }) => {
        const history = legalHistory(seed, { operations, clients: 3 });
        const state = new Replay(history.log);
        const violations = checkWatches(history.watches, state);
        assert.deepEqual(violations, [], describeViolations(violations));
        const prng = createPrng(seed);
        for (const legal of history.watches) {
          const indexes = legal.responses.flatMap((seen, i) => (seen.kind === "events" ? [i] : []));
          // Leaving out the last says nothing: it may not have come yet.
          if (indexes.length < 2) continue;
          const left = indexes[prng.below(indexes.length - 1)]!;
          const responses = legal.responses.filter((_, i) => i !== left);
          const isAskedAgain = responses.some((seen) => seen.kind === "resumed");
          if (!isAskedAgain) assert.notDeepEqual(checkWatches([{ ...legal, responses }], state), []);
        }
      }),
      { numRuns: 200 },
    );
  });
});
