/**
 * Where the server's time goes: npm run profile -- put [--clients 100] [--seconds 5] [--storage memory|rocksdb] [--tls]
 * [--members 1] [--grpc-transport NAME] [--keys 10000] [--out FILE.html]. Drives the built server with a workload of the
 * bench, prints self time by stage and by function over the loaded period, and writes a flame graph and the .cpuprofile
 * beside it; with several members, of the leader first and then of each follower.
 */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkBuild } from "./build.ts";
import { metaStore } from "./contender.ts";
import { type Frame, readProfile, selfTimes } from "./cpu-profile.ts";
import { flameGraph } from "./flame-graph.ts";
import { Generator, type Measurement, unwatched } from "./generator.ts";
import { type WorkloadName, workloadNames } from "./plan.ts";
import { IDLE } from "./stages.ts";
import { figure, markdownTable } from "./table.ts";
import { startTarget } from "./target.ts";

const FUNCTIONS_SHOWN = 25;
/** What is hot is compiled before. */
const WARM_UP_SECONDS = 3;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: "string", default: "100" },
    seconds: { type: "string", default: "5" },
    keys: { type: "string", default: "10000" },
    storage: { type: "string", default: "memory" },
    members: { type: "string", default: "1" },
    tls: { type: "boolean", default: false },
    "grpc-transport": { type: "string" },
    out: { type: "string" },
  },
});

function workloadOf(name: string | undefined): WorkloadName {
  const workload = workloadNames.find((known) => known === name && known !== "put-paced");
  if (workload !== undefined) return workload;
  const known = workloadNames.filter((each) => each !== "put-paced");
  throw new Error(`tell what to profile: npm run profile -- ${known.join(" | ")}`);
}

/** The profiles of the loaded period are in the measurement's `inside`. */
async function run(workload: WorkloadName, folder: string): Promise<Measurement> {
  const server = metaStore({
    engine: flags.storage === "rocksdb" ? "rocksdb" : "memory",
    grpcTransport: flags["grpc-transport"],
  });
  const target = await startTarget(server, {
    ...{ folder: join(folder, "server"), members: Number(flags.members), to: "all", isTls: flags.tls },
    isProfiled: true,
  });
  try {
    const generator = Generator.prepare(folder);
    const load = { workload, clients: Number(flags.clients), keys: Number(flags.keys) };
    await generator.preload(target, load.keys);
    const warmUp = { ...load, seconds: WARM_UP_SECONDS };
    await generator.measure(unwatched(target), warmUp);
    const measured = await generator.measure(target, { ...load, seconds: Number(flags.seconds) });
    if (measured.inside?.profiles === undefined) throw new Error("the server wrote no profile");
    return measured;
  } finally {
    await target.kill();
  }
}

function print(root: Frame, { count, cpuUs, perSecond, inside }: Measurement): void {
  const idleUs = selfTimes(root, ({ stage }) => stage).find(([stage]) => stage === IDLE)?.[1] ?? 0;
  const busyUs = root.totalUs - idleUs;
  const share = (us: number): string => `${((100 * us) / busyUs).toFixed(1)} %`;
  const perCall = (us: number): string => (us / count).toFixed(2);
  const stages = selfTimes(root, ({ stage }) => stage).filter(([stage]) => stage !== IDLE);
  const withNode = new Map(selfTimes(root, ({ caller }) => caller));
  const functions = selfTimes(root, ({ name, place, stage }) => `${name}\t${place}\t${stage}`)
    .filter(([key]) => !key.endsWith(`\t${IDLE}`))
    .slice(0, FUNCTIONS_SHOWN);
  const lines = [
    `${figure(perSecond)} calls a second, each ${figure(cpuUs)} µs of the process's CPU (profiling included), ` +
      `${perCall(busyUs)} of the main thread; it was idle for ${((100 * idleUs) / root.totalUs).toFixed(1)} %`,
    `event loop late by ${inside?.lagP999Ms.toFixed(1)} ms (p99.9), ${inside?.lagMaxMs.toFixed(1)} ms at most; ` +
      `garbage collection ${inside?.gcMs.toFixed(0)} ms in all, ${inside?.gcMaxMs.toFixed(1)} ms at a time`,
    "",
    ...markdownTable(
      ["stage", "µs a call", "share", "with what Node does for it"],
      [
        ...stages.map(([stage, us]) => [
          ...[stage, perCall(us), share(us)],
          perCall(withNode.get(stage) ?? 0),
        ]),
        ["together", perCall(busyUs), share(busyUs), perCall(busyUs)],
      ],
    ),
    "",
    ...markdownTable(
      ["function, self time", "µs a call", "share", "stage", "where"],
      functions.map(([key, us]) => {
        const [name = "", place = "", stage = ""] = key.split("\t");
        return [name, perCall(us), share(us), stage, place];
      }),
    ),
    "",
  ];
  console.log(lines.join("\n"));
}

const workload = workloadOf(positionals[0]);
checkBuild();
const out = flags.out ?? join(tmpdir(), `metastore-profile-${workload}.html`);
const folder = mkdtempSync(join(tmpdir(), "metastore-profile-"));
try {
  const measured = await run(workload, folder);
  const files = measured.inside?.profiles ?? [];
  for (const [i, file] of files.entries()) {
    const member = i === 0 ? "leader" : `follower-${i}`;
    const name = `${out.replace(/\.html$/, "")}${files.length > 1 ? `-${member}` : ""}`;
    const root = readProfile(file);
    const title = `${workload}, ${flags.clients} clients, ${flags.storage}: ${figure(measured.perSecond)} calls a second`;
    if (files.length > 1) console.log(`\n### ${member}\n`);
    print(root, measured);
    writeFileSync(`${name}.html`, flameGraph(root, title, measured.count));
    copyFileSync(file, `${name}.cpuprofile`);
    console.log(`flame graph: ${name}.html\nfor other tools: ${name}.cpuprofile`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
