/**
 * Drives MetaStore and etcd in turn with the same load: npm run bench [-- --quick] [--only put,range] [--clients 1,100]
 * [--seconds 3] [--repeat 5] [--keys 10000] [--members 3 [--to all|leader]] [--against etcd|none|<another etcd program>]
 * [--storage memory|rocksdb|both] [--tls] [--grpc-transport NAME] [--rate N] [--write], or the working tree
 * and a revision of it: npm run bench -- --compare REV. `--only store` and `--only growth [--huge]` are parts that take
 * minutes. `--write` puts the result into docs/BENCHMARKS.md.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../harness/index.ts";
import { engineAimOf, etcdAimOf, growthAim, transportAim } from "./aims.ts";
import { build, checkBuild } from "./build.ts";
import { bareGrpcJs, bareWire, type Contender, etcd, findEtcd, metaStore } from "./contender.ts";
import { type ContestSettings, contest } from "./contest.ts";
import { writePart } from "./document.ts";
import { type BenchFlags, readFlags } from "./flags.ts";
import { Generator } from "./generator.ts";
import { groupsOf, type Point, planOf } from "./plan.ts";
import { type Pairing, pairingLines } from "./report.ts";
import { buildRevision, hasServeFlag, type Revision } from "./revision.ts";
import { settingLines } from "./setting.ts";
import { measureStores } from "./store-bench.ts";

const BARE_POINT: Point = { workload: "put", clients: 100, members: 1 };
const GROWTH_KEYS = [1_000, 100_000, 1_000_000];
const HUGE_KEYS = 10_000_000;
const GROWTH_CLIENTS = 100;

const flags = readFlags(process.argv.slice(2));

/** Runs a part, prints it, and writes it down when that is asked for. */
async function part(
  name: string,
  title: string,
  measure: () => Promise<string[]>,
  setting: readonly string[],
): Promise<void> {
  const lines = await measure();
  console.log(`\n${lines.join("\n")}`);
  if (flags.isWritten) writePart(name, title, [...setting, ...lines]);
}

/** The contenders of the table, the one that sets the pace last, and who stands beside whom. */
function againstEtcd(etcdProgram: string | undefined): { contenders: Contender[]; pairings: Pairing[] } {
  const { engines, grpcTransport } = flags;
  const ours = engines.map((engine) => metaStore({ engine, grpcTransport }));
  const theirs = etcdProgram === undefined ? undefined : etcd(etcdProgram);
  const pairings: Pairing[] = ours.map((subject) => ({ subject, base: theirs, aimOf: etcdAimOf }));
  const [memory, rocksdb] = ours;
  if (memory !== undefined && rocksdb !== undefined) {
    pairings.push({ subject: rocksdb, base: memory, aimOf: engineAimOf });
  }
  return { contenders: [...ours, ...(theirs === undefined ? [] : [theirs])], pairings };
}

function againstRevision(revision: Revision): { contenders: Contender[]; pairings: Pairing[] } {
  const engine = flags.engines[0] ?? "memory";
  const { grpcTransport } = flags;
  const subject = metaStore({ title: "working tree", engine, grpcTransport });
  const isKnown = grpcTransport !== undefined && hasServeFlag(revision.program, "grpc-transport");
  const base = metaStore({
    ...{ title: revision.name, program: revision.program, engine },
    grpcTransport: isKnown ? grpcTransport : undefined,
  });
  return { contenders: [subject, base], pairings: [{ subject, base, aimOf: "which is faster" }] };
}

async function measureTable(
  { contenders, pairings }: ReturnType<typeof againstEtcd>,
  settings: ContestSettings,
): Promise<string[]> {
  const members = flags.members ?? (flags.isTls ? 1 : undefined);
  const results = await contest(contenders, groupsOf(planOf({ ...flags, members })), settings);
  return pairings.flatMap((pairing) => pairingLines(pairing, results));
}

