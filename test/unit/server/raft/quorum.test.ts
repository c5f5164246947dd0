import assert from "node:assert/strict";
import fc from "fast-check";
import { jointIndex, jointVote, majorityIndex, majorityVote } from "../../../../src/server/raft/quorum.ts";

const voters = fc.uniqueArray(fc.bigInt({ min: 1n, max: 9n }), { maxLength: 7 });
const acked = fc.dictionary(fc.constantFrom(..."123456789"), fc.nat(20));
const votes = fc.dictionary(fc.constantFrom(..."123456789"), fc.boolean());

/** The definition, counted out: the highest index that more than half of the voters have. */
function slowIndex(ids: readonly bigint[], indexOf: (id: bigint) => number): number {
  if (ids.length === 0) return Number.POSITIVE_INFINITY;
  for (let index = 20; index > 0; index--) {
    if (ids.filter((id) => indexOf(id) >= index).length * 2 > ids.length) return index;
  }
  return 0;
}

describe("A quorum", () => {
  it("has reached what more than half of the voters have, in both halves", () => {
    fc.assert(
      fc.property(voters, voters, acked, (incoming, outgoing, known) => {
        const indexOf = (id: bigint) => known[`${id}`];
        const slow = (ids: readonly bigint[]) => slowIndex(ids, (id) => indexOf(id) ?? 0);
        assert.equal(majorityIndex(incoming.map((id) => indexOf(id) ?? 0)), slow(incoming));
        assert.equal(jointIndex(incoming, outgoing, indexOf), Math.min(slow(incoming), slow(outgoing)));
      }),
    );
  });

  it("is won by more than half, lost when these cannot come together any more, in both halves", () => {
    fc.assert(
      fc.property(voters, voters, votes, (incoming, outgoing, given) => {
        const voteOf = (id: bigint) => given[`${id}`];
        const slow = (ids: readonly bigint[]) => {
          const count = (vote: boolean | undefined) => ids.filter((id) => voteOf(id) === vote).length;
          if (ids.length === 0 || count(true) * 2 > ids.length) return "won";
          return (count(true) + count(undefined)) * 2 > ids.length ? "pending" : "lost";
        };
        assert.equal(majorityVote(incoming, voteOf), slow(incoming));
        const halves = [slow(incoming), slow(outgoing)];
        const expected = halves.includes("lost") ? "lost" : halves.includes("pending") ? "pending" : "won";
        assert.equal(jointVote(incoming, outgoing, voteOf), expected);
      }),
    );
  });
});
