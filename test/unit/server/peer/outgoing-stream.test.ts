import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { SystemClock } from "../../../../src/lib/clock.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import { Dialer } from "../../../../src/server/peer/dialer.ts";
import { encodeFrame } from "../../../../src/server/peer/frame.ts";
import { type PeerLimits, peerLimits } from "../../../../src/server/peer/limits.ts";
import { OutgoingStream, type OutgoingStreamSink } from "../../../../src/server/peer/outgoing-stream.ts";
import { messageType } from "../../../../src/server/raft/index.ts";
import { message, quickLimits, until } from "./peer-world.ts";

/** Writes down what a stream tells. */
class RecordingSink implements OutgoingStreamSink {
  readonly told: string[] = [];
  roundTrips = 0;
  connected = (url: string): void => void this.told.push(`connected ${url}`);
  lost = (_url: string, reason: string): void => void this.told.push(`lost ${reason}`);
  refused = (url: string, reason: string): void => void this.told.push(`refused ${url} ${reason}`);
  gone = (): void => void this.told.push("gone");
  removed = (): void => void this.told.push("removed");
  sent(): void {}
  oversized = (): void => void this.told.push("oversized");
  roundTrip = (): void => void this.roundTrips++;

  count(start: string): number {
    return this.told.filter((each) => each.startsWith(start)).length;
  }
}

