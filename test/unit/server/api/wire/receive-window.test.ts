import assert from "node:assert/strict";
import fc from "fast-check";
import { ReceiveWindow } from "../../../../../src/server/api/wire/receive-window.ts";

describe("ReceiveWindow", () => {
  it("takes what it is large, and not a byte more", () => {
    const window = new ReceiveWindow(100);
    assert.equal(window.take(60), true);
    assert.equal(window.take(40), true);
    assert.equal(window.take(0), true);
    assert.equal(window.take(1), false);
  });

  it("gives credit in halves of itself", () => {
    const window = new ReceiveWindow(100);
    window.take(100);
    assert.equal(window.consume(49), 0);
    assert.equal(window.consume(1), 50);
    assert.equal(window.take(51), false);
    assert.equal(window.consume(49), 0);
  });

  it("owes a peer less than half of itself when all is consumed, and takes exactly what it gave", () => {
    const step = fc.tuple(fc.boolean(), fc.nat(150));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const window = new ReceiveWindow(100);
        let credit = 100;
        let unconsumed = 0;
        for (const [isTake, bytes] of steps) {
          if (isTake) {
            const some = Math.min(bytes, credit);
            assert.equal(window.take(some), true);
            credit -= some;
            unconsumed += some;
          } else {
            const some = Math.min(bytes, unconsumed);
            unconsumed -= some;
            credit += window.consume(some);
          }
          assert.ok(credit + unconsumed <= 100 && credit + unconsumed > 50);
        }
        assert.equal(window.take(credit + 1), false);
      }),
    );
  });
});
