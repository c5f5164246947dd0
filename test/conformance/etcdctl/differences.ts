/** A step whose output differs between MetaStore and etcd 3.4 on purpose. One that stops to differ fails the run. */
export interface Difference {
  readonly step: string;
  readonly reason: string;
}

export const differences: readonly Difference[] = [
  {
    step: "member remove 1234",
    reason: "membership changes come with clusters; until then the call is UNIMPLEMENTED and names itself",
  },
  {
    step: "move-leader 1234",
    reason: "leader transfer comes with clusters; until then the call is UNIMPLEMENTED and names itself",
  },
];
