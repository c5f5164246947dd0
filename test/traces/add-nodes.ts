import { type ConfState, emptyConfState, type Snapshot } from "../../src/server/raft/index.ts";
import type { Argument } from "./directives.ts";
import { emptySnapshot, type TraceConfig } from "./trace-node.ts";

/** What `add-nodes` says of the members that it adds (datadriven-format section 2). */
export interface Addition {
  readonly count: number;
  readonly snapshot: Snapshot;
  readonly config: TraceConfig;
}

function readNumber(argument: Argument): number {
  const value = Number(argument.values[0]);
  if (!Number.isSafeInteger(value)) throw new Error(`${argument.key} wants a number`);
  return value;
}

export function readFlag(argument: Argument): boolean {
  const [value] = argument.values;
  if (value !== "true" && value !== "false") throw new Error(`${argument.key} wants true or false`);
  return value === "true";
}

function readIds(argument: Argument): bigint[] {
  return argument.values.map((value) => BigInt(value));
}

const configReaders: Readonly<Record<string, (argument: Argument) => TraceConfig>> = {
  inflight: (argument) => ({ inflightMessagesMax: readNumber(argument) }),
  "inflight-bytes": (argument) => ({ inflightBytesMax: readNumber(argument) }),
  "max-size-per-msg": (argument) => ({ maxSizePerMessage: readNumber(argument) }),
  "max-uncommitted-size": (argument) => ({ uncommittedBytesMax: readNumber(argument) }),
  "async-storage-writes": (argument) => ({ asyncStorageWrites: readFlag(argument) }),
  prevote: (argument) => ({ preVote: readFlag(argument) }),
  checkquorum: (argument) => ({ checkQuorum: readFlag(argument) }),
  "max-committed-size-per-ready": (argument) => ({ applyBytesMax: readNumber(argument) }),
  "disable-conf-change-validation": (argument) => ({ disableConfChangeValidation: readFlag(argument) }),
  "step-down-on-removal": (argument) => ({ stepDownOnRemoval: readFlag(argument) }),
  "read-only": (argument) => ({ readOnly: argument.values[0] === "lease-based" ? "leaseBased" : "safe" }),
};

/** Throws Error for what it does not know. */
export function readAddition(args: readonly Argument[]): Addition {
  let config: TraceConfig = {};
  let state: ConfState = emptyConfState;
  let index = 0;
  let content = "";
  for (const argument of args.slice(1)) {
    const { key } = argument;
    const reader = configReaders[key];
    if (reader !== undefined) config = { ...config, ...reader(argument) };
    else if (key === "voters") state = { ...state, voters: readIds(argument) };
    else if (key === "learners") state = { ...state, learners: readIds(argument) };
    else if (key === "index") index = readNumber(argument);
    else if (key === "content") content = argument.values[0] ?? "";
    else throw new Error(`unknown argument ${key}`);
  }
  const count = Number(args[0]?.key);
  const isBootstrapped = state !== emptyConfState || index !== 0 || content !== "";
  if (!isBootstrapped) return { count, snapshot: emptySnapshot, config };
  if (index <= 1) throw new Error("index must be specified as > 1 due to bootstrap");
  return {
    count,
    snapshot: { metadata: { confState: state, index, term: 1 }, data: Buffer.from(content) },
    config,
  };
}
