import { leaseMutants } from "./lease-mutants.ts";
import type { Area, Mutant } from "./mutant.ts";
import { mvccMutants } from "./mvcc-mutants.ts";
import { nodeMutants } from "./node-mutants.ts";
import { raftMutants } from "./raft-mutants.ts";
import { stateMutants } from "./state-mutants.ts";
import { storageMutants } from "./storage-mutants.ts";

export const mutantsOf: Readonly<Record<Area, readonly Mutant[]>> = {
  raft: raftMutants,
  storage: storageMutants,
  mvcc: mvccMutants,
  lease: leaseMutants,
  state: stateMutants,
  node: nodeMutants,
};
