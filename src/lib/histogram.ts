import { Histogram } from "prom-client";

export type Labels = Readonly<Record<string, string>>;

/** One series of a histogram; an observation costs a few steps through an array. */
export interface HistogramCell {
  observe(value: number): void;
}

interface Value {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** One series: counts in an array, since prom-client's own observation hashes its labels each time. */
class Cell implements HistogramCell {
  readonly labels: Labels;
  readonly counts: number[];
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
  }
}

/** A histogram family of a prom-client registry that is counted in plain arrays and rendered at the scrape. */
export class CountedHistogram extends Histogram<string> {
  readonly #bounds: readonly number[];
  readonly #cells: Cell[] = [];

  constructor(configuration: ConstructorParameters<typeof Histogram<string>>[0] & { buckets: number[] }) {
    super(configuration);
    this.#bounds = configuration.buckets;
  }

  /** A new series, exposed with zeros from now on. */
  addCell(labels: Labels): HistogramCell {
    const cell = new Cell(labels, this.#bounds);
    this.#cells.push(cell);
    return cell;
  }

  /** What the registry asks for at a scrape, and get() is made of. */
  async getForPromString() {
    const { name, help } = this as unknown as { readonly name: string; readonly help: string };
    const values = this.#cells.flatMap((cell) => this.#valuesOf(name, cell));
    return { name, help, type: "histogram", values, aggregator: "sum" };
  }

  #valuesOf(name: string, { labels, counts, sum }: Cell): Value[] {
    let cumulated = 0;
    const values: Value[] = counts.map((count, bucket) => {
      cumulated += count;
      const le = this.#bounds[bucket] ?? "+Inf";
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: cumulated };
    });
    values.push({ metricName: `${name}_sum`, labels, value: sum });
    values.push({ metricName: `${name}_count`, labels, value: cumulated });
    return values;
  }
}
