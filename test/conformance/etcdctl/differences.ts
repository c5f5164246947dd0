/** A step whose output differs between MetaStore and etcd 3.4 on purpose. One that stops to differ fails the run. */
export interface Difference {
  readonly step: string;
  readonly reason: string;
}

export const differences: readonly Difference[] = [];
