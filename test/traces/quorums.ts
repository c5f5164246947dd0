import assert from "node:assert/strict";
import { jointIndex, jointVote } from "../../src/server/raft/quorum.ts";
import { compareIds } from "../../src/server/raft/tracker.ts";
import type { Directive } from "./directives.ts";

const resultNames = { won: "VoteWon", lost: "VoteLost", pending: "VotePending" };

/** Quorums alone (datadriven-format section 9). What the two ways to the same answer give is compared on the way. */
export function runQuorum({ command, args }: Directive): string {
  const valuesOf = (key: string) => args.find((argument) => argument.key === key)?.values;
  const incoming = (valuesOf("cfg") ?? []).map((id) => BigInt(id));
  const outgoingValues = valuesOf("cfgj") ?? [];
  const outgoing = outgoingValues[0] === "zero" ? [] : outgoingValues.map((id) => BigInt(id));
  const ids = [...new Set([...incoming, ...outgoing])];
  const given = valuesOf(command === "vote" ? "votes" : "idx") ?? [];
  if (given.length !== ids.length) {
    return `error: mismatched input (explicit or _) for voters ${ids.join(" ")}: ${given.join(" ")}`;
  }
  const values = new Map(ids.map((id, i) => [id, given[i]!] as const).filter(([, value]) => value !== "_"));
  if (command === "vote") {
    const votes = (id: bigint) => (values.has(id) ? values.get(id) === "y" : undefined);
    const result = jointVote(incoming, outgoing, votes);
    assert.equal(jointVote(outgoing, incoming, votes), result, "the halves of a joint quorum are equal");
    return resultNames[result];
  }
  if (command !== "committed") throw new Error(`unknown command ${command}`);
  const acked = new Map([...values].map(([id, value]) => [id, Number(value)]));
  const index = committedOf(incoming, outgoing, acked);
  return `${describe(ids, acked)}${index === Number.POSITIVE_INFINITY ? "∞" : index}\n`;
}

function committedOf(
  incoming: readonly bigint[],
  outgoing: readonly bigint[],
  acked: ReadonlyMap<bigint, number>,
): number {
  const committed = (one: readonly bigint[], other: readonly bigint[], of = acked) =>
    jointIndex(one, other, (id) => of.get(id));
  const index = committed(incoming, outgoing);
  assert.equal(committed(outgoing, incoming), index, "the halves of a joint quorum are equal");
  if (outgoing.length === 0) {
    assert.equal(committed(incoming, incoming), index, "joint with itself a quorum is itself");
  }
  for (const [id, own] of acked) {
    // What a voter has beyond the committed index, or below it, does not matter.
    const lowered = new Map(acked);
    if (own > index) lowered.set(id, index);
    else if (own < index) lowered.set(id, 0);
    assert.equal(committed(incoming, outgoing, lowered), index, `the index without the rest of voter ${id}`);
  }
  return index;
}

/** A bar for each voter: how many have less than it. */
function describe(ids: readonly bigint[], acked: ReadonlyMap<bigint, number>): string {
  if (ids.length === 0) return "<empty majority quorum>";
  const count = ids.length;
  const rows = ids.map((id) => ({ id, index: acked.get(id), bar: 0 }));
  rows.sort((left, right) => (left.index ?? 0) - (right.index ?? 0) || compareIds(left.id, right.id));
  for (let i = 1; i < count; i++) {
    const before = rows[i - 1]!;
    rows[i]!.bar = (rows[i]!.index ?? 0) > (before.index ?? 0) ? i : before.bar;
  }
  rows.sort((left, right) => compareIds(left.id, right.id));
  const lines = rows.map(({ id, index, bar }) => {
    const drawn =
      index === undefined ? `?${" ".repeat(count)}` : `${"x".repeat(bar)}>${" ".repeat(count - bar)}`;
    return `${drawn} ${String(index ?? 0).padStart(5)}    (id=${id.toString(16)})\n`;
  });
  return `${" ".repeat(count)}    idx\n${lines.join("")}`;
}
