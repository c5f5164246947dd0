import type { Area, Mutant } from "./mutant.ts";
import type { TrialOutcome } from "./trial-process.ts";

/** How the trial of one mutant ended. */
export interface Verdict {
  readonly area: Area;
  readonly mutant: Mutant;
  readonly outcome: TrialOutcome;
}

/** "wrong": it survived without an argument, was killed in spite of one, or is no program. */
export type Judgement = "killed" | "survived" | "equivalent" | "wrong";

export function judge({ mutant, outcome }: Verdict): Judgement {
  if (outcome.kind === "broken") return "wrong";
  if (mutant.equivalent === undefined) return outcome.kind;
  return outcome.kind === "survived" ? "equivalent" : "wrong";
}

export function describeVerdict(verdict: Verdict): string {
  const { mutant, outcome } = verdict;
  const seconds = (outcome.tookMs / 1000).toFixed(1).padStart(6);
  const line = `${judge(verdict).padEnd(10)} ${seconds} s  ${String(mutant.number).padStart(3)} ${mutant.rule}`;
  if (outcome.kind === "survived") return line;
  if (outcome.kind === "broken") return `${line}\n    the mutant is no program: ${outcome.why}`;
  const surprise = mutant.equivalent === undefined ? "" : "; it was said to be equivalent";
  return `${line}\n    ${outcome.by}${surprise}\n    ${outcome.why}`;
}

/** The last line: "N killed, N survived, N equivalent: N.N %". */
export function describeScore(verdicts: readonly Verdict[]): string {
  const count = (wanted: Judgement): number => verdicts.filter((each) => judge(each) === wanted).length;
  const [killed, survived, equivalent, wrong] = [
    count("killed"),
    count("survived"),
    count("equivalent"),
    count("wrong"),
  ];
  const score = (100 * killed) / Math.max(1, killed + survived + wrong);
  const rest = wrong === 0 ? "" : `, ${wrong} not as its row says`;
  return `${killed} killed, ${survived} survived, ${equivalent} equivalent${rest}: score ${score.toFixed(1)} %`;
}
