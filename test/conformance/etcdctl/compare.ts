/**
 * Runs one list of etcdctl commands against a fresh MetaStore and a fresh etcd side by side and compares stdout, the
 * last line of stderr and exit codes: npm run test:conformance -- --only etcdctl. METASTORE_TEST_SELF=1 puts a second
 * etcd in the place of MetaStore, to try the list itself; ETCD_PROGRAM names another etcd than the one on the PATH;
 * --print shows every outcome.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram, ServerProcess } from "../../harness/index.ts";
import { differences } from "./differences.ts";
import { normalise, rules } from "./rules.ts";
import { type Step, steps } from "./steps.ts";

/** How long a watch gets to be registered before the commands meant for it, in ms. */
const WATCH_SETTLE_MS = 500;
const LINES_LIMIT_MS = 8_000;
const COMMAND_LIMIT_MS = 120_000;

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: string;
}

/** One server with what was captured from its outputs. */
class Side {
  readonly server: ServerProcess;
  readonly captured = new Map<string, string>();
  readonly #program: string;

  constructor(server: ServerProcess, program: string) {
    this.server = server;
    this.#program = program;
  }

  async run(step: Step): Promise<Outcome> {
    if (step.waitMs !== undefined) await sleep(step.waitMs);
    const args = step.args.map((word) =>
      word.replace(/\{(\w+)\}/g, (_, name: string) => this.captured.get(name) ?? ""),
    );
    const outcome =
      step.lines === undefined ? await this.#plain(args, step.stdin ?? "") : await this.#stream(args, step);
    if (step.capture !== undefined) {
      const value = step.capture.pattern.exec(outcome.stdout)?.[1];
      if (value !== undefined) this.captured.set(step.capture.name, value);
    }
    return {
      stdout: normalise(outcome.stdout, this.captured),
      stderr: normalise(lastError(outcome.stderr), this.captured),
      exit: outcome.exit,
    };
  }

  #spawn(args: readonly string[]) {
    const child = spawn(this.#program, ["--endpoints", this.server.endpoint, ...args], {
      env: { PATH: process.env["PATH"], ETCDCTL_API: "3" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString("latin1")));
    child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString("latin1")));
    child.stdin.on("error", () => {}); // etcdctl may end before it has read its input
    const ended = new Promise<string>((resolve) => {
      child.once("close", (code, signal) => resolve(code === null ? String(signal) : String(code)));
    });
    return { child, output, ended };
  }

  async #plain(args: readonly string[], stdin: string): Promise<Outcome> {
    const { child, output, ended } = this.#spawn(args);
    child.stdin.end(stdin);
    const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_LIMIT_MS);
    const exit = await ended;
    clearTimeout(timer);
    return { ...output, exit };
  }

  async #stream(args: readonly string[], step: Step): Promise<Outcome> {
    const { child, output, ended } = this.#spawn(args);
    let exit: string | undefined;
    void ended.then((code) => {
      exit = code;
    });
    await sleep(WATCH_SETTLE_MS);
    for (const command of step.meanwhile ?? []) await this.#plain(command, "");
    const deadline = Date.now() + LINES_LIMIT_MS;
    const lines = (): number => output.stdout.split("\n").length - 1;
    while (exit === undefined && lines() < (step.lines ?? 0) && Date.now() < deadline) await sleep(20);
    await sleep(100); // what comes on top of the expected lines is a difference too
    const stopped = exit === undefined;
    if (stopped) child.kill("SIGINT");
    const code = await ended;
    return { ...output, exit: stopped ? `stopped, ${code}` : code };
  }
}

/** etcdctl logs retries before its error; the error itself is the last line, or the JSON log line's "error". */
function lastError(stderr: string): string {
  return stderr.trim().split("\n").at(-1) ?? "";
}

function difference(left: Outcome, right: Outcome): string {
  return (["stdout", "stderr", "exit"] as const)
    .filter((part) => left[part] !== right[part])
    .map(
      (part) =>
        `    ${part} of etcd:      ${JSON.stringify(left[part])}\n    ${part} of MetaStore: ${JSON.stringify(right[part])}`,
    )
    .join("\n");
}

async function main(): Promise<number> {
  const [etcd, etcdctl] = [process.env["ETCD_PROGRAM"] ?? findProgram("etcd"), findProgram("etcdctl")];
  if (etcd === undefined || etcdctl === undefined) {
    console.log(`skipped: ${etcd === undefined ? "etcd" : "etcdctl"} is not on the PATH`);
    console.log("0 passed, 0 failed, 1 skipped");
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), "metastore-etcdctl-"));
  const kind = process.env["METASTORE_TEST_SELF"] === "1" ? "etcd" : "metastore";
  const servers: ServerProcess[] = [];
  let [passed, failed] = [0, 0];
  const explained: string[] = [];
  try {
    servers.push(await ServerProcess.start({ kind: "etcd", folder: join(folder, "etcd"), program: etcd }));
    servers.push(await ServerProcess.start({ kind, folder: join(folder, "metastore") }));
    const [left, right] = servers.map((server) => new Side(server, etcdctl)) as [Side, Side];
    for (const step of steps) {
      const [ours, theirs] = await Promise.all([right.run(step), left.run(step)]);
      if (process.argv.includes("--print")) console.log(step.name, JSON.stringify(ours));
      const found = difference(theirs, ours);
      const known = differences.find((entry) => entry.step === step.name);
      if (found === "" && known === undefined) passed += 1;
      else if (found === "" && known !== undefined) {
        failed += 1;
        console.log(`NO LONGER DIFFERENT: ${step.name} (${known.reason}); take it off the list`);
      } else if (known !== undefined) {
        passed += 1;
        explained.push(step.name);
        console.log(`different, explained: ${step.name}: ${known.reason}\n${found}`);
      } else {
        failed += 1;
        console.log(`DIFFERENT: ${step.name}\n${found}`);
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `${steps.length} commands, ${explained.length} differ as explained, ${rules.length} rules hide what must differ`,
  );
  console.log(`${passed} passed, ${failed} failed, 0 skipped`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