/** Put throughput beside that of each transport alone. */
async function measureBare(settings: ContestSettings): Promise<string[]> {
  const subject = metaStore({ engine: "memory", grpcTransport: flags.grpcTransport });
  const folder = join(settings.folder, "bare");
  const results = await contest([subject, bareGrpcJs, bareWire], [[BARE_POINT]], { ...settings, folder });
  return [
    ...pairingLines({ subject, base: bareGrpcJs, aimOf: () => transportAim }, results),
    ...pairingLines({ subject, base: bareWire, aimOf: () => undefined }, results),
  ];
}

async function measureGrowth(settings: ContestSettings): Promise<string[]> {
  const { engines, grpcTransport, isHuge } = flags;
  const lines: string[] = [];
  for (const engine of engines) {
    const contenders = [...GROWTH_KEYS, ...(isHuge ? [HUGE_KEYS] : [])].map((keys) =>
      metaStore({ title: `${keys.toLocaleString("en-US")} keys`, engine, grpcTransport, keys }),
    );
    // Reads first: puts make history.
    const points = (["range", "put"] as const).map(
      (workload): Point => ({ workload, clients: GROWTH_CLIENTS, members: 1 }),
    );
    const folder = join(settings.folder, engine);
    const results = await contest(contenders, [points], { ...settings, folder });
    const [base, ...larger] = contenders;
    if (engines.length > 1) lines.push(`The engine ${engine}:`, "");
    for (const subject of larger) {
      lines.push(...pairingLines({ subject, base, aimOf: () => growthAim }, results));
    }
  }
  return lines;
}

async function main(folder: string): Promise<void> {
  const etcdProgram = flags.revision === undefined ? findEtcd(flags.against) : undefined;
  if (etcdProgram === undefined && flags.revision === undefined) console.log("no etcd to compare with");
  const generator = Generator.prepare(folder);
  const { seconds, repeat, keys, to, isTls, rate } = flags;
  const settings: ContestSettings = { seconds, repeat, keys, to, isTls, rate, generator, folder };
  const method = `load by ${generator.title}; ${keys} keys, values of 256 B, ${seconds} s a run, ${repeat} repetitions in turn`;
  console.log(method);
  const setting = settingLines(method, etcdProgram);
  if (flags.revision !== undefined) {
    build(repositoryRoot);
    const revision = buildRevision(flags.revision, folder);
    try {
      await part("", "", () => measureTable(againstRevision(revision), settings), setting);
    } finally {
      revision.remove();
    }
    return;
  }
  checkBuild();
  if (flags.hasTable) {
    const { name, title } = tablePart(flags);
    await part(name, title, () => measureTable(againstEtcd(etcdProgram), settings), setting);
  }
  if (flags.hasBare) await part("bare", "The transport alone", () => measureBare(settings), setting);
  if (flags.hasStore) {
    const { grpcTransport } = flags;
    const subjects = flags.engines.map((engine) => metaStore({ engine, grpcTransport }));
    const base = etcdProgram === undefined ? undefined : etcd(etcdProgram);
    const measure = (): Promise<string[]> =>
      measureStores(subjects, base, { keys: flags.storeKeys, repeat, generator, folder });
    await part("store", "A large store: memory and start", measure, setting);
  }
  if (flags.hasGrowth) await part("growth", "Growth", () => measureGrowth(settings), setting);
}

/** Runs of other kinds stand beside each other in the document. */
function tablePart({ members, engines, isTls }: BenchFlags): { name: string; title: string } {
  const kinds: [isSo: boolean, name: string, title: string][] = [
    [members !== undefined && members > 1, "members", `${members} members`],
    [engines.length > 1, "both", "both engines"],
    [engines.length === 1 && engines[0] === "rocksdb", "rocksdb", "the engine on disk"],
    [isTls, "tls", "TLS"],
  ];
  const chosen = kinds.filter(([isSo]) => isSo);
  if (chosen.length === 0) return { name: "table", title: "Workloads" };
  return {
    name: chosen.map(([, name]) => name).join("-"),
    title: `Workloads, ${chosen.map(([, , title]) => title).join(", ")}`,
  };
}

const folder = mkdtempSync(join(tmpdir(), "metastore-bench-"));
try {
  await main(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
