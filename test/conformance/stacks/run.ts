/**
 * gRPC clients of five stacks against MetaStore, plain and with TLS: npm run test:stacks
 * [-- --only go,java,js,python,rust] [--grpc-transport NAME] [--verbose]
 * [--plain HOST:PORT --tls HOST:PORT --authority FILE] for servers that run already. A stack whose tools the machine
 * lacks is a skip with its reason. Ends with "N passed, N failed, N skipped".
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../../harness/index.ts";
import { authorityFile, startTwoDoors } from "../two-doors.ts";
import { type Stack, stacks } from "./stacks.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    "grpc-transport": { type: "string" },
    verbose: { type: "boolean", default: false },
    plain: { type: "string" },
    tls: { type: "string" },
    authority: { type: "string", default: authorityFile },
  },
});

/** The promises every stack holds the server to, on each door: README.md tells what they are. */
const CASES = [
  "unary",
  "errors",
  "metadata",
  "value-1mib",
  "request-too-large",
  "answer-24mib",
  "answer-over-client-limit",
  "snapshot",
  "range-stream",
  "watch",
  "watch-100-streams",
  "lease-keep-alive",
  "small-window",
  "slow-watch",
  "cancel-unary",
  "cancel-streams",
  "deadline",
  "calls-1000",
  "same-connection",
];
const LIMIT_MS = 15 * 60_000;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  note: string;
}

async function runStack(stack: Stack, cache: string): Promise<Counts> {
  const missing = stack.missing();
  if (missing !== undefined) return { passed: 0, failed: 0, skipped: 1, note: `skipped: ${missing}` };
  for (const step of stack.build(cache)) {
    const { code, output } = await command(step.program, step.args, step.cwd, step.environment ?? {}, false);
    if (code !== 0) {
      console.log(`${output}\n${step.program} ${step.args.join(" ")}: exit code ${code}`);
      return { passed: 0, failed: 1, skipped: 0, note: "could not be built" };
    }
  }
  const doors = await openDoors();
  try {
    const client = stack.client(cache);
    const environment = {
      METASTORE_PLAIN: doors.plain,
      METASTORE_TLS: doors.tls,
      METASTORE_AUTHORITY: flags.authority,
    };
    const { code, output } = await command(client.program, client.args, client.cwd, environment, true);
    return judge(
      output,
      code,
      [doors.plain && "plain", doors.tls && "tls"].filter((door) => door !== ""),
    );
  } finally {
    await doors.close();
  }
}

/** A server for one stack alone, or the ones that run already. */
async function openDoors(): Promise<{ plain: string; tls: string; close(): Promise<void> }> {
  if (flags.plain !== undefined || flags.tls !== undefined) {
    return { plain: flags.plain ?? "", tls: flags.tls ?? "", close: async () => {} };
  }
  const folder = mkdtempSync(join(tmpdir(), "metastore-stacks-"));
  const transport = flags["grpc-transport"];
  const { server, plain, tls } = await startTwoDoors(
    folder,
    transport === undefined ? [] : ["--grpc-transport", transport],
  );
  const close = async (): Promise<void> => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  return { plain, tls, close };
}

/** A case that is not told of has failed, and so has a client that ends badly. */
function judge(output: string, code: number | null, doors: readonly string[]): Counts {
  const expected = doors.flatMap((door) => CASES.map((name) => `${door}: ${name}`));
  const lines = output.split("\n");
  const silent = expected.filter(
    (name) => !lines.some((line) => line === `ok ${name}` || line.startsWith(`not ok ${name}: `)),
  );
  for (const name of silent) console.log(`  not told of: ${name}`);
  const passed = expected.filter((name) => lines.includes(`ok ${name}`)).length;
  let failed = lines.filter((line) => line.startsWith("not ok ")).length + silent.length;
  if (code !== 0 && failed === 0) failed = 1;
  return { passed, failed, skipped: 0, note: lines.find((line) => line.startsWith("grpc-stack: ")) ?? "" };
}

function command(
  program: string,
  args: readonly string[],
  cwd: string,
  environment: Record<string, string>,
  isShown: boolean,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    let output = "";
    let rest = "";
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      const isWorth = (line: string): boolean => flags.verbose || !line.startsWith("ok ");
      if (isShown || flags.verbose) for (const line of lines.filter(isWorth)) console.log(`  ${line}`);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

async function main(): Promise<number> {
  const wanted = flags.only?.split(",");
  const names = stacks.map(({ name }) => name);
  const unknown = wanted?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) throw new Error(`--only knows ${names}, not ${unknown}`);
  // What was fetched and built stays for later runs.
  const cache = join(tmpdir(), "metastore-stacks-cache");
  const total = { passed: 0, failed: 0, skipped: 0 };
  const summary: string[] = [];
  for (const stack of stacks.filter(({ name }) => wanted?.includes(name) ?? true)) {
    console.log(`\n--- ${stack.title}`);
    const folder = join(cache, stack.name);
    mkdirSync(folder, { recursive: true });
    const counts = await runStack(stack, folder).catch((error: unknown): Counts => {
      console.log(`  ${error instanceof Error ? error.message : error}`);
      return { passed: 0, failed: 1, skipped: 0, note: "could not be run" };
    });
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    const { passed, failed, skipped, note } = counts;
    summary.push(`${stack.title}: passed ${passed}, failed ${failed}, skipped ${skipped} (${note})`);
  }
  console.log(`\n${summary.join("\n")}`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed === 0 ? 0 : 1;
}

process.chdir(repositoryRoot);
process.exitCode = await main();
