/**
 * Majorities, alone and joint (raft-core-spec section 6). Voters are given as distinct ids; the empty majority agrees
 * to everything, so that a joint configuration with an empty half is the other half.
 */
export type VoteResult = "won" | "pending" | "lost";

/**
 * The highest index that a majority of voters has reached, from the index of each; Infinity without voters. Sorts
 * `indexes` in place: a few numbers, sorted faster by insertion than by a call.
 */
export function majorityIndex(indexes: number[]): number {
  const count = indexes.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  for (let i = 1; i < count; i++) {
    const index = indexes[i]!;
    let at = i;
    for (; at > 0 && indexes[at - 1]! > index; at--) indexes[at] = indexes[at - 1]!;
    indexes[at] = index;
  }
  return indexes[count - (Math.floor(count / 2) + 1)]!;
}

/** `acked` answers undefined for voters that nothing is known of. */
export function jointIndex(
  incoming: readonly bigint[],
  outgoing: readonly bigint[],
  acked: (id: bigint) => number | undefined,
): number {
  return Math.min(
    majorityIndex(incoming.map((id) => acked(id) ?? 0)),
    majorityIndex(outgoing.map((id) => acked(id) ?? 0)),
  );
}

/** `votes` answers undefined for voters that have not answered. */
export function majorityVote(
  voters: readonly bigint[],
  votes: (id: bigint) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return "won";
  const quorum = Math.floor(voters.length / 2) + 1;
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  if (granted >= quorum) return "won";
  return granted + missing >= quorum ? "pending" : "lost";
}

export function jointVote(
  incoming: readonly bigint[],
  outgoing: readonly bigint[],
  votes: (id: bigint) => boolean | undefined,
): VoteResult {
  const one = majorityVote(incoming, votes);
  const other = majorityVote(outgoing, votes);
  if (one === other) return one;
  return one === "lost" || other === "lost" ? "lost" : "pending";
}
