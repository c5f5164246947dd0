import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { StateSnapshot } from "../../../../src/server/state/index.ts";
import { PeerWorld, snapshotMessage, stateOf, type TestMember, until } from "./peer-world.ts";

describe("A snapshot on its way", () => {
  const world = new PeerWorld();
  const servers: Server[] = [];
  afterEach(async () => {
    await world.close();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** A receiver of which the test decides what it does with the snapshot. */
  async function receiver(listener: RequestListener, invites = true): Promise<string> {
    const server = createServer();
    server.on("checkContinue", (request, response) => {
      request.on("error", () => {});
      if (invites) response.writeContinue();
      listener(request, response);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function sender(
    peerUrls: readonly string[],
    limits: Record<string, number> = {},
  ): Promise<TestMember> {
    const member = await world.member(1n, { limits });
    member.network.setPeers([{ id: 2n, peerUrls }]);
    member.network.start(member.handler);
    return member;
  }

  async function outcomeOf(
    member: TestMember,
    chunks: StateSnapshot["chunks"],
  ): Promise<{ succeeded: boolean; reason: string }> {
    const state = stateOf(chunks);
    member.network.sendSnapshot(snapshotMessage(1n, 2n), state);
    await until(() => member.handler.snapshotsSent.length === 1, "told");
    assert.equal(state.closes(), 1);
    const line = member.log.lines.find(({ message }) => message === "a snapshot to a peer failed");
    return { succeeded: member.handler.snapshotsSent[0]!.succeeded, reason: String(line?.fields["reason"]) };
  }

  const many = function* (): Generator<Buffer> {
    for (let i = 0; i < 1_000; i++) yield Buffer.alloc(100_000);
  };

  it("goes to the first URL that can be reached", async () => {
    const target = await receiver((request, response) => {
      request.resume();
      request.on("end", () => response.writeHead(204).end());
    });
    const member = await sender(["http://127.0.0.1:1", "nonsense", target]);
    assert.deepEqual((await outcomeOf(member, [Buffer.from("x")])).succeeded, true);
  });

  it("waits for chunks that must be read first, and gives the reading up when the receiver refuses", async () => {
    for (const status of [204, 400]) {
      let bytes = 0;
      const target = await receiver((request, response) => {
        request.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (status === 400 && !response.headersSent) response.writeHead(400).end("no");
        });
        request.on("end", () => response.writeHead(status).end());
      });
      let isOver = false;
      const chunks = (async function* () {
        try {
          for (let i = 0; i < 50; i++) {
            await new Promise((resolve) => setImmediate(resolve));
            yield Buffer.alloc(10_000);
          }
        } finally {
          isOver = true;
        }
      })();
      const { succeeded } = await outcomeOf(await sender([target]), chunks);
      assert.equal(succeeded, status === 204);
      if (succeeded) assert.ok(bytes > 500_000);
      await until(() => isOver, "given up");
    }
  });

  it("fails when no URL can be reached, and names the last", async () => {
    const member = await sender(["nonsense", "http://127.0.0.1:1"]);
    const { succeeded, reason } = await outcomeOf(member, [Buffer.from("x")]);
    assert.equal(succeeded, false);
    assert.match(reason, /^http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
  });

  it("makes no chunk for a receiver that refuses, and says why in the log", async () => {
    const target = await receiver((_request, response) => {
      response.writeHead(503, { "Content-Type": "text/plain" }).end("too busy");
    }, false);
    const member = await sender([target]);
    let made = 0;
    const chunks = (function* () {
      made++;
      yield Buffer.alloc(1);
    })();
    const { succeeded, reason } = await outcomeOf(member, chunks);
    assert.equal(succeeded, false);
    assert.equal(reason, "the peer answered 503: too busy");
    assert.equal(made, 0);
  });

  it("stops when the receiver refuses in the middle", async () => {
    const target = await receiver((request, response) => {
      let bytes = 0;
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > 1_000_000 && !response.headersSent) response.writeHead(400).end("the digest is wrong");
      });
    });
    const member = await sender([target]);
    const { succeeded, reason } = await outcomeOf(member, many());
    assert.equal(succeeded, false);
    assert.match(reason, /answered 400: the digest is wrong/);
  });

  it("counts as sent when the receiver says early that it needs no more", async () => {
    const target = await receiver((request, response) => {
      request.once("data", () => response.writeHead(204).end());
      request.resume();
    });
    const member = await sender([target]);
    assert.equal((await outcomeOf(member, many())).succeeded, true);
  });

  it("is given up when the receiver takes nothing for snapshotStallMs", async () => {
    const target = await receiver((request) => request.pause());
    const member = await sender([target], { snapshotStallMs: 100 });
    const { succeeded, reason } = await outcomeOf(member, many());
    assert.equal(succeeded, false);
    assert.equal(reason, "the peer took nothing for too long");
  });

  it("is given up when no answer follows for snapshotAnswerMs", async () => {
    const target = await receiver((request) => request.resume());
    const member = await sender([target], { snapshotAnswerMs: 100 });
    const { succeeded, reason } = await outcomeOf(member, [Buffer.from("x")]);
    assert.equal(succeeded, false);
    assert.match(reason, /did not say whether/);
  });

  it("is given up when the receiver does not invite it in dialTimeoutMs", async () => {
    const target = await receiver(() => {}, false);
    const member = await sender([target], { dialTimeoutMs: 100 });
    const { succeeded, reason } = await outcomeOf(member, [Buffer.from("x")]);
    assert.equal(succeeded, false);
    assert.match(reason, /no answer in time/);
  });

  it("fails when the connection breaks", async () => {
    const target = await receiver((request) => {
      request.once("data", () => request.destroy());
    });
    const member = await sender([target]);
    assert.equal((await outcomeOf(member, many())).succeeded, false);
  });

  it("fails when its state cannot be read, and lets go of the iteration", async () => {
    const target = await receiver((request) => request.resume());
    const member = await sender([target]);
    let isReturned = false;
    const chunks: Iterable<Buffer> = {
      [Symbol.iterator]: () => ({
        next: () => {
          throw new Error("the engine broke");
        },
        return: () => {
          isReturned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const { succeeded, reason } = await outcomeOf(member, chunks);
    assert.deepEqual([succeeded, reason, isReturned], [false, "the engine broke", true]);
  });
});
