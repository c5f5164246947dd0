import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import { type LinkFault, Links } from "../../cluster/harness/links.ts";
import { PeerProxy } from "../../cluster/harness/peer-proxy.ts";

/** What a member's peer port would receive, and how it answers: each piece comes back in capitals. */
class EchoMember {
  readonly server: Server;
  received = "";

  constructor() {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        this.received += bytes.toString();
        socket.write(bytes.toString().toUpperCase());
      });
      socket.on("end", () => socket.end());
    });
  }
}

class Peer {
  readonly socket: Socket;
  received = "";
  isReset = false;

  constructor(port: number, id: string) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (bytes) => {
      this.received += bytes.toString();
    });
    this.socket.on("error", () => {
      this.isReset = true;
    });
    this.socket.write(`POST /raft/stream HTTP/1.1\r\nX-Server-From: ${id}\r\n\r\n`);
  }
}

describe("the proxy in front of a member's peer port", () => {
  const links = new Links();
  const member = new EchoMember();
  let proxy: PeerProxy;
  const peers: Peer[] = [];

  before(async () => {
    member.server.listen(0, "127.0.0.1");
    await once(member.server, "listening");
    proxy = await PeerProxy.listen({
      name: "target",
      targetPort: (member.server.address() as AddressInfo).port,
      links,
      nameOf: (id) => ({ a1: "a", b2: "b" })[id],
      names: () => ["a", "b", "target"],
      carrier: () => "dialler",
      prng: createPrng(1),
    });
  });
  after(async () => {
    await proxy.close();
    member.server.close();
  });
  beforeEach(() => {
    member.received = "";
  });
  afterEach(() => {
    for (const { socket } of peers.splice(0)) socket.destroy();
    links.heal();
  });

  /** A connection of the peer with this id, whose first request was answered. */
  const opened = async (id: string): Promise<Peer> => {
    const peer = new Peer(proxy.port, id);
    peers.push(peer);
    await seen(() => peer.received.includes("POST"));
    peer.received = "";
    member.received = "";
    return peer;
  };
  const seen = async (holds: () => boolean): Promise<void> => {
    for (let tries = 0; !holds(); tries++) {
      assert.ok(tries < 200, "not within a second");
      await sleep(5);
    }
  };
  const stays = async (holds: () => boolean): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      assert.ok(holds());
      await sleep(5);
    }
  };

  it("hands on bytes both ways while nothing is wrong", async () => {
    const peer = await opened("a1");
    peer.socket.write("hello");
    await seen(() => peer.received === "HELLO");
    assert.equal(member.received, "hello");
  });

  it("keeps what a stalled link carries until the link is whole, and lets the other peer through", async () => {
    const [a, b] = [await opened("a1"), await opened("b2")];
    links.set(["a"], ["target"], { kind: "stall" });
    a.socket.write("from a");
    b.socket.write("from b");
    await seen(() => b.received === "FROM B");
    await stays(() => a.received === "");
    links.heal();
    await seen(() => a.received === "FROM A");
  });

  it("loses what a dropping link carries, and resets the connection once the link is whole", async () => {
    const peer = await opened("a1");
    links.set(["a"], ["target"], { kind: "drop" });
    peer.socket.write("lost");
    await stays(() => member.received === "" && !peer.isReset);
    links.heal();
    await seen(() => peer.isReset);
    assert.equal(member.received, "");
  });

  it("resets connections over a link that resets, new ones too", async () => {
    const old = await opened("a1");
    links.set(["a"], ["target"], { kind: "reset" });
    await seen(() => old.isReset);
    const late = new Peer(proxy.port, "a1");
    peers.push(late);
    await seen(() => late.isReset);
  });

  it("cuts one direction alone: what comes back waits, what goes there arrives", async () => {
    const peer = await opened("a1");
    links.set(["target"], ["a"], { kind: "stall" });
    peer.socket.write("there");
    await seen(() => member.received === "there");
    await stays(() => peer.received === "");
    links.heal();
    await seen(() => peer.received === "THERE");
  });

  it("lets acknowledgements through where only messages are cut", async () => {
    const peer = await opened("a1");
    links.set(["target"], ["a"], { kind: "stall" }, "messages");
    peer.socket.write("there");
    await seen(() => peer.received === "THERE");
  });

  it("delays a slow link's bytes and keeps their order", async () => {
    const peer = await opened("a1");
    const slow: LinkFault = { kind: "slow", delayMs: 60, jitterMs: 40, bytesPerSecond: 1_000_000 };
    links.set(["a"], ["target"], slow);
    const beganMs = performance.now();
    for (const piece of ["one ", "two ", "three"]) {
      peer.socket.write(piece);
      await sleep(2);
    }
    await seen(() => member.received.length === 13);
    assert.equal(member.received, "one two three");
    assert.ok(performance.now() - beganMs >= 60);
  });

  it("hides the end of a connection while its link is cut", async () => {
    const peer = await opened("a1");
    let hasEnded = false;
    links.set(["a"], ["target"], { kind: "stall" });
    peer.socket.end();
    peer.socket.once("end", () => {
      hasEnded = true;
    });
    await stays(() => !hasEnded);
    links.heal();
    await seen(() => hasEnded);
  });

  it("lets a caller without a name pass unless nobody can", async () => {
    const nameless = connect(proxy.port, "127.0.0.1");
    let answer = "";
    nameless.on("data", (bytes) => {
      answer += bytes.toString();
    });
    links.set(["a"], ["target"], { kind: "stall" });
    nameless.write("GET /version HTTP/1.1\r\n\r\n");
    await seen(() => answer.includes("VERSION"));
    answer = "";
    links.set(["b"], ["target"], { kind: "stall" });
    nameless.write("more");
    await stays(() => answer === "");
    links.heal();
    await seen(() => answer === "MORE");
    nameless.destroy();
  });
});
