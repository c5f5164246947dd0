import {
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeV2,
  confChangeTransition,
  confChangeType,
} from "../../src/server/raft/index.ts";
import { readFlag } from "./add-nodes.ts";
import type { Directive } from "./directives.ts";

const letters = new Map([
  ["v", confChangeType.addNode],
  ["l", confChangeType.addLearnerNode],
  ["r", confChangeType.removeNode],
  ["u", confChangeType.updateNode],
]);

const transitions = new Map([
  ["auto", confChangeTransition.auto],
  ["implicit", confChangeTransition.jointImplicit],
  ["explicit", confChangeTransition.jointExplicit],
]);

/** `v1 l2 r3 u4`. Throws Error. */
export function readChanges(input: string): ConfChangeSingle[] {
  const tokens = input.split(/\s+/).filter((token) => token !== "");
  return tokens.map((token) => {
    const type = letters.get(token[0]!);
    if (token.length < 2) throw new Error(`unknown token ${token}`);
    if (type === undefined) throw new Error(`unknown input: ${token}`);
    return { type, nodeId: BigInt(token.slice(1)) };
  });
}

/** The change of `propose-conf-change`. Throws Error. */
export function readConfChange(directive: Directive): ConfChange | ConfChangeV2 {
  const changes = readChanges(directive.input);
  const context = new Uint8Array(0);
  let isV1 = false;
  let transition: ConfChangeV2["transition"] = confChangeTransition.auto;
  for (const argument of directive.args.slice(1)) {
    if (argument.key === "v1") {
      isV1 = readFlag(argument);
    } else if (argument.key === "transition") {
      const known = transitions.get(argument.values[0] ?? "");
      if (known === undefined) throw new Error(`unknown transition ${argument.values[0]}`);
      transition = known;
    } else {
      throw new Error(`unknown argument ${argument.key}`);
    }
  }
  if (!isV1) return { transition, changes, context };
  const [change] = changes;
  if (change === undefined || changes.length > 1 || transition !== confChangeTransition.auto) {
    throw new Error("v1 conf change can only have one operation and no transition");
  }
  return { ...change, context };
}
