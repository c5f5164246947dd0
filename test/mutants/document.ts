import { areas } from "./mutant.ts";
import { describeScore, type Verdict } from "./verdict.ts";

/** docs/MUTANTS.md. */
export function describeRun(verdicts: readonly Verdict[], tookMs: number): string {
  const equivalent = verdicts.filter(({ mutant }) => mutant.equivalent !== undefined);
  const tables = areas.flatMap((area) => {
    const rows = verdicts.filter((verdict) => verdict.area === area);
    if (rows.length === 0) return [];
    return [
      `## src/server/${area}`,
      "",
      "| # | file | rule that was broken | found by | s |",
      "|---|---|---|---|---|",
      ...rows.map(describeRow),
      "",
    ];
  });
  return [
    "# Mutants",
    "",
    "One rule is broken at a time, and something must notice. Written by `npm run test:mutants -- --write`; how it works",
    "and how to add one: `test/mutants/README.md`. 1 to 41 are the rules of Raft that every implementation must hold",
    "(most of them survive etcd's public traces), the others are ours.",
    "",
    "A mutant meets the cheapest tests first, and what is named here is the first that noticed: data-driven traces, the",
    "unit tests of its file, those of its folder, a member that crashes at one operation of its disk after the other,",
    "then 25 simulated clusters. Seconds are those of the whole trial, most of them the start of a process.",
    "",
    `**${describeScore(verdicts)}**, in ${(tookMs / 60_000).toFixed(1)} minutes on one core.`,
    "",
    ...tables,
    ...(equivalent.length === 0 ? [] : ["## Equivalent", "", ...equivalent.map(describeArgument), ""]),
  ].join("\n");
}

function describeRow({ mutant, outcome }: Verdict): string {
  const seconds = (outcome.tookMs / 1000).toFixed(1);
  const by =
    outcome.kind === "killed" ? outcome.by : mutant.equivalent === undefined ? "nobody" : "equivalent";
  const cells = [mutant.number, mutant.file, mutant.rule, by.replaceAll("|", "\\|"), seconds];
  return `| ${cells.join(" | ")} |`;
}

function describeArgument({ mutant }: Verdict): string {
  return `- **${mutant.number}** (${mutant.rule}): ${mutant.equivalent}`;
}
