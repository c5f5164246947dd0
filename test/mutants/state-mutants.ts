import type { Mutant } from "./mutant.ts";

/** What the log determines besides keys: members, alarms, what a snapshot brings. */
export const stateMutants: readonly Mutant[] = [
  {
    number: 401,
    rule: "the id of a removed member does not come back",
    file: "membership.ts",
    from: "        this.#removed.add(nodeId);\n",
    to: "",
  },
  {
    number: 402,
    rule: "the ids of removed members outlive a snapshot",
    file: "membership.ts",
    from: "    for (const id of removed) this.#removed.add(id);\n",
    to: "",
  },
  {
    number: 403,
    rule: "there are no more learners than the limit says",
    file: "membership.ts",
    from: "if (type === confChangeType.addLearnerNode && learnersMax > 0) {",
    to: "if (type === confChangeType.addLearnerNode && learnersMax < 0) {",
  },
  {
    number: 404,
    rule: "a promoted learner keeps its name and its URLs",
    file: "membership.ts",
    from: 'name: known?.name ?? "",',
    to: 'name: "",',
  },
  {
    number: 405,
    rule: "no two members have the same peer URL",
    file: "membership.ts",
    from: "if (other.id !== id && other.peerUrls",
    to: "if (other.id === id && other.peerUrls",
  },
  {
    number: 406,
    rule: "keys go with their lease",
    file: "state-machine.ts",
    from: "this.store.deleteKeys(this.lessor.revoke(command.request.id));",
    to: "this.lessor.revoke(command.request.id);",
  },
  {
    number: 407,
    rule: "a transaction that takes room is refused without room",
    file: "state-machine.ts",
    from: "if (this.alarms.isActive(alarmType.noSpace) && txnCost(request) > 0)",
    to: "if (this.alarms.isActive(alarmType.noSpace) && txnCost(request) < 0)",
  },
  {
    number: 408,
    rule: "alarms outlive a snapshot",
    file: "state-machine.ts",
    from: "        this.alarms.restore(meta.alarms);\n",
    to: "",
  },
];
