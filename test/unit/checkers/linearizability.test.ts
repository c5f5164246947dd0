import assert from "node:assert/strict";
import fc from "fast-check";
import {
  checkLinearizable,
  type SequentialModel,
  type TimedOperation,
} from "../../checkers/linearizability.ts";

type Request = { readonly write: number } | "read";
type Op = TimedOperation<Request, number>;

const register: SequentialModel<number, Request, number> = {
  init: 0,
  step: (state, request, response) => {
    if (request !== "read") return request.write;
    return response === undefined || response === state ? state : undefined;
  },
  stateKey: String,
};

const write = (callMs: number, returnMs: number, value: number): Op => ({
  ...{ callMs, returnMs, request: { write: value } },
  response: returnMs === Number.POSITIVE_INFINITY ? undefined : value,
});
const read = (callMs: number, returnMs: number, response: number): Op => ({
  ...{ callMs, returnMs, request: "read", response },
});
const verdict = (operations: readonly Op[]): string => checkLinearizable(register, operations).kind;

/** Tries every order: the definition, word for word. */
function isLinearizable(operations: readonly Op[], state = 0): boolean {
  const open = operations.filter((op) => op.returnMs !== Number.POSITIVE_INFINITY);
  if (open.length === 0) return true;
  return operations.some((op) => {
    if (open.some((other) => other !== op && other.returnMs < op.callMs)) return false;
    const after = register.step(state, op.request, op.response);
    return (
      after !== undefined &&
      isLinearizable(
        operations.filter((other) => other !== op),
        after,
      )
    );
  });
}

describe("The search for a linear order", () => {
  it("accepts the empty history", () => {
    assert.equal(verdict([]), "linearizable");
  });

  it("lets concurrent operations happen in any order", () => {
    assert.equal(verdict([write(0, 10, 1), write(0, 10, 2), read(11, 12, 1)]), "linearizable");
    assert.equal(verdict([write(0, 10, 1), write(0, 10, 2), read(11, 12, 2)]), "linearizable");
  });

  it("refuses a read of what was overwritten before it began", () => {
    assert.equal(verdict([write(0, 1, 1), write(2, 3, 2), read(4, 5, 1)]), "violation");
  });

  it("refuses two reads that see a write come and go", () => {
    assert.equal(verdict([write(0, 9, 1), read(1, 2, 1), read(3, 4, 0)]), "violation");
  });

  it("lets a write of unknown outcome happen late, or never", () => {
    const unknown = write(0, Number.POSITIVE_INFINITY, 7);
    assert.equal(verdict([unknown, read(5, 6, 0), read(7, 8, 7)]), "linearizable");
    assert.equal(verdict([unknown, read(5, 6, 0), read(7, 8, 0)]), "linearizable");
    assert.equal(verdict([unknown, read(5, 6, 7), read(7, 8, 0)]), "violation");
    assert.equal(verdict([write(5, Number.POSITIVE_INFINITY, 7), read(1, 2, 7)]), "violation");
  });

  it("names the longest order and what could not follow it", () => {
    const stuck = read(4, 5, 1);
    const found = checkLinearizable(register, [write(0, 1, 1), write(2, 3, 2), stuck]);
    assert.equal(found.order.length, 2);
    assert.equal(found.state, 2);
    assert.deepEqual(found.stuckAt, [stuck]);
  });

  it("says that it does not know when it may not search long enough", () => {
    const operations = Array.from({ length: 12 }, (_, i) => write(0, 10, i + 1));
    assert.equal(checkLinearizable(register, [...operations, read(11, 12, 99)], 50).kind, "unknown");
  });

  it("agrees with trying every order", () => {
    const operation = fc
      .record({
        callMs: fc.integer({ min: 0, max: 12 }),
        lengthMs: fc.integer({ min: 0, max: 6 }),
        isRead: fc.boolean(),
        isUnknown: fc.boolean(),
        value: fc.integer({ min: 0, max: 2 }),
      })
      .map(({ callMs, lengthMs, isRead, isUnknown, value }) => {
        if (isRead) return read(callMs, callMs + lengthMs, value);
        return write(callMs, isUnknown ? Number.POSITIVE_INFINITY : callMs + lengthMs, value);
      });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 7 }), (operations) => {
        assert.equal(verdict(operations), isLinearizable(operations) ? "linearizable" : "violation");
      }),
      { numRuns: 1_000 },
    );
  });
});
