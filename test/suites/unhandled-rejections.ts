import assert from "node:assert/strict";

/**
 * Fails the tests of the surrounding describe during which a promise was rejected and nobody was told: a server ends
 * then, mocha says nothing.
 */
export function refuseUnhandledRejections(): void {
  const reasons: unknown[] = [];
  const note = (reason: unknown): number => reasons.push(reason);
  before(() => process.on("unhandledRejection", note));
  after(() => process.off("unhandledRejection", note));
  afterEach(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    const [first] = reasons.splice(0);
    assert.equal(first, undefined, `a promise was rejected unheard: ${first}`);
  });
}
