import type { Mutant } from "./mutant.ts";

/** The member around the core: what is answered, when, and by whom. */
export const nodeMutants: readonly Mutant[] = [
  {
    number: 101,
    rule: "what raft says after a write is said once the write is durable",
    file: "consensus.ts",
    from: `entries: message.entries }, () => {
      if (this.#isStopped) return;
      this.#stable.append(message.entries);
      this.#respond(message.responses);
      this.turn();
    });`,
    to: `entries: message.entries }, () => {});
    this.#stable.append(message.entries);
    this.#respond(message.responses);
    this.wake();`,
  },
  {
    number: 102,
    rule: "answers to other members wait for the write too",
    file: "consensus.ts",
    from: "      if (message.to === LOCAL_APPEND || message.to === LOCAL_APPLY) continue;\n",
    to: `      if (message.to === LOCAL_APPEND) {
        this.#sink.send(message.responses.filter(({ to }) => to !== this.#memberId));
        continue;
      }
      if (message.to === LOCAL_APPLY) continue;
`,
  },
  {
    number: 103,
    rule: "the log in memory starts over behind an installed snapshot",
    file: "consensus.ts",
    from: "          this.#stable.reset(metadata.index, metadata.term);\n",
    to: "",
  },
  {
    number: 104,
    rule: "nothing is written while a snapshot is being installed",
    file: "consensus.ts",
    from: "if (this.#behindSnapshot !== undefined) {",
    to: "if (this.#behindSnapshot !== undefined && this.#isStopped) {",
  },
  {
    number: 105,
    rule: "what the message of a snapshot asks to be written is written behind it",
    file: "consensus.ts",
    from: "          this.#persist({ ...message, snapshot: undefined });\n",
    to: "          this.#respond(message.responses);\n",
  },
  {
    number: 106,
    rule: "a hard state that nobody waited for rides with the next write",
    file: "consensus.ts",
    from: "message.hardState ?? this.#hardStateWaiting",
    to: "message.hardState",
  },
  {
    number: 107,
    rule: "raft hears when its entries were applied",
    file: "consensus.ts",
    from: "    for (const response of message.responses) this.#raw.step(response);\n",
    to: "",
  },
  {
    number: 108,
    rule: "a member that stopped takes in no messages",
    file: "consensus.ts",
    from: `    if (this.#isStopped) return;
    try {
      for (const message`,
    to: `    try {
      for (const message`,
  },
  {
    number: 111,
    rule: "a command is answered after it was applied",
    file: "applier.ts",
    from: "    let answer: unknown;\n",
    to: "    let answer: unknown;\n    if (isOurs) this.#sink.resolve(id.sequence, answer);\n",
  },
  {
    number: 112,
    rule: "a membership change is answered with the members that it made",
    file: "applier.ts",
    from: "    try {\n      this.#state.applyConfChange(change);\n",
    to: `    try {
      if (this.#isOurs(id)) this.#sink.resolve(id.sequence, this.#state.membership.list());
      this.#state.applyConfChange(change);
`,
  },
  {
    number: 113,
    rule: "raft is told to ignore a membership change that the state refused",
    file: "applier.ts",
    from: "      this.#sink.confChange({ ...change, nodeId: 0n });\n",
    to: "",
  },
  {
    number: 114,
    rule: "raft does not install a membership change that the state refused",
    file: "applier.ts",
    from: "this.#sink.confChange({ ...change, nodeId: 0n });",
    to: "this.#sink.confChange(change);",
  },
  {
    number: 115,
    rule: "a command that fails otherwise than by a refusal ends the member",
    file: "applier.ts",
    from: "      if (!(error instanceof RequestError)) throw error;\n      if (isOurs)",
    to: "      if (!(error instanceof Error)) throw error;\n      if (isOurs)",
  },
  {
    number: 116,
    rule: "commands of an earlier run answer nobody",
    file: "applier.ts",
    from: "id.runId === this.#run.runId && id.proposer",
    to: "id.proposer",
  },
  {
    number: 117,
    rule: "after a received snapshot what it holds counts as applied",
    file: "node.ts",
    from: "    this.#applier.restored(metadata);\n",
    to: "",
    tests: ["test/unit/server/node/consensus.test.ts"],
  },
  {
    number: 118,
    rule: "a snapshot names the last entry that is in it: none is applied twice after a restart",
    file: "node.ts",
    from: "index: this.#applier.index,\n        term",
    to: "index: Math.max(1, this.#applier.index - 1),\n        term",
  },
  {
    number: 121,
    rule: "a read waits until its index is applied",
    file: "reads.ts",
    from: "if (round?.index === undefined || this.#appliedIndex() < round.index) return;",
    to: "if (round?.index === undefined) return;",
  },
  {
    number: 122,
    rule: "a read does not join a round that is under way",
    file: "reads.ts",
    from: "    if (this.#next === undefined) {\n",
    to: "    if (this.#current !== undefined) return this.#current.done.promise;\n    if (this.#next === undefined) {\n",
  },
  {
    number: 123,
    rule: "a late answer serves no newer round of reads",
    file: "reads.ts",
    from: "if (round.contexts.has(read.context)) {",
    to: "if (read.context > 0) {",
  },
  {
    number: 124,
    rule: "an answer to a read of an earlier run is nobody's",
    file: "node.ts",
    from: "if (view.getUint32(0) === this.#runId) reads.push",
    to: "if (view.getUint32(0) >= 0) reads.push",
  },
  {
    number: 125,
    rule: "a read that found no leader asks as soon as there is one",
    file: "reads.ts",
    from: "    if (!round.isAsked) {\n",
    to: "    if (round.contexts.size === 0) {\n",
  },
  {
    number: 131,
    rule: "a renewal is answered when a quorum has confirmed the leader after it",
    file: "lease-keeper.ts",
    from: '        case "renewed":\n          await this.#confirmLeadership();\n',
    to: '        case "renewed":\n',
  },
  {
    number: 132,
    rule: "a lease is called unknown when a quorum has confirmed the leader",
    file: "lease-keeper.ts",
    from: '        case "unknown":\n          await this.#confirmLeadership();\n',
    to: '        case "unknown":\n',
  },
  {
    number: 133,
    rule: "a deposed leader forgets the revokes that waited",
    file: "lease-keeper.ts",
    from: "    this.#dueWaiting = [];\n    this.#lessor.demote();",
    to: "    this.#lessor.demote();",
  },
  {
    number: 134,
    rule: "a deposed leader counts lease time no more",
    file: "node.ts",
    from: "if (!this.#raw.isLeader) this.#leases.demote();",
    to: "if (this.#isEnded) this.#leases.demote();",
    tests: ["test/unit/server/node/lease-keeper.test.ts"],
  },
  {
    number: 135,
    rule: "leases are given their time once in a term",
    file: "lease-keeper.ts",
    from: "    if (this.#lessor.isPrimary && this.#term === term) return;\n",
    to: "",
  },
  {
    number: 136,
    rule: "a leader counts lease time once the first entry of its term is applied, not one of an earlier term",
    file: "node.ts",
    from: "if (this.#raw.isLeader && entry.term === this.#raw.term) this.#leases.promote",
    to: "if (this.#raw.isLeader) this.#leases.promote",
  },
  {
    number: 137,
    rule: "what is for the leader alone is not sent on by another member",
    file: "node.ts",
    from: "if (isForLeaderOnly && !this.#raw.isLeader) return",
    to: "if (isForLeaderOnly && this.#isEnded) return",
  },
  {
    number: 138,
    rule: "a member that is asked for the leader's work does not do it when it does not lead",
    file: "node.ts",
    from: '    if (!this.#raw.isLeader) throw new RequestError("notLeader");\n    return await work();',
    to: "    return await work();",
  },
  {
    number: 139,
    rule: "a lease is granted the least time that outlives an election",
    file: "lease-keeper.ts",
    from: "ttl: Math.max(ttlSeconds, this.#minTtlSeconds)",
    to: "ttl: ttlSeconds",
  },
  {
    number: 140,
    rule: "a lease tick whose outcome is unknown stays marked",
    file: "lease-keeper.ts",
    from: "if (isRefused) this.#lessor.tickFailed(tick);",
    to: "if (isRefused || !isRefused) this.#lessor.tickFailed(tick);",
  },
  {
    number: 141,
    rule: "a command that expired before there was a leader is not proposed",
    file: "proposals.ts",
    from: "if (this.#waiters.has(sequence) && !propose(data)) break;",
    to: "if (!propose(data)) break;",
  },
  {
    number: 142,
    rule: "answered commands make room for others",
    file: "proposals.ts",
    from: "    this.#sizeBytes -= waiter.sizeBytes;\n",
    to: "",
  },
  {
    number: 143,
    rule: "commands behind one that waits for a leader do not overtake it",
    file: "node.ts",
    from: "this.#raw.leader === 0n || this.#proposals.hasLeaderless;\n",
    to: "this.#raw.leader === 0n;\n",
  },
  {
    number: 144,
    rule: "a member far behind in applying takes no commands",
    file: "node.ts",
    from: "this.#raw.committed - this.#applier.index > limits.applyLagEntriesMax",
    to: "this.#raw.committed - this.#applier.index > Number.MAX_SAFE_INTEGER",
  },
  {
    number: 145,
    rule: "a member that failed works no more",
    file: "node.ts",
    from: "    this.#failure = error;\n    this.#consensus.stop();\n",
    to: "    this.#failure = error;\n",
  },
  {
    number: 146,
    rule: "a member that applies its own removal ends",
    file: "node.ts",
    from: "      this.#clock.after(this.#options.electionMs, () => this.#removed());\n",
    to: "",
    tests: ["test/unit/server/node/member-changes.test.ts"],
  },
  {
    number: 151,
    rule: "an installed snapshot has its mark in the log",
    file: "snapshot-exchange.ts",
    from: "      await this.#wal.appendSnapshotMark(metadata);\n",
    to: "",
  },
  {
    number: 152,
    rule: "a received snapshot is durable before raft hears of it",
    file: "snapshot-exchange.ts",
    from: "    try {\n      const sizeBytes",
    to: "    try {\n      this.#step(message);\n      const sizeBytes",
  },
  {
    number: 153,
    rule: "a snapshot goes out under the index of the state that it holds",
    file: "snapshot-exchange.ts",
    from: "snapshot: { metadata, data: new Uint8Array(0) }",
    to: "snapshot: message.snapshot",
  },
  {
    number: 154,
    rule: "a snapshot of the old state that is being written ends before another is installed",
    file: "snapshotter.ts",
    from: "      await this.#running;\n      await work();",
    to: "      await work();",
  },
  {
    number: 155,
    rule: "no snapshot of the old state is begun while another is installed",
    file: "snapshotter.ts",
    from: "    this.#isPaused = true;\n",
    to: "",
  },
  {
    number: 156,
    rule: "the log is marked when the file of the snapshot is durable, not before",
    file: "snapshotter.ts",
    from: "    try {\n      this.#lastSizeBytes",
    to: "    try {\n      await this.#wal.appendSnapshotMark(metadata);\n      this.#lastSizeBytes",
  },
  {
    number: 157,
    rule: "the log is released when the mark is durable, not before",
    file: "snapshotter.ts",
    from: "    await this.#wal.appendSnapshotMark(metadata);\n    this.#wal.release(metadata.index);",
    to: "    this.#wal.release(metadata.index);\n    await this.#wal.appendSnapshotMark(metadata);",
  },
  {
    number: 158,
    rule: "the snapshot before goes when the mark of the next is durable",
    file: "snapshotter.ts",
    from: "    await this.#wal.appendSnapshotMark(metadata);\n",
    to: "    await this.#store.removeBefore(metadata.index);\n    await this.#wal.appendSnapshotMark(metadata);\n",
  },
  {
    number: 161,
    rule: "a learner that is behind is not promoted",
    file: "member-changes.ts",
    from: "if (learner.match < leader.match * LEARNER_READY_SHARE)",
    to: "if (learner.match < 0)",
  },
  {
    number: 162,
    rule: "a voter whose going would cost the quorum stays",
    file: "member-changes.ts",
    from: "if (isStrict && member?.isLearner === false) this.#assertDispensable(member);",
    to: "if (isStrict && member?.isLearner === true) this.#assertDispensable(member);",
  },
  {
    number: 163,
    rule: "leadership goes to the voter that has most of the log",
    file: "leader-transfer.ts",
    from: "right.match - left.match",
    to: "left.match - right.match",
  },
];
