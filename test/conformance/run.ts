/**
 * Real clients against MetaStore, and the same cases against real etcd where it is installed: npm run test:conformance
 * [-- --only go,go-etcd,etcdctl,etcd3] [--run <pattern of Go cases>] [--storage memory|rocksdb|mixed]. --storage is for the Go
 * cases; one member alone is on disk when the cluster is mixed. Ends with the line "N passed, N failed, N skipped".
 * A tool that is missing counts as skipped, with the reason. ETCD_PROGRAM names another etcd than the one on the PATH.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Cluster } from "../cluster/harness/index.ts";
import { findProgram, repositoryRoot, type ServerKind, ServerProcess, versionOf } from "../harness/index.ts";
import { storageOf } from "../harness/storages.ts";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** Why what was skipped was skipped. */
  readonly reasons: string[];
}

interface Part {
  readonly name: string;
  readonly title: string;
  run(folder: string): Promise<Counts>;
}

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    run: { type: "string", default: "" },
    storage: { type: "string", default: "memory" },
  },
});

const here = join(repositoryRoot, "test", "conformance");
const etcd = process.env["ETCD_PROGRAM"] ?? findProgram("etcd");

const parts: readonly Part[] = [
  { name: "go", title: "Go clientv3 against MetaStore", run: (folder) => goCases(folder, "metastore") },
  { name: "go-cluster", title: "Go clientv3 against each of three members, and all", run: goClusterCases },
  { name: "go-etcd", title: "Go clientv3 against etcd", run: (folder) => goCases(folder, "etcd") },
  { name: "etcdctl", title: "etcdctl against MetaStore and etcd side by side", run: etcdctlCommands },
  { name: "etcd3", title: "npm etcd3 against MetaStore", run: etcd3Cases },
];

function skipped(reason: string): Counts {
  return { passed: 0, failed: 0, skipped: 1, reasons: [reason] };
}

async function goCases(folder: string, kind: ServerKind): Promise<Counts> {
  if (kind === "etcd" && etcd === undefined) return skipped("etcd is not on the PATH");
  const binary = await buildGoCases(folder);
  if (typeof binary !== "string") return binary;
  const server = await ServerProcess.start({
    kind,
    folder: join(folder, kind),
    ...(etcd === undefined ? {} : { program: etcd }),
    ...(kind === "metastore"
      ? { flags: ["--storage", flags.storage === "mixed" ? "rocksdb" : flags.storage] }
      : {}),
  });
  try {
    return await runGoCases(binary, { METASTORE_ENDPOINT: server.endpoint, METASTORE_FRESH: "1" });
  } finally {
    await server.kill();
  }
}

/** The same cases by way of each member alone, then with all three as endpoints. */
async function goClusterCases(folder: string): Promise<Counts> {
  const binary = await buildGoCases(folder);
  if (typeof binary !== "string") return binary;
  const cluster = await Cluster.start({
    kind: "metastore",
    size: 3,
    folder: join(folder, "members"),
    isProxied: false,
    storage: storageOf(flags.storage),
  });
  try {
    const single = cluster.members.map(({ endpoint }) => endpoint);
    const total: Counts = { passed: 0, failed: 0, skipped: 0, reasons: [] };
    for (const endpoints of [...single, single.join(",")]) {
      const counts = await runGoCases(binary, { METASTORE_ENDPOINT: endpoints });
      total.passed += counts.passed;
      total.failed += counts.failed;
      total.skipped += counts.skipped;
      total.reasons.push(...counts.reasons);
    }
    return total;
  } finally {
    await cluster.close();
  }
}

/** The path of the built cases, or why there is none. */
async function buildGoCases(folder: string): Promise<string | Counts> {
  const go = findProgram("go");
  if (go === undefined) return skipped("go is not on the PATH");
  const binary = join(folder, "conformance.test");
  const built = await command(go, ["test", "-c", "-o", binary, "."], join(here, "go"), {});
  return built.code === 0 ? binary : { passed: 0, failed: 1, skipped: 0, reasons: [] };
}

