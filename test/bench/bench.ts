/**
 * Drives MetaStore and etcd in turn with the same load: npm run bench [-- --quick] [--only put,range] [--clients 1,100]
 * [--seconds 5] [--repeat 3] [--keys 10000] [--members 3 [--to all|leader]] [--against etcd|none|<another etcd program>]
 * [--write]. Medians of the repetitions, servers alternating within each; `--write` puts the result into
 * docs/BENCHMARKS.md, that of several members into docs/BENCHMARKS-CLUSTER.md.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot, ServerProcess, versionOf } from "../harness/index.ts";
import { Generator, type LoadOptions, type Measured, type Measurement, median } from "./generator.ts";
import { planOf, type WorkloadName, workloadTitles } from "./plan.ts";
import { document, type Row, table, type Yardstick, yardstickLines } from "./report.ts";
import { findEtcd, startTarget, type Target } from "./target.ts";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    clients: { type: "string" },
    seconds: { type: "string" },
    repeat: { type: "string" },
    keys: { type: "string", default: "10000" },
    against: { type: "string", default: "etcd" },
    members: { type: "string", default: "1" },
    to: { type: "string", default: "all" },
    bare: { type: "boolean", default: true },
    write: { type: "boolean", default: false },
  },
  allowNegative: true,
});

const YARDSTICK_CLIENTS = 100;
/** The quota is not what is measured, and long put runs write much. */
const ETCD_FLAGS = ["--quota-backend-bytes", "8589934592", "--log-level", "error"];

const members = Number(flags.members);
const to = flags.to === "leader" ? "leader" : "all";
const repeat = Number(flags.repeat ?? (flags.quick ? 1 : 3));
const load: LoadOptions = {
  seconds: Number(flags.seconds ?? (flags.quick ? 1.5 : 5)),
  keys: Number(flags.keys),
};

/** Measures every point of one workload on fresh servers, alternating. */
async function measureWorkload(
  workload: WorkloadName,
  clientCounts: readonly number[],
  etcd: string | undefined,
  generator: Generator,
  folder: string,
): Promise<Row[]> {
  const servers: Target[] = [];
  try {
    const shared = { members, to } as const;
    servers.push(
      await startTarget({ ...shared, kind: "metastore", folder: join(folder, workload, "metastore") }),
    );
    if (etcd !== undefined) {
      const options = { ...shared, kind: "etcd", program: etcd, flags: ETCD_FLAGS } as const;
      servers.push(await startTarget({ ...options, folder: join(folder, workload, "etcd") }));
    }
    for (const server of servers) await generator.preload(server, load.keys);
    const rows: Row[] = [];
    for (const clients of clientCounts) {
      const point = { workload, clients };
      const runs = await alternate(servers, async (server) => {
        await server.settle();
        return generator.measure(server, point, load);
      });
      const [metastore, other] = runs.map(median);
      if (metastore === undefined) throw new Error("nothing was measured");
      rows.push({ point, metastore, etcd: other });
      const ratio =
        other === undefined ? "" : `, ${(metastore.perSecond / other.perSecond).toFixed(2)} × etcd`;
      console.log(
        `${workloadTitles[workload]}, ${clients}: ${metastore.perSecond.toFixed(0)}/s, ` +
          `${metastore.cpuUs.toFixed(0)} µs CPU${ratio}`,
      );
    }
    return rows;
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
  }
}

/** Repeats in turn, so that a slow minute of the machine strikes all servers; answers the runs of each. */
async function alternate<T extends Measured>(
  servers: readonly T[],
  measure: (server: T) => Promise<Measurement>,
): Promise<Measurement[][]> {
  const runs = servers.map((): Measurement[] => []);
  for (let round = 0; round < repeat; round++) {
    for (const [index, server] of servers.entries()) runs[index]?.push(await measure(server));
  }
  return runs;
}

async function measureYardstick(generator: Generator, folder: string): Promise<Yardstick> {
  const script = join(repositoryRoot, "test", "bench", "bare-server.ts");
  const tsx = import.meta.resolve("tsx");
  const bare = await ServerProcess.start({
    kind: "bare",
    folder: join(folder, "yardstick", "bare"),
    bareCommand: (port) => [process.execPath, "--import", tsx, script, String(port)],
  });
  const metastore = await ServerProcess.start({
    kind: "metastore",
    folder: join(folder, "yardstick", "metastore"),
  });
  try {
    const point = { workload: "put", clients: YARDSTICK_CLIENTS } as const;
    // Both are new processes: a first run, not counted, lets them compile what is hot.
    await generator.preload(metastore, load.keys);
    for (const server of [metastore, bare]) await generator.measure(server, point, load);
    const before = await syncs(metastore);
    const runs = await alternate([metastore, bare], (server) => generator.measure(server, point, load));
    const [ours, transport] = runs.map(median);
    if (ours === undefined || transport === undefined) throw new Error("nothing was measured");
    const after = await syncs(metastore);
    return {
      clients: YARDSTICK_CLIENTS,
      metastore: ours,
      bare: transport,
      entriesPerSync: (after.entries - before.entries) / (after.count - before.count),
    };
  } finally {
    await Promise.all([bare.kill(), metastore.kill()]);
  }
}

/** Log entries made durable and the syncs that did it, so far. */
async function syncs(server: ServerProcess): Promise<{ entries: number; count: number }> {
  const text = await server.metrics();
  const read = (part: string): number =>
    Number(new RegExp(`^metastore_wal_entries_per_sync_${part} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  return { entries: read("sum"), count: read("count") };
}

async function main(): Promise<void> {
  const etcd = findEtcd(flags.against);
  if (etcd === undefined) console.log("no etcd to compare with");
  const plan = planOf({
    only: flags.only?.split(","),
    clients: flags.clients?.split(",").map(Number),
    isQuick: flags.quick,
  });
  const folder = mkdtempSync(join(tmpdir(), "metastore-bench-"));
  try {
    const generator = Generator.prepare(folder);
    console.log(`load by ${generator.title}; ${load.seconds} s a run, median of ${repeat}`);
    const rows: Row[] = [];
    for (const workload of new Set(plan.map((point) => point.workload))) {
      const counts = plan.filter((point) => point.workload === workload).map((point) => point.clients);
      rows.push(...(await measureWorkload(workload, counts, etcd, generator, folder)));
    }
    const yardstick = flags.bare && members === 1 ? await measureYardstick(generator, folder) : undefined;
    console.log(`\n${table(rows).join("\n")}\n`);
    if (yardstick !== undefined) console.log(yardstickLines(yardstick).join("\n"));
    if (flags.write) {
      const text = document(rows, yardstick, {
        command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
        machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`,
        versions: `Node ${process.version}${etcd === undefined ? "" : `, ${versionOf(etcd, "--version")}`}`,
        date: new Date().toISOString().slice(0, 10),
        members,
        to,
        method: `load by ${generator.title}; ${load.keys} keys, values of 256 B, ${load.seconds} s a run, median of ${repeat}`,
      });
      const file = members === 1 ? "BENCHMARKS.md" : "BENCHMARKS-CLUSTER.md";
      writeFileSync(join(repositoryRoot, "docs", file), text);
      console.log(`written to docs/${file}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
