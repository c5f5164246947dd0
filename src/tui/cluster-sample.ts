/** What one member said of itself (Maintenance.Status), with ids as the CLI prints them. */
export interface MemberStatus {
  readonly version: string;
  /** Hexadecimal; undefined when the member knows no leader. */
  readonly leaderId: string | undefined;
  readonly term: number;
  readonly revision: number;
  /** The last log entry that the member knows of. */
  readonly index: number;
  readonly applied: number;
  readonly isLearner: boolean;
  readonly dbSizeBytes: number;
  readonly inUseBytes: number;
  /** 0 when the server does not say. */
  readonly quotaBytes: number;
  /** In the server's own words: no leader, alarms. */
  readonly errors: readonly string[];
}

/** Observations per upper bound, cumulative, as in the Prometheus exposition; seconds. */
export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/** What /metrics says; every value may be absent. Counters count from the start of the member's process. */
export interface MemberMetrics {
  readonly puts: number | undefined;
  readonly ranges: number | undefined;
  readonly txns: number | undefined;
  readonly deletes: number | undefined;
  readonly keys: number | undefined;
  readonly compactRevision: number | undefined;
  readonly watchers: number | undefined;
  readonly slowWatchers: number | undefined;
  readonly quotaBytes: number | undefined;
  readonly fsync: Histogram | undefined;
  readonly peerRoundTrip: Histogram | undefined;
}

/** One member in one sample. */
export interface MemberSample {
  /** Hexadecimal. */
  readonly id: string;
  /** Empty until the member has started for the first time. */
  readonly name: string;
  readonly isLearner: boolean;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  /** host:port where it was asked; "-" when it has told no address. */
  readonly endpoint: string;
  readonly status: MemberStatus | undefined;
  /** Why there is no status; undefined when there is one. */
  readonly failure: string | undefined;
  /** How long the status took, in milliseconds. */
  readonly answerMs: number | undefined;
  readonly metrics: MemberMetrics | undefined;
}

/** The cluster at one moment, as far as it could be asked. */
export interface ClusterSample {
  /** Monotonic milliseconds. */
  readonly atMs: number;
  /** Milliseconds since the Unix epoch, for people. */
  readonly wallMs: number;
  /** Hexadecimal; undefined while no member has answered. */
  readonly clusterId: string | undefined;
  readonly members: readonly MemberSample[];
  /** Why no member list could be had, now or ever before; undefined when there is one. */
  readonly failure: string | undefined;
}
