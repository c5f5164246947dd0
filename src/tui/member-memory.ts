import type { Histogram, MemberMetrics, MemberSample, MemberStatus } from "./cluster-sample.ts";
import { observations, observedSince, quantileOf } from "./histogram.ts";
import type { MemberState } from "./member-model.ts";

/** Counts per second of one member; undefined where it does not say. */
export interface MemberRates {
  readonly puts: number | undefined;
  readonly ranges: number | undefined;
  readonly txns: number | undefined;
  readonly deletes: number | undefined;
}

export const noRates: MemberRates = {
  puts: undefined,
  ranges: undefined,
  txns: undefined,
  deletes: undefined,
};

/** What the next model needs to know of a member's past. */
export interface MemberMemory {
  readonly status: MemberStatus | undefined;
  readonly metrics: MemberMetrics | undefined;
  /** Monotonic milliseconds when `metrics` came. */
  readonly metricsAtMs: number;
  readonly rates: MemberRates;
  /** The oldest first, of as many samples as quantiles are taken over. */
  readonly fsyncs: readonly Histogram[];
  readonly peerRoundTrips: readonly Histogram[];
  /** Samples in a row that called it slow (positive) or did not (negative). */
  readonly slowRun: number;
  readonly isSlow: boolean;
  /** Whether it came back, or is new, and has not caught up since. */
  readonly isReturning: boolean;
  readonly lag: number | undefined;
  readonly state: MemberState;
  readonly stateSinceMs: number;
  /** The lag when the state began. */
  readonly stateStartLag: number;
  readonly lagHistory: readonly (number | undefined)[];
  readonly answerHistory: readonly (number | undefined)[];
}

/** Quantiles are over the last ten samples: ten seconds at the usual interval. */
const windowSamples = 10;

export type Observed = Pick<MemberMemory, "metrics" | "metricsAtMs" | "rates" | "fsyncs" | "peerRoundTrips">;

/** Takes the metrics of a sample in. */
export function observe(memory: MemberMemory | undefined, sample: MemberSample, atMs: number): Observed {
  const { metrics } = sample;
  if (metrics === undefined) {
    // What it did before it fell silent says nothing about what it does now.
    return { metrics: undefined, metricsAtMs: atMs, rates: noRates, fsyncs: [], peerRoundTrips: [] };
  }
  // The same object again: it was not asked this time.
  if (memory !== undefined && memory.metrics === metrics) return memory;
  return {
    metrics,
    metricsAtMs: atMs,
    rates: ratesBetween(memory, metrics, atMs),
    fsyncs: append(memory?.fsyncs ?? [], metrics.fsync),
    peerRoundTrips: append(memory?.peerRoundTrips ?? [], metrics.peerRoundTrip),
  };
}

function ratesBetween(memory: MemberMemory | undefined, metrics: MemberMetrics, atMs: number): MemberRates {
  const earlier = memory?.metrics;
  if (memory === undefined || earlier === undefined) return noRates;
  const seconds = (atMs - memory.metricsAtMs) / 1_000;
  const rate = (later: number | undefined, before: number | undefined): number | undefined => {
    if (later === undefined || before === undefined || seconds <= 0) return undefined;
    // Fewer than before: the process is a new one and began at zero.
    return (later >= before ? later - before : later) / seconds;
  };
  return {
    puts: rate(metrics.puts, earlier.puts),
    ranges: rate(metrics.ranges, earlier.ranges),
    txns: rate(metrics.txns, earlier.txns),
    deletes: rate(metrics.deletes, earlier.deletes),
  };
}

function append(window: readonly Histogram[], histogram: Histogram | undefined): readonly Histogram[] {
  return histogram === undefined ? [] : [...window, histogram].slice(-windowSamples - 1);
}

/** A quantile of the window, in milliseconds; undefined when nothing was observed in it. */
export function windowQuantileMs(window: readonly Histogram[], quantile: number): number | undefined {
  const last = window.at(-1);
  if (last === undefined || window.length < 2) return undefined;
  const seen = observedSince(last, window[0]);
  const seconds = observations(seen) === 0 ? undefined : quantileOf(seen, quantile);
  return seconds === undefined ? undefined : seconds * 1_000;
}