describe("A stream that this member dials", () => {
  const servers: Server[] = [];
  const sockets = new Set<Duplex>();
  const streams: OutgoingStream[] = [];

  afterEach(() => {
    for (const stream of streams.splice(0)) stream.destroy();
    for (const socket of sockets) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });

  /** A peer of which the test decides what it does with each upgrade; its URL. */
  async function peer(onUpgrade: (socket: Socket, attempt: number) => void): Promise<string> {
    const server = createServer();
    let attempts = 0;
    server.on("connection", (socket: Socket) => sockets.add(socket));
    server.on("upgrade", (_request, socket: Socket) => {
      socket.on("error", () => {});
      onUpgrade(socket, ++attempts);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function open(
    urls: readonly string[],
    limits: Partial<PeerLimits> = {},
  ): { stream: OutgoingStream; sink: RecordingSink } {
    const sink = new RecordingSink();
    const all = { ...peerLimits, ...quickLimits, ...limits };
    const stream = new OutgoingStream({
      channel: "urgent",
      urls,
      dialer: new Dialer(undefined, all),
      headers: () => ({}),
      clock: new SystemClock(),
      prng: createPrng(1),
      limits: all,
      sink,
    });
    streams.push(stream);
    stream.start();
    return { stream, sink };
  }

  const accept = (socket: Socket): void => {
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: metastore-raft\r\n\r\n",
    );
  };
  const pong = (number: number): Buffer => encodeFrame({ messages: [], ping: 0, pong: number });

  it("tells that a peer is gone once every URL refused in turn, and not while one does something else", async () => {
    const quiet = { redialMsMin: 20, redialMsMax: 20 };
    const gone = open(["http://127.0.0.1:1", "http://127.0.0.1:2"], quiet);
    await until(() => gone.sink.count("gone") > 0, "gone told");
    assert.ok(gone.sink.count("refused") >= 2);

    const hangsUp = await peer((socket) => socket.destroy());
    const alive = open(["http://127.0.0.1:1", hangsUp], quiet);
    await until(() => alive.sink.count("refused") >= 6, "three rounds");
    assert.equal(alive.sink.count("gone"), 0);
  });

  it("tries all URLs of the peer in turn, unusable ones too", async () => {
    const url = await peer(accept);
    const { sink } = open(["http://127.0.0.1:1", "gopher://x", url]);
    await until(() => sink.count("connected") === 1, "connected");
    assert.match(sink.told.join("\n"), /refused http:\/\/127\.0\.0\.1:1 .*ECONNREFUSED/);
    assert.match(sink.told.join("\n"), /refused gopher:\/\/x "gopher:\/\/x" is no URL/);
    assert.equal(sink.told.at(-1), `connected ${url}`);
  });

  it("goes on trying, each pause longer up to redialMsMax", async () => {
    const timesMs: number[] = [];
    const url = await peer((socket) => {
      timesMs.push(performance.now());
      socket.destroy();
    });
    const { sink } = open([url], { redialMsMin: 10, redialMsMax: 80 });
    await until(() => timesMs.length >= 8, "eight attempts");
    const pauses = timesMs.slice(1).map((timeMs, i) => timeMs - timesMs[i]!);
    assert.ok(
      pauses.slice(-2).every((pause) => pause >= 39),
      pauses.join(),
    );
    assert.ok(pauses[0]! < 60, pauses.join());
    assert.ok(sink.count("refused") >= 7);
  });

  it("tells the text of a refusal, and that this member was removed", async () => {
    const url = await peer((socket, attempt) => {
      const [status, text] =
        attempt === 1 ? ["412 Precondition Failed", "cluster ID mismatch\u0007"] : ["410 Gone", "bye"];
      socket.end(`HTTP/1.1 ${status}\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`);
    });
    const { sink } = open([url]);
    await until(() => sink.count("removed") === 1, "removed");
    assert.deepEqual(sink.told.slice(0, 2), [`refused ${url} answered 412: cluster ID mismatch`, "removed"]);
  });

  it("does not wait for a peer that accepts connections and says nothing: dialTimeoutMs", async () => {
    const url = await peer(() => {});
    const { sink } = open([url], { dialTimeoutMs: 60 });
    await until(() => sink.count("refused") === 2, "two attempts");
    assert.match(sink.told[0]!, /no answer in time/);
  });

  it("is given up when nothing comes back, though the connection stands: half open", async () => {
    const url = await peer(accept);
    const { stream, sink } = open([url], { linkHeartbeatMs: 20 });
    await until(() => sink.count("lost") === 1, "the loss noticed");
    assert.match(sink.told[1]!, /nothing came back for too long/);
    await until(() => sink.count("connected") === 2, "connected again");
    assert.ok(stream.connectedSinceMs !== undefined);
  });

  it("stays while the peer acknowledges, however slowly it answers pings", async () => {
    const url = await peer((socket) => {
      accept(socket);
      const timer = setInterval(() => socket.write(pong(0)), 40);
      socket.on("close", () => clearInterval(timer));
    });
    const { sink } = open([url], { linkHeartbeatMs: 20 });
    await delay(300);
    assert.deepEqual(sink.told, [`connected ${url}`]);
    assert.equal(sink.roundTrips, 0);
  });

  it("measures the time to the answer of each ping", async () => {
    const url = await peer((socket) => {
      accept(socket);
      let pings = 0;
      socket.on("data", () => socket.write(pong(++pings)));
    });
    const { sink } = open([url], { linkHeartbeatMs: 10 });
    await until(() => sink.roundTrips >= 3, "three round trips");
  });

  it("is closed when the peer sends more than acknowledgements: acknowledgementBytesMax", async () => {
    const url = await peer((socket) => {
      accept(socket);
      socket.write(encodeFrame({ messages: [], ping: 0, pong: 1 }));
      socket.write(Buffer.alloc(1_000, 7));
    });
    const { sink } = open([url]);
    await until(() => sink.count("lost") >= 1, "closed");
    assert.match(sink.told.find((each) => each.startsWith("lost"))!, /claims|checksum/);
  });

  it("takes no messages in acknowledgements", async () => {
    const url = await peer((socket) => {
      accept(socket);
      socket.write(encodeFrame({ messages: [message(messageType.vote, 2n, 1n)], ping: 0, pong: 0 }));
    });
    const { sink } = open([url]);
    await until(() => sink.count("lost") >= 1, "closed");
    assert.match(sink.told[1]!, /too many messages/);
  });

  it("moves when its URL is no longer among those of the peer", async () => {
    const pongs = (socket: Socket): void => {
      accept(socket);
      socket.on("data", () => socket.write(pong(0)));
    };
    const [first, second] = [await peer(pongs), await peer(pongs)];
    const { stream, sink } = open([first]);
    await until(() => sink.count("connected") === 1, "connected");
    stream.setUrls([first, second]);
    await delay(30);
    assert.equal(sink.count("lost"), 0);
    stream.setUrls([second]);
    await until(() => sink.told.includes(`connected ${second}`), "connected to the other URL");
  });

  it("drops messages while there is no connection, and connects no more once destroyed", async () => {
    let attempts = 0;
    const url = await peer((socket) => {
      attempts++;
      accept(socket);
    });
    const { stream, sink } = open([url]);
    assert.equal(stream.send(message(messageType.vote, 1n, 2n)), false);
    await until(() => sink.count("connected") === 1, "connected");
    assert.equal(stream.send(message(messageType.vote, 1n, 2n)), true);
    stream.destroy();
    assert.equal(stream.send(message(messageType.vote, 1n, 2n)), false);
    await delay(100);
    assert.equal(attempts, 1);
  });
});