async function runGoCases(binary: string, environment: Record<string, string>): Promise<Counts> {
  const args = ["-test.v", "-test.timeout=10m", ...(flags.run === "" ? [] : [`-test.run=${flags.run}`])];
  const { code, output } = await command(binary, args, join(here, "go"), environment, hidePasses);
  const count = (outcome: string): number => output.match(new RegExp(`^--- ${outcome}: `, "gm"))?.length ?? 0;
  const counts = { passed: count("PASS"), failed: count("FAIL"), skipped: count("SKIP") };
  // A panic or a time-out ends the run without a line for the case it struck.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return { ...counts, reasons: goSkipReasons(output) };
}

/** Go prints the reason of a skip in the lines before its "--- SKIP". */
function goSkipReasons(output: string): string[] {
  return [...output.matchAll(/^ {4}\S+\.go:\d+: (.*)\n--- SKIP: (\S+)/gm)].map(
    ([, why, name]) => `${name}: ${why}`,
  );
}

function hidePasses(line: string): boolean {
  return !/^\s*(=== |--- PASS)/.test(line);
}

async function etcdctlCommands(): Promise<Counts> {
  const { code, output } = await script(join(here, "etcdctl", "compare.ts"));
  const line = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(output);
  if (line === null) return { passed: 0, failed: 1, skipped: 0, reasons: [] };
  const [passed, failed, skips] = line.slice(1).map(Number) as [number, number, number];
  const reasons = [...output.matchAll(/^skipped: (.*)$/gm)].map(([, why]) => why ?? "");
  return { passed, failed: failed === 0 && code !== 0 ? 1 : failed, skipped: skips, reasons };
}

async function etcd3Cases(): Promise<Counts> {
  const mocha = join(repositoryRoot, "node_modules", "mocha", "bin", "mocha.js");
  const { code, output } = await script(mocha, join(here, "etcd3", "etcd3.test.ts"));
  const count = (word: string): number =>
    Number(new RegExp(`^\\s+(\\d+) ${word}`, "m").exec(output)?.[1] ?? 0);
  const counts = {
    passed: count("passing"),
    failed: count("failing"),
    skipped: count("pending"),
    reasons: [],
  };
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function script(path: string, ...args: string[]) {
  return command(process.execPath, ["--import", "tsx", path, ...args], repositoryRoot, {});
}

/** Runs a program, shows the lines that `show` lets through and keeps them all. */
function command(
  program: string,
  args: readonly string[],
  cwd: string,
  environment: Record<string, string>,
  show: (line: string) => boolean = () => true,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let rest = "";
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (show(line)) console.log(`  ${line}`);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

async function main(): Promise<number> {
  const wanted = flags.only?.split(",");
  const unknown = wanted?.filter((name) => !parts.some((part) => part.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`--only knows ${parts.map((part) => part.name)}, not ${unknown}`);
  if (etcd !== undefined) console.log(`etcd here: ${versionOf(etcd, "--version")}`);
  const total = { passed: 0, failed: 0, skipped: 0 };
  const summary: string[] = [];
  for (const part of parts.filter(({ name }) => wanted?.includes(name) ?? true)) {
    console.log(`\n--- ${part.title}`);
    const folder = mkdtempSync(join(tmpdir(), "metastore-conformance-"));
    let counts: Counts;
    try {
      counts = await part.run(folder);
    } catch (error) {
      console.log(`  ${error instanceof Error ? error.message : error}`);
      counts = { passed: 0, failed: 1, skipped: 0, reasons: [] };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    summary.push(
      `${part.title}: passed ${counts.passed}, failed ${counts.failed}, skipped ${counts.skipped}`,
    );
    for (const reason of counts.reasons) summary.push(`  skipped: ${reason}`);
  }
  console.log(`\n${summary.join("\n")}`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
