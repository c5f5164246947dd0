import type { ChaosReport } from "./scenarios/chaos-round.ts";
import { quantile } from "./scenarios/scenario.ts";
import type { OutcomeCounts } from "./workload/recorder.ts";

/** What all rounds of a run did and found, together. */
export class ChaosTotals {
  readonly #faults = new Map<string, number>();
  readonly #operations = new Map<string, OutcomeCounts>();
  readonly #errors = new Map<string, number>();
  readonly #convergedMs: number[] = [];
  readonly #firstWriteMs: number[] = [];
  readonly #failedSeeds: number[] = [];
  #rounds = 0;
  #faultsRefused = 0;
  #violations = 0;
  #acknowledged = 0;
  #operationsChecked = 0;
  #watchEventsChecked = 0;
  #leasesChecked = 0;

  get failedRounds(): number {
    return this.#failedSeeds.length;
  }

  add(report: ChaosReport): void {
    this.#rounds += 1;
    for (const [name, count] of report.faults) add(this.#faults, name, count);
    for (const [text, count] of report.errors) add(this.#errors, text, count);
    for (const [kind, counts] of report.counts) {
      const sum = this.#operations.get(kind) ?? { ok: 0, refused: 0, unknown: 0, notApplied: 0 };
      this.#operations.set(kind, {
        ok: sum.ok + counts.ok,
        refused: sum.refused + counts.refused,
        unknown: sum.unknown + counts.unknown,
        notApplied: sum.notApplied + counts.notApplied,
      });
    }
    this.#faultsRefused += report.faultsRefused;
    this.#violations += report.violations.length;
    if (report.violations.length > 0) this.#failedSeeds.push(report.seed);
    this.#acknowledged += report.acknowledged;
    this.#operationsChecked += report.verdict.operationsChecked;
    this.#watchEventsChecked += report.verdict.watchEventsChecked;
    this.#leasesChecked += report.verdict.leasesChecked;
    this.#convergedMs.push(report.verdict.convergedMs);
    this.#firstWriteMs.push(report.firstWriteMs);
  }

  /** A round that could not be brought to its end. */
  broke(seed: number, error: unknown): void {
    this.#rounds += 1;
    this.#violations += 1;
    this.#failedSeeds.push(seed);
    add(this.#errors, `round broken: ${error instanceof Error ? error.message : error}`, 1);
  }

  line(report: ChaosReport): string {
    const faults = [...report.faults.values()].reduce((sum, count) => sum + count, 0);
    return (
      `seed ${report.seed}: ${report.setting}; ${faults} faults, ${report.acknowledged} acknowledged ` +
      `(${report.acknowledgedPerSecond.toFixed(0)}/s), revision ${report.verdict.revision}, ` +
      `${report.verdict.watchEventsChecked} watch events, first write ${report.firstWriteMs.toFixed(0)} ms and equal ` +
      `hashes ${report.verdict.convergedMs.toFixed(0)} ms after the faults, ${report.violations.length} violations`
    );
  }

  summary(): string[] {
    const faults = [...this.#faults].sort(([, left], [, right]) => right - left);
    const spread = (figures: readonly number[]): string =>
      `p50 ${quantile(figures, 0.5).toFixed(0)} ms, max ${quantile(figures, 1).toFixed(0)} ms`;
    return [
      "",
      `rounds ${this.#rounds}, failed ${this.#failedSeeds.length}${this.#failedSeeds.length > 0 ? ` (seeds ${this.#failedSeeds.join(", ")})` : ""}`,
      `faults ${faults.reduce((sum, [, count]) => sum + count, 0)} (refused or without a target: ${this.#faultsRefused})`,
      ...faults.map(([name, count]) => `  ${String(count).padStart(6)}  ${name}`),
      "operations            ok   refused   unknown  surely not applied",
      ...[...this.#operations]
        .sort()
        .map(
          ([kind, { ok, refused, unknown, notApplied }]) =>
            `  ${kind.padEnd(14)} ${String(ok).padStart(8)} ${String(refused).padStart(8)} ${String(unknown).padStart(8)} ${String(notApplied).padStart(8)}`,
        ),
      "failures seen by clients",
      ...[...this.#errors]
        .sort(([, left], [, right]) => right - left)
        .slice(0, 12)
        .map(([text, count]) => `  ${String(count).padStart(6)}  ${text}`),
      `first write after the faults: ${spread(this.#firstWriteMs)}; equal hashes: ${spread(this.#convergedMs)}`,
      `acknowledged ${this.#acknowledged}, operations checked ${this.#operationsChecked}, watch events checked ` +
        `${this.#watchEventsChecked}, leases checked ${this.#leasesChecked}, violations ${this.#violations}`,
    ];
  }
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}
