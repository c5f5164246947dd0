import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, ServerProcess } from "../harness/index.ts";
import { type Contender, commandLine } from "./contender.ts";
import type { Generator } from "./generator.ts";
import { medianOf, ratioOf, spreadText } from "./ratio.ts";
import { markdownTable } from "./table.ts";

export interface StoreSettings {
  readonly keys: number;
  readonly repeat: number;
  readonly generator: Generator;
  readonly folder: string;
}

/** What one server's store takes: of memory in bytes and of time in ms, a figure for each repetition. */
interface StoreCosts {
  readonly loadedBytes: number[];
  readonly restartedBytes: number[];
  readonly readyMs: number[];
}

/** Long enough for what is written behind, and for memory that is given back at once. */
const SETTLE_MS = 5_000;
const READY_LIMIT_MS = 600_000;
const NO_PROBE: readonly string[] = [];

/** Memory with many keys and the time of a start with them: loaded once, restarted `repeat` times in turn. */
export async function measureStores(
  subjects: readonly Contender[],
  base: Contender | undefined,
  settings: StoreSettings,
): Promise<string[]> {
  const contenders = base === undefined ? subjects : [...subjects, base];
  const costs = contenders.map((): StoreCosts => ({ loadedBytes: [], restartedBytes: [], readyMs: [] }));
  const servers: ServerProcess[] = [];
  try {
    for (const [index, contender] of contenders.entries()) {
      const server = await prepare(contender, join(settings.folder, `store-${index}`));
      servers.push(server);
      server.spawn();
      await server.ready(READY_LIMIT_MS);
      await load(server, settings);
      costs[index]?.loadedBytes.push(await residentBytes(server));
      await server.stop();
    }
    for (let round = 0; round < settings.repeat; round++) {
      for (const [index, server] of servers.entries()) {
        server.spawn();
        costs[index]?.readyMs.push(await server.ready(READY_LIMIT_MS));
        costs[index]?.restartedBytes.push(await residentBytes(server));
        await server.stop();
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
  }
  const baseCosts = base === undefined ? undefined : costs.at(-1);
  return subjects.flatMap((subject, index) => {
    const own = costs[index];
    return own === undefined ? [] : lines(subject, own, baseCosts, settings.keys);
  });
}

async function prepare(contender: Contender, folder: string): Promise<ServerProcess> {
  mkdirSync(folder, { recursive: true });
  const [peerPort] = (await freePorts(1)) as [number];
  const place = { folder, peerPort, tlsPort: undefined, nodeFlags: NO_PROBE };
  return ServerProcess.prepare({
    kind: "bare",
    folder,
    bareCommand: (clientPort) => commandLine(contender, { ...place, clientPort }),
  });
}

async function load(server: ServerProcess, { generator, keys }: StoreSettings): Promise<void> {
  const nothing = async (): Promise<undefined> => undefined;
  const target = {
    ...{ endpoint: server.endpoint, ca: undefined },
    usage: () => server.usage(),
    ...{ begin: nothing, end: nothing },
  };
  await generator.preload(target, keys);
}

async function residentBytes(server: ServerProcess): Promise<number> {
  await sleep(SETTLE_MS);
  return server.usage().residentBytes;
}

const rows = [
  ["resident after the load", "loadedBytes", 1.2, mebibytes],
  ["resident after a start", "restartedBytes", 1.2, mebibytes],
  ["start to ready", "readyMs", 0.5, seconds],
] as const;

function lines(subject: Contender, own: StoreCosts, base: StoreCosts | undefined, keys: number): string[] {
  const head = [`${keys.toLocaleString("en-US")} keys of 256 B`, subject.title];
  const table = markdownTable(
    [...head, ...(base === undefined ? [] : ["etcd", "×", "aim (×)", "reached"])],
    rows.map(([what, key, aim, text]) => {
      const cells = [what, text(medianOf(own[key]))];
      if (base === undefined) return cells;
      const ratio = ratioOf(own[key], base[key], (value) => value);
      const isReached = ratio.median <= aim;
      return [...cells, text(medianOf(base[key])), spreadText(ratio), `≤ ${aim}`, isReached ? "yes" : "no"];
    }),
  );
  return [...table, ""];
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
