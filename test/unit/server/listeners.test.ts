import assert from "node:assert/strict";
import { createServer } from "node:net";
import { connect } from "../../../src/client/index.ts";
import { SystemClock } from "../../../src/lib/clock.ts";
import { NodeFs } from "../../../src/lib/fs.ts";
import { silentLog } from "../../../src/lib/log.ts";
import { rpcTable } from "../../../src/server/api/index.ts";
import { type Listeners, openListeners } from "../../../src/server/listeners.ts";
import { ServerMetrics } from "../../../src/server/metrics.ts";
import { FakeNode } from "./api/fake-node.ts";
import { load } from "./config-world.ts";

const everyPort = "http://127.0.0.1:0";

describe("The listeners of a server", () => {
  const open: { listeners: Listeners; metrics: ServerMetrics; node: FakeNode }[] = [];

  async function listen(flags: Record<string, string | number | boolean>): Promise<Listeners> {
    const clock = new SystemClock();
    const node = new FakeNode();
    const metrics = new ServerMetrics({
      clock,
      versions: { server: "3.6.0", cluster: "3.6.0", product: "0" },
      methods: rpcTable,
      isExtensive: false,
    });
    try {
      const config = load({ flags: { "listen-client-urls": everyPort, ...flags } });
      const listeners = await openListeners({
        node,
        config,
        metrics,
        fs: new NodeFs(),
        clock,
        log: silentLog,
      });
      open.push({ listeners, metrics, node });
      return listeners;
    } catch (error) {
      metrics.close();
      node.watchHub.close();
      throw error;
    }
  }

  afterEach(async () => {
    for (const { listeners, metrics, node } of open.splice(0)) {
      await listeners.close(0);
      metrics.close();
      node.watchHub.close();
    }
  });

  const put = async (endpoints: string): Promise<void> => {
    const client = connect({ endpoints, timeoutMs: 1_000 });
    try {
      await client.kv.put("a", "1");
    } finally {
      client.close();
    }
  };

  it("serve every client address, and say which ports they have", async () => {
    const { addresses, clientPorts } = await listen({
      "listen-client-urls": `${everyPort},http://localhost:0`,
    });
    assert.equal(addresses.client.length, 2);
    assert.deepEqual(addresses.client, [`127.0.0.1:${clientPorts[0]}`, `localhost:${clientPorts[1]}`]);
    for (const address of addresses.client) {
      await put(address);
      assert.equal((await fetch(`http://${address}/version`)).status, 200);
    }
    assert.equal(addresses.keys, undefined);
    assert.deepEqual(addresses.metrics, []);
  });

  it("write an IPv6 address so that the port can be told from it", async function () {
    const server = createServer();
    const isServed = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(0, "::1", () => resolve(true));
    });
    server.close();
    if (!isServed) this.skip();
    const { addresses, clientPorts } = await listen({ "listen-client-urls": "http://[::1]:0" });
    assert.deepEqual(addresses.client, [`[::1]:${clientPorts[0]}`]);
    await put(addresses.client[0] ?? "");
  });

  it("serve no HTTP beside gRPC when HTTP has addresses of its own", async () => {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const address = http.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await new Promise((resolve) => http.close(resolve));
    const { addresses } = await listen({ "listen-client-http-urls": `http://127.0.0.1:${port}` });
    await put(addresses.client[0] ?? "");
    await assert.rejects(fetch(`http://${addresses.client[0]}/version`));
    assert.equal((await fetch(`http://127.0.0.1:${port}/version`)).status, 200);
  });

  it("keep the plain key API and the metrics to their own ports", async () => {
    const { addresses } = await listen({ port: 0, "listen-metrics-urls": `${everyPort},${everyPort}` });
    assert.equal(addresses.metrics.length, 2);
    for (const at of addresses.metrics) {
      assert.equal((await fetch(`http://${at}/metrics`)).status, 200);
      assert.equal((await fetch(`http://${at}/a`)).status, 404);
    }
    await put(addresses.client[0] ?? "");
    assert.equal(await (await fetch(`http://${addresses.keys}/a`)).text(), "1");
    assert.equal((await fetch(`http://${addresses.client[0]}/a`)).status, 404);
  });

  it("are all closed again when one of them cannot be opened", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const other = free.address();
    const freePort = typeof other === "object" && other !== null ? other.port : 0;
    await new Promise((resolve) => free.close(resolve));
    const flags = {
      "listen-client-urls": `http://127.0.0.1:${freePort}`,
      "listen-metrics-urls": `http://127.0.0.1:${port}`,
    };
    await assert.rejects(listen(flags), { code: "EADDRINUSE" });
    await new Promise((resolve) => taken.close(resolve));
    await listen(flags);
  });
});
