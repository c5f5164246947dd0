/**
 * What a watcher costs a server in memory: npm run bench:watchers -- [--watchers 10000] [--server etcd]. Opens that many
 * that wait, first each on a stream of its own, 200 streams a connection, then 100 on each stream, and prints by how much
 * the server's resident memory grew for each.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { RawClient, ServerProcess, watchCreate } from "../harness/index.ts";
import { say } from "./disk-load.ts";

const { values: flags } = parseArgs({
  options: {
    watchers: { type: "string", default: "10000" },
    server: { type: "string", default: "metastore" },
  },
});

const STREAMS_PER_CONNECTION = 200;
/** What was allocated for the opening itself is collected, or kept. */
const SETTLE_MS = 5_000;
const ANSWERED_MS_MAX = 60_000;

async function main(): Promise<void> {
  const watchers = Number(flags.watchers);
  const kind = flags.server === "etcd" ? "etcd" : "metastore";
  console.log(`${kind}, ${watchers} watchers that wait`);
  for (const perStream of [1, 100]) {
    const folder = mkdtempSync(join(tmpdir(), "metastore-watchers-"));
    const server = await ServerProcess.start({ kind, folder });
    const clients: RawClient[] = [];
    try {
      // Code and buffers that the first need are not what each of them needs.
      await openWatchers(server.endpoint, clients, watchers / 10, perStream);
      await sleep(SETTLE_MS);
      const before = server.usage().residentBytes;
      await openWatchers(server.endpoint, clients, watchers, perStream);
      await sleep(SETTLE_MS);
      const each = (server.usage().residentBytes - before) / watchers;
      say(`${perStream} on a stream`, `${(each / 1_024).toFixed(2)} KiB a watcher`);
    } finally {
      for (const client of clients) client.close();
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** Resolves when all of them are answered. */
async function openWatchers(
  endpoint: string,
  clients: RawClient[],
  watchers: number,
  perStream: number,
): Promise<void> {
  const streams = Math.ceil(watchers / perStream);
  const limitMs = performance.now() + ANSWERED_MS_MAX;
  let answered = 0;
  for (let index = 0; index < streams; index++) {
    if (index % STREAMS_PER_CONNECTION === 0) clients.push(new RawClient(endpoint));
    const stream = clients.at(-1)!.stream("/etcdserverpb.Watch/Watch");
    stream.on("error", () => {});
    // "created", for each watcher in turn: the first tells that the stream is there.
    stream.once("data", () => answered++);
    stream.resume();
    for (let i = 0; i < perStream; i++) stream.write(watchCreate(`watched/${index}/${i}`).encode());
  }
  while (answered < streams) {
    if (performance.now() > limitMs) throw new Error(`${answered} of ${streams} streams were answered`);
    await sleep(50);
  }
}

await main();
