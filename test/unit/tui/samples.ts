import { advance } from "../../../src/tui/advance.ts";
import type { ClusterModel } from "../../../src/tui/cluster-model.ts";
import type {
  ClusterSample,
  Histogram,
  MemberMetrics,
  MemberSample,
  MemberStatus,
} from "../../../src/tui/cluster-sample.ts";

/** 2026-11-22 in the local zone, so that clocks on the screen do not depend on where the test runs. */
export const startWallMs = new Date(2026, 10, 22, 16, 24, 7).getTime();

export function status(change: Partial<MemberStatus> = {}): MemberStatus {
  return {
    version: "3.6.0",
    leaderId: "a1",
    term: 14,
    revision: 1_284_551,
    index: 2_901_337,
    applied: 2_901_337,
    isLearner: false,
    dbSizeBytes: 412_000_000,
    inUseBytes: 380_000_000,
    quotaBytes: 2_147_483_648,
    errors: [],
    ...change,
  };
}

/** Buckets of 1, 10, 100 ms and more, with as many observations in each. */
export function histogram(...counts: readonly [number, number, number, number]): Histogram {
  let sum = 0;
  return {
    bounds: [0.001, 0.01, 0.1, Number.POSITIVE_INFINITY],
    counts: counts.map((count) => {
      sum += count;
      return sum;
    }),
  };
}

export function metrics(change: Partial<MemberMetrics> = {}): MemberMetrics {
  return {
    puts: 1_000,
    ranges: 2_000,
    txns: 300,
    deletes: 10,
    keys: 182_004,
    compactRevision: 1_270_000,
    watchers: 437,
    slowWatchers: 1,
    quotaBytes: 2_147_483_648,
    fsync: histogram(100, 0, 0, 0),
    peerRoundTrip: histogram(100, 0, 0, 0),
    ...change,
  };
}

export function member(number: number, change: Partial<MemberSample> = {}): MemberSample {
  return {
    id: `a${number}`,
    name: `n${number}`,
    isLearner: false,
    peerUrls: [`http://10.0.0.${number}:2380`],
    clientUrls: [`http://10.0.0.${number}:2379`],
    endpoint: `10.0.0.${number}:2379`,
    status: status(),
    failure: undefined,
    answerMs: 1.2,
    metrics: undefined,
    ...change,
  };
}

/** A member that does not answer. */
export function silent(number: number, failure = "connection refused"): MemberSample {
  return member(number, { status: undefined, failure, answerMs: undefined });
}

/** A sample `second` seconds after the start. */
export function sample(second: number, members: readonly MemberSample[]): ClusterSample {
  return {
    atMs: 10_000 + second * 1_000,
    wallMs: startWallMs + second * 1_000,
    clusterId: "7b8914296afe3773",
    members,
    failure: members.length === 0 ? "connection refused" : undefined,
  };
}

/** The model after samples a second apart. */
export function modelOf(...samples: readonly (readonly MemberSample[])[]): ClusterModel {
  let model: ClusterModel | undefined;
  samples.forEach((members, second) => {
    model = advance(model, sample(second, members));
  });
  if (model === undefined) throw new Error("a model needs a sample");
  return model;
}

/** What happened, the earliest first, as "n1: text". */
export function told(model: ClusterModel): string[] {
  return [...model.events].reverse().map(({ member: name, text }) => `${name ?? "cluster"}: ${text}`);
}

export const healthy = [member(1), member(2), member(3)];
