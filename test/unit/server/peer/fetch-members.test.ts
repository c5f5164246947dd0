import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SystemClock } from "../../../../src/lib/clock.ts";
import { UsageError } from "../../../../src/lib/errors.ts";
import { fetchMembers, peerLimits } from "../../../../src/server/peer/index.ts";
import { CLUSTER_ID, PeerWorld } from "./peer-world.ts";

const clock = new SystemClock();

describe("Asking a cluster for its members", () => {
  const world = new PeerWorld();
  const servers: Server[] = [];
  afterEach(async () => {
    await world.close();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function answering(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it("gives the members and the cluster id, exactly", async () => {
    const { url } = await world.member(2n ** 64n - 2n);
    const { clusterId, members } = await fetchMembers([url], undefined, 1_000, clock);
    assert.equal(clusterId, CLUSTER_ID);
    assert.deepEqual(members, [
      { id: 2n ** 64n - 2n, name: `m${2n ** 64n - 2n}`, peerUrls: [url], clientUrls: [], isLearner: false },
    ]);
  });

  it("asks the next URL when one does not tell", async () => {
    const { url } = await world.member(5n);
    const { members } = await fetchMembers(["http://127.0.0.1:1", "nonsense", url], undefined, 1_000, clock);
    assert.equal(members[0]?.id, 5n);
  });

  it("says what each URL answered when none tells", async () => {
    const silent = await answering(() => {});
    const other = await answering((_request, response) => response.end("[]"));
    const broken = await answering((_request, response) => {
      response.setHeader("X-Etcd-Cluster-ID", "1");
      response.end("{");
    });
    const failing = await answering((_request, response) => {
      response.statusCode = 500;
      response.end();
    });
    const endless = await answering((_request, response) => {
      response.setHeader("X-Etcd-Cluster-ID", "1");
      response.end(Buffer.alloc(peerLimits.membersBytesMax + 1, 32));
    });
    const urls = [silent, other, broken, failing, endless, "http://127.0.0.1:1"];
    const error = await fetchMembers(urls, undefined, 100, clock).catch((each: unknown) => each);
    assert.ok(error instanceof UsageError);
    for (const part of [
      `${silent}: no answer within 100 ms`,
      `${other}: the answer names no cluster`,
      `${broken}: the list of members is no JSON`,
      `${failing}: answered 500`,
      `${endless}: the list of members is too long`,
      "http://127.0.0.1:1: connect ECONNREFUSED",
    ]) {
      assert.ok(error.message.includes(part), `${part}\n${error.message}`);
    }
  });
});
