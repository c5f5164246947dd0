import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type MetaStoreClient, prefix } from "../../../src/client/index.ts";
import { cleanUp, startTestServer, type TestServer } from "./cli-process.ts";

describe("a client across kill -9 and restart of its server", function () {
  this.timeout(30_000);
  let server: TestServer;
  let client: MetaStoreClient;

  before(async () => {
    server = await startTestServer();
    client = connect({ endpoints: server.endpoint, timeoutMs: 15_000 });
  });
  after(async () => {
    client.close();
    await server.stop();
    cleanUp();
  });

  it("watches without gap or repetition, keeps its lease and finds what was acknowledged", async () => {
    const lease = await client.lease.grant(30);
    const keeper = client.lease.keepAlive(lease.id);
    const watcher = client.watch(prefix("k/"));
    await watcher.created;
    await client.kv.put("k/1", "before", { lease: lease.id });

    const lost = once(watcher, "disconnected");
    server.process.kill("SIGKILL");
    await Promise.all([once(server.process, "exit"), lost]);
    // Not sent while there is no server: it waits for one.
    const pending = client.kv.put("k/2", "after");
    server = await startTestServer({ port: server.port, dataDir: server.dataDir });
    await pending;

    const seen: string[] = [];
    for await (const event of watcher) {
      seen.push(`${event.kv.keyString()}=${event.kv.string()}`);
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, ["k/1=before", "k/2=after"]);
    assert.equal((await client.kv.get("k/1"))?.string(), "before");
    assert.equal(keeper.signal.aborted, false);
    assert.equal((await client.lease.timeToLive(lease.id))?.grantedTtl, 30);
    keeper.stop();
  });
});
