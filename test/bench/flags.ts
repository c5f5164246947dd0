import { parseArgs } from "node:util";
import type { Engine } from "./contender.ts";

/** What the command line of the bench asks for. */
export interface BenchFlags {
  readonly isQuick: boolean;
  /** Workloads; all when absent. */
  readonly only: readonly string[] | undefined;
  readonly hasTable: boolean;
  readonly hasBare: boolean;
  readonly hasStore: boolean;
  readonly hasGrowth: boolean;
  readonly clients: readonly number[] | undefined;
  readonly seconds: number;
  readonly repeat: number;
  /** That the workloads choose from. */
  readonly keys: number;
  /** Of the part `store`. */
  readonly storeKeys: number;
  readonly against: string;
  /** The revision that the working tree is compared with, instead of etcd. */
  readonly revision: string | undefined;
  readonly members: number | undefined;
  readonly to: "all" | "leader";
  readonly engines: readonly Engine[];
  readonly isTls: boolean;
  readonly grpcTransport: string | undefined;
  readonly rate: number | undefined;
  readonly isHuge: boolean;
  readonly isWritten: boolean;
}

/** Parts that take minutes, so only when they are named. */
const PARTS = ["bare", "store", "growth"];

export function readFlags(args: readonly string[]): BenchFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      clients: { type: "string" },
      seconds: { type: "string" },
      repeat: { type: "string" },
      keys: { type: "string" },
      against: { type: "string", default: "etcd" },
      compare: { type: "string" },
      members: { type: "string" },
      to: { type: "string", default: "all" },
      storage: { type: "string", default: "memory" },
      tls: { type: "boolean", default: false },
      "grpc-transport": { type: "string" },
      rate: { type: "string" },
      huge: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const named = values.only?.split(",");
  const workloads = named?.filter((name) => !PARTS.includes(name));
  const number = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : numberOf(text);
  const flags: BenchFlags = {
    isQuick: values.quick,
    only: workloads,
    hasTable: workloads === undefined || workloads.length > 0,
    hasBare: named?.includes("bare") ?? false,
    hasStore: named?.includes("store") ?? false,
    hasGrowth: named?.includes("growth") ?? false,
    clients: values.clients?.split(",").map(numberOf),
    seconds: number(values.seconds) ?? (values.quick ? 1 : 3),
    repeat: number(values.repeat) ?? (values.quick ? 1 : 5),
    keys: number(values.keys) ?? 10_000,
    storeKeys: number(values.keys) ?? 1_000_000,
    against: values.against,
    revision: values.compare,
    members: number(values.members),
    to: values.to === "leader" ? "leader" : "all",
    engines: enginesOf(values.storage),
    isTls: values.tls,
    grpcTransport: values["grpc-transport"],
    rate: number(values.rate),
    isHuge: values.huge,
    isWritten: values.write,
  };
  check(flags);
  return flags;
}

function check({ revision, isWritten, isTls, members, hasStore, hasGrowth, engines }: BenchFlags): void {
  if (revision !== undefined) {
    if (isWritten) throw new Error("--compare is for the eye: it has no part in docs/BENCHMARKS.md");
    if (hasStore || hasGrowth) throw new Error("--compare measures workloads, neither store nor growth");
    if (engines.length > 1) throw new Error("--compare takes one engine: --storage memory or rocksdb");
  }
  if (isTls && members !== undefined && members > 1) throw new Error("--tls measures one member");
}

function enginesOf(text: string): readonly Engine[] {
  if (text === "both") return ["memory", "rocksdb"];
  if (text === "memory" || text === "rocksdb") return [text];
  throw new Error(`--storage is memory, rocksdb or both, not ${text}`);
}

function numberOf(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${text} is not a number above 0`);
  return value;
}
