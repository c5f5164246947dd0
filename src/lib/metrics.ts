import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { assert } from "./assert.ts";
import { CountedHistogram, type HistogramCell, type Labels } from "./histogram.ts";

export type { HistogramCell, Labels } from "./histogram.ts";

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Name, help text and label names of one metric family (Prometheus data model). */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
}

/** One series of a counter: the hot path adds to `value` and pays nothing else; the scrape reads it. */
export interface CounterCell {
  value: number;
}

export interface CounterFamily {
  /** The series with these labels; made with value 0 on first use. Keep it where the hot path is. */
  cell(labels?: Labels): CounterCell;
}

export interface HistogramFamily {
  /** The series with these labels, exposed with zeros from now on. Keep it where the hot path is. */
  cell(labels?: Labels): HistogramCell;
}

/** The value now, or one sample per label set. */
export type Pull = () => number | readonly Sample[];

/** `count` bounds, each `factor` times the one before. */
export function exponentialBuckets(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Number((start * factor ** i).toPrecision(12)));
}

const noLabels: Labels = Object.freeze({});

/**
 * The metrics of one member: a thin layer over a prom-client registry of its own. Labels are exposed in
 * alphabetical order, as Go's client library does (etcd http.md section 5).
 */
export class MetricsRegistry {
  readonly #registry = new Registry();

  /** Value of the Content-Type header for `render`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** A counter that the code counts up. */
  counter(family: MetricFamily): CounterFamily {
    const cells = new Map<string, { labels: Labels; cell: CounterCell }>();
    const cell = (labels: Labels = noLabels): CounterCell => {
      const sorted = sortedLabels(family, labels);
      const key = JSON.stringify(sorted);
      const known = cells.get(key);
      if (known !== undefined) return known.cell;
      const fresh: CounterCell = { value: 0 };
      cells.set(key, { labels: sorted, cell: fresh });
      return fresh;
    };
    if (labelNames(family).length === 0) cell();
    this.pulledCounter(family, () =>
      Array.from(cells.values(), ({ labels, cell: { value } }) => ({ labels, value })),
    );
    return { cell };
  }

  /** A counter whose values are asked for at each scrape. */
  pulledCounter(family: MetricFamily, pull: Pull): void {
    new Counter({
      ...common(family),
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { labels, value } of samples(family, pull())) this.inc(labels, value);
      },
    });
  }

  /** A gauge whose values are asked for at each scrape. */
  pulledGauge(family: MetricFamily, pull: Pull): void {
    new Gauge({
      ...common(family),
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { labels, value } of samples(family, pull())) this.set(labels, value);
      },
    });
  }

  histogram(family: MetricFamily & { readonly buckets: readonly number[] }): HistogramFamily {
    const histogram = new CountedHistogram({
      ...common(family),
      buckets: [...family.buckets],
      registers: [this.#registry],
    });
    const cells = new Map<string, HistogramCell>();
    return {
      cell(labels: Labels = noLabels): HistogramCell {
        const sorted = sortedLabels(family, labels);
        const key = JSON.stringify(sorted);
        const known = cells.get(key);
        if (known !== undefined) return known;
        const fresh = histogram.addCell(sorted);
        cells.set(key, fresh);
        return fresh;
      },
    };
  }

  /** Adds process_* and nodejs_*, what Node itself can tell, and etcd's os_fd_*. go_* names are not imitated. */
  collectProcessMetrics(): void {
    collectDefaultMetrics({ register: this.#registry });
    // Their values are NaN right after a scrape, spelt as no exposition may; EventLoopLag takes their place.
    for (const name of this.names()) {
      if (name.startsWith("nodejs_eventloop_lag_")) this.#registry.removeSingleMetric(name);
    }
    this.#repeat("os_fd_used", "File descriptors in use.", "process_open_fds");
    this.#repeat("os_fd_limit", "File descriptors that the process may have.", "process_max_fds");
  }

  /** Exposes a gauge under a second name, where the system has the first one. */
  #repeat(name: string, help: string, original: string): void {
    const metric = this.#registry.getSingleMetric(original);
    if (metric === undefined) return;
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      async collect() {
        const value = (await metric.get()).values[0]?.value;
        if (value !== undefined) this.set(value);
      },
    });
  }

  /** Names of all families, sorted. */
  names(): string[] {
    return this.#registry
      .getMetricsAsArray()
      .map((metric) => metric.name)
      .sort();
  }

  /** The text exposition format (Prometheus 0.0.4). */
  render(): Promise<string> {
    return this.#registry.metrics();
  }
}

function labelNames(family: MetricFamily): readonly string[] {
  return family.labelNames ?? [];
}

function common(family: MetricFamily): { name: string; help: string; labelNames: readonly string[] } {
  return { name: family.name, help: family.help, labelNames: labelNames(family) };
}

function sortedLabels(family: MetricFamily, labels: Labels): Record<string, string> {
  const names = labelNames(family);
  assert(Object.keys(labels).length === names.length, `${family.name} takes the labels ${names.join(", ")}`);
  const sorted: Record<string, string> = {};
  for (const name of [...names].sort()) {
    const value = labels[name];
    assert(value !== undefined, `${family.name} needs a value for its label ${name}`);
    sorted[name] = value;
  }
  return sorted;
}

function samples(family: MetricFamily, pulled: number | readonly Sample[]): Sample[] {
  if (typeof pulled === "number") return [{ labels: noLabels, value: pulled }];
  return pulled.map(({ labels, value }) => ({ labels: sortedLabels(family, labels), value }));
}
