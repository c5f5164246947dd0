import assert from "node:assert/strict";
import { ClosedStreams } from "../../../../../src/server/api/wire/closed-streams.ts";

describe("ClosedStreams", () => {
  it("tells how a stream came to its end", () => {
    const closed = new ClosedStreams();
    closed.add(1, "ended");
    closed.add(5, "resetByUs");
    closed.add(3, "resetByPeer");
    assert.deepEqual(
      [1, 3, 5, 7, 2_147_483_647].map((id) => closed.find(id)),
      ["ended", "resetByPeer", "resetByUs", undefined, undefined],
    );
  });

  it("remembers the last 256", () => {
    const closed = new ClosedStreams();
    for (let i = 0; i < 1_000; i++) closed.add(1 + 2 * i, i % 2 === 0 ? "ended" : "resetByUs");
    for (let i = 0; i < 1_000; i++) {
      const expected = i % 2 === 0 ? "ended" : "resetByUs";
      assert.equal(closed.find(1 + 2 * i), i < 744 ? undefined : expected);
    }
  });

  it("knows nothing at first, nor a stream that was never there", () => {
    const closed = new ClosedStreams();
    for (const id of [0, 1, 3]) assert.equal(closed.find(id), undefined);
  });
});
