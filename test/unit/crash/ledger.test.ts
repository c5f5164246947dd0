import assert from "node:assert/strict";
import { Ledger } from "../../crash/ledger.ts";
import type { WireEvent } from "../../harness/index.ts";

const put = (key: string, value: string, modRevision: number): WireEvent => ({
  deleted: false,
  kv: { key, value, modRevision, createRevision: modRevision, lease: 0 },
});
const present = (...events: WireEvent[]) => new Map(events.map(({ kv }) => [kv.key, kv] as const));

/** a=1 acknowledged at revision 2, b=2 at 3, and c=3 sent without an answer. */
function written(): Ledger {
  const ledger = new Ledger();
  ledger.acknowledge(new Map([["a", "1"]]), 2);
  ledger.acknowledge(new Map([["b", "2"]]), 3);
  ledger.unsure(new Map([["c", "3"]]));
  return ledger;
}

const a = put("a", "1", 2);
const b = put("b", "2", 3);
const c = put("c", "3", 4);

describe("the ledger of the kill loop", () => {
  it("accepts a server that lost the unsure write", () => {
    const ledger = written();
    ledger.check(3, [a, b], present(a, b));
    assert.deepEqual(ledger.violations, []);
  });

  it("accepts a server that kept the unsure write, and holds it to that from then on", () => {
    const ledger = written();
    ledger.check(4, [a, b, c], present(a, b, c));
    assert.deepEqual(ledger.violations, []);
    ledger.check(4, [], present(a, b));
    assert.match(ledger.violations[0] ?? "", /^c: 3 of revision 4 is now gone$/);
  });

  it("does not accept an unsure write that comes up after a check that did not see it", () => {
    const ledger = written();
    ledger.check(3, [a, b], present(a, b));
    ledger.check(4, [c], present(a, b, c));
    assert.match(ledger.violations[0] ?? "", /which nobody wrote/);
  });

  const faults: [name: string, revision: number, events: WireEvent[], keys: WireEvent[], message: RegExp][] =
    [
      ["a lost write", 3, [a], [a], /acknowledged revision 3 is not in the history/],
      ["a lost key", 3, [a, b], [a], /^b: 2 of revision 3 is now gone/],
      ["another value", 3, [a, b], [a, put("b", "x", 3)], /^b: 2 of revision 3 is now x/],
      [
        "another revision",
        4,
        [a, put("b", "2", 4)],
        [a, put("b", "2", 4)],
        /revision 3 is not in the history/,
      ],
      ["a revision that went back", 2, [a, b], [a, b], /revision went back from 3 to 2/],
      ["a write nobody made", 4, [a, b, put("d", "1", 4)], [a, b], /d=1, which nobody wrote/],
      ["a key nobody wrote", 3, [a, b], [a, b, put("d", "1", 1)], /^d: nobody wrote it/],
      ["a history out of order", 3, [b, a], [a, b], /the history goes back from 3 to 2/],
    ];
  for (const [name, revision, events, keys, message] of faults) {
    it(`reports ${name}`, () => {
      const ledger = written();
      ledger.check(revision, events, present(...keys));
      assert.ok(
        ledger.violations.some((violation) => message.test(violation)),
        ledger.violations.join("\n"),
      );
    });
  }

  it("reports one revision acknowledged to two writes", () => {
    const ledger = written();
    ledger.acknowledge(new Map([["d", "1"]]), 3);
    assert.deepEqual(ledger.violations, ["revision 3 was acknowledged twice"]);
  });
});
