import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { TrialReport } from "./trial.ts";
import type { TrialPlan } from "./trial-plan.ts";

/** How a trial ended. */
type Ending =
  | { readonly kind: "killed"; readonly by: string; readonly why: string }
  | { readonly kind: "survived" }
  | { readonly kind: "broken"; readonly why: string };

export type TrialOutcome = Ending & { readonly tookMs: number };

const STDERR_CHARS_MAX = 2_000;
let running: ChildProcess | undefined;

/** Ends the trial that is under way, when this process ends before it. */
export function abandonTrial(): void {
  running?.kill("SIGKILL");
}

/**
 * Runs the plan on the tree at `root`, in one process of its own. One that takes longer than `limitMs` has hung, or
 * slowed down beyond measure; that, and the end of the process, kills the mutant too.
 */
export function runTrial(root: string, plan: TrialPlan, limitMs: number): Promise<TrialOutcome> {
  const startMs = performance.now();
  const child = fork(join(root, "test", "mutants", "trial.ts"), {
    cwd: root,
    execArgv: ["--import", "tsx", "--enable-source-maps"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  running = child;
  let trying = "the start";
  let said = "";
  let outcome: Ending | undefined;
  const limit = setTimeout(() => {
    const why = `it did not end within ${Math.round(limitMs / 1000)} s`;
    outcome ??= { kind: "killed", by: `time-out in ${trying}`, why } as const;
    child.kill("SIGKILL");
  }, limitMs);
  child.stderr!.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString("utf8")).slice(-STDERR_CHARS_MAX);
  });
  child.on("message", (message) => {
    const report = message as TrialReport;
    if (report.kind === "trying") trying = report.what;
    else outcome ??= report;
  });
  child.send(plan);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(limit);
      running = undefined;
      const by = `the end of the process in ${trying}`;
      const ended = { kind: "killed", by, why: `it ended with ${code ?? signal}: ${said.trim()}` } as const;
      resolve({ ...(outcome ?? ended), tookMs: performance.now() - startMs } as TrialOutcome);
    });
  });
}
