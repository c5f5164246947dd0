import assert from "node:assert/strict";
import { RequestError } from "../../src/lib/errors.ts";
import type { Peer, PeerHandler, PeerNetwork } from "../../src/server/node/index.ts";
import {
  type Entry,
  emptyConfState,
  type Message,
  type MessageType,
  messageType,
} from "../../src/server/raft/index.ts";
import type { StateSnapshot } from "../../src/server/state/index.ts";

/** What the suite needs of the world around a network. */
export interface PeerNetworkFixture {
  /** A network for member `id`, not started and without peers. The same id again: that member, restarted. */
  create(id: bigint): Promise<PeerNetwork>;
  /** The member as others reach it, once it was created. */
  peer(id: bigint): Peer;
  /** Lets time pass until `isMet`; rejects, naming `what`, when that takes too long. */
  until(isMet: () => boolean, what: string): Promise<void>;
  /** Lets time pass. */
  pass(durationMs: number): Promise<void>;
  /** From now on `id` is removed in the eyes of member `by`. */
  markRemoved(by: bigint, id: bigint): void;
  /** How far a snapshot may be made ahead of its reader, in bytes. */
  readonly snapshotBytesAheadMax: number;
  close(): Promise<void>;
}

interface MemberUnderTest {
  readonly id: bigint;
  readonly network: PeerNetwork;
  readonly handler: SuiteHandler;
}

class SuiteHandler implements PeerHandler {
  readonly messages: Message[] = [];
  readonly unreachables: bigint[] = [];
  readonly gonePeers: bigint[] = [];
  readonly sent: { peer: bigint; succeeded: boolean }[] = [];
  removals = 0;
  onSnapshot: PeerHandler["receiveSnapshot"] = async (_message, chunks) => {
    for await (const _ of chunks);
  };
  onCall: PeerHandler["answer"] = async () => Buffer.alloc(0);

  receive(messages: readonly Message[]): void {
    this.messages.push(...messages);
  }
  receiveSnapshot(message: Message, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.onSnapshot(message, chunks);
  }
  gone(peer: bigint): void {
    this.gonePeers.push(peer);
  }

  unreachable(peer: bigint): void {
    this.unreachables.push(peer);
  }
  snapshotSent(peer: bigint, succeeded: boolean): void {
    this.sent.push({ peer, succeeded });
  }
  answer(from: bigint, method: string, body: Uint8Array): Promise<Uint8Array> {
    return this.onCall(from, method, body);
  }
  removed(): void {
    this.removals++;
  }
}

const nothing = Buffer.alloc(0);

function messageOf(
  type: MessageType,
  from: bigint,
  to: bigint,
  fields: Partial<Omit<Message, "type" | "from" | "to">> = {},
): Message {
  return {
    type,
    from,
    to,
    term: 1,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    reject: false,
    rejectHint: 0,
    context: nothing,
    hardState: undefined,
    snapshot: undefined,
    responses: [],
    ...fields,
  };
}

function snapshotOf(from: bigint, to: bigint, term = 3): Message {
  const metadata = { confState: { ...emptyConfState, voters: [from, to] }, index: 9, term };
  return messageOf(messageType.snap, from, to, { term, snapshot: { metadata, data: nothing } });
}

class CountedState implements StateSnapshot {
  readonly chunks: Iterable<Buffer>;
  closes = 0;

  constructor(chunks: Iterable<Buffer>) {
    this.chunks = chunks;
  }

  close(): void {
    this.closes++;
  }
}

function entry(index: number, data: Buffer): Entry {
  return { term: 1, index, type: 0, data };
}

/** What every PeerNetwork keeps (src/server/node/peers.ts); run over sockets, and over the simulated network. */
export function describePeerNetwork(name: string, createFixture: () => Promise<PeerNetworkFixture>): void {
  describe(`${name} as a peer network`, () => {
    let fixture: PeerNetworkFixture;
    beforeEach(async () => {
      fixture = await createFixture();
    });
    afterEach(() => fixture.close());

    async function create(id: bigint): Promise<MemberUnderTest> {
      return { id, network: await fixture.create(id), handler: new SuiteHandler() };
    }

    const isConnected = (member: MemberUnderTest, peer: bigint): boolean =>
      member.network.connectedSinceMs(peer) !== undefined;

    /** Members 1..count, started and connected. */
    async function cluster(count: number): Promise<MemberUnderTest[]> {
      const members: MemberUnderTest[] = [];
      for (let i = 1; i <= count; i++) members.push(await create(BigInt(i)));
      for (const { id, network, handler } of members) {
        network.setPeers(members.filter((other) => other.id !== id).map((other) => fixture.peer(other.id)));
        network.start(handler);
      }
      for (const member of members) {
        for (const { id } of members) {
          if (id !== member.id) await fixture.until(() => isConnected(member, id), `${member.id} to ${id}`);
        }
      }
      return members;
    }

    async function pair(): Promise<[MemberUnderTest, MemberUnderTest]> {
      const [first, second] = await cluster(2);
      return [first as MemberUnderTest, second as MemberUnderTest];
    }

    describe("messages", () => {
      it("arrive as they were sent, with all their fields", async () => {
        const [a, b] = await pair();
        const big = Number.MAX_SAFE_INTEGER;
        const sent = [
          messageOf(messageType.app, 1n, 2n, {
            term: big,
            logTerm: big - 1,
            index: big - 2,
            commit: big - 3,
            entries: [
              { term: 1, index: 2, type: 0, data: Buffer.from("one") },
              { term: 3, index: 4, type: 1, data: nothing },
              { term: 5, index: big, type: 2, data: Buffer.alloc(70_000, 7) },
            ],
          }),
          messageOf(messageType.appResp, 1n, 2n, { reject: true, rejectHint: big, logTerm: 5, index: 6 }),
          messageOf(messageType.heartbeat, 1n, 2n, { context: Buffer.from([0, 1, 255]) }),
        ];
        a.network.send(sent);
        await fixture.until(() => b.handler.messages.length === sent.length, "all messages");
        const byType = (messages: readonly Message[]) =>
          [...messages].sort((left, right) => left.type - right.type).map(plain);
        assert.deepEqual(byType(b.handler.messages), byType(sent));
      });

      it("of one peer arrive in the order it sent them, entries and small ones each", async () => {
        const [a, b] = await pair();
        const count = 1_000;
        for (let i = 1; i <= count; i += 4) {
          a.network.send([
            messageOf(messageType.app, 1n, 2n, { index: i, entries: [entry(i + 1, Buffer.alloc(i % 700))] }),
            messageOf(messageType.heartbeat, 1n, 2n, { commit: i }),
            messageOf(messageType.app, 1n, 2n, { index: i + 1 }),
            messageOf(messageType.appResp, 1n, 2n, { commit: i + 1 }),
          ]);
          if (i % 100 === 1) await fixture.pass(1);
        }
        await fixture.until(() => b.handler.messages.length === count, "all messages");
        for (const [isMeant, position] of [
          [(type: MessageType) => type === messageType.app, (each: Message) => each.index],
          [(type: MessageType) => type !== messageType.app, (each: Message) => each.commit],
        ] as const) {
          const positions = b.handler.messages.filter((each) => isMeant(each.type)).map(position);
          assert.deepEqual(
            positions,
            [...positions].sort((left, right) => left - right),
          );
        }
      });

      it("go to the peer that each names", async () => {
        const members = await cluster(3);
        members[0]!.network.send([
          messageOf(messageType.vote, 1n, 3n, { index: 3 }),
          messageOf(messageType.vote, 1n, 2n, { index: 2 }),
        ]);
        await fixture.until(
          () => members.slice(1).every((each) => each.handler.messages.length === 1),
          "both",
        );
        assert.equal(members[1]!.handler.messages[0]!.index, 2);
        assert.equal(members[2]!.handler.messages[0]!.index, 3);
      });

      it("are not delivered before the network is started", async () => {
        const a = await create(1n);
        const b = await create(2n);
        a.network.setPeers([fixture.peer(2n)]);
        b.network.setPeers([fixture.peer(1n)]);
        a.network.start(a.handler);
        a.network.send([messageOf(messageType.heartbeat, 1n, 2n)]);
        await fixture.pass(100);
        assert.equal(b.handler.messages.length, 0);
        b.network.start(b.handler);
        await fixture.until(() => isConnected(a, 2n), "a to b");
        a.network.send([messageOf(messageType.heartbeat, 1n, 2n, { commit: 5 })]);
        await fixture.until(() => b.handler.messages.length > 0, "the message");
        assert.equal(b.handler.messages.at(-1)!.commit, 5);
      });

      it("to a peer that is not there are dropped and reported, not from within send", async () => {
        const a = await create(1n);
        const b = await create(2n);
        await b.network.close();
        a.network.setPeers([fixture.peer(2n)]);
        a.network.start(a.handler);
        a.network.send([messageOf(messageType.heartbeat, 1n, 2n)]);
        assert.deepEqual(a.handler.unreachables, []);
        await fixture.until(() => a.handler.unreachables.length > 0, "unreachable told");
        assert.equal(a.handler.unreachables[0], 2n);
      });

      it("to a member that was never named are dropped and reported", async () => {
        const [a] = await pair();
        a.network.send([messageOf(messageType.heartbeat, 1n, 99n)]);
        assert.deepEqual(a.handler.unreachables, []);
        await fixture.until(() => a.handler.unreachables.includes(99n), "unreachable told");
      });

      it("of a peer that left are no longer taken", async () => {
        const [a, b] = await pair();
        b.network.setPeers([]);
        await fixture.until(() => !isConnected(a, 2n), "the connection closed");
        for (let i = 0; i < 20; i++) {
          a.network.send([messageOf(messageType.heartbeat, 1n, 2n)]);
          await fixture.pass(10);
        }
        assert.equal(b.handler.messages.length, 0);
        assert.ok(a.handler.unreachables.length > 0);
      });
    });

    describe("connections", () => {
      it("come back by themselves when a peer was away, and losses are reported", async () => {
        const [a, b] = await pair();
        assert.ok(isConnected(a, 2n));
        await b.network.close();
        await fixture.until(() => !isConnected(a, 2n), "the loss noticed");
        await fixture.until(() => a.handler.unreachables.length > 0, "unreachable told");
        const again = await create(2n);
        again.network.setPeers([fixture.peer(1n)]);
        a.network.setPeers([fixture.peer(2n)]);
        again.network.start(again.handler);
        await fixture.until(() => isConnected(a, 2n) && isConnected(again, 1n), "both connected");
        a.network.send([messageOf(messageType.heartbeat, 1n, 2n)]);
        again.network.send([messageOf(messageType.heartbeatResp, 2n, 1n)]);
        await fixture.until(
          () => again.handler.messages.length === 1 && a.handler.messages.length === 1,
          "messages both ways",
        );
      });

      it("that ended at both ends, and find nobody, tell that the peer is gone; a silent peer is not", async () => {
        const [a, b] = await pair();
        await fixture.pass(200);
        assert.deepEqual(a.handler.gonePeers, []);
        await b.network.close();
        await fixture.until(() => {
          a.network.send([messageOf(messageType.heartbeat, 1n, 2n)]);
          return a.handler.gonePeers.length > 0;
        }, "gone told");
        assert.equal(a.handler.gonePeers[0], 2n);
      });

      it("are not said of peers that are unknown", async () => {
        const [a] = await pair();
        assert.equal(a.network.connectedSinceMs(99n), undefined);
      });

      it("tell a member that it was removed, once", async () => {
        const [a, b] = await pair();
        fixture.markRemoved(1n, 2n);
        a.network.setPeers([]);
        await fixture.until(() => b.handler.removals > 0, "removed told");
        await fixture.pass(200);
        assert.equal(b.handler.removals, 1);
        assert.equal(a.handler.removals, 0);
      });
    });

    describe("snapshots", () => {
      it("arrive whole, and count as sent once the receiver has taken them", async () => {
        const [a, b] = await pair();
        const chunks = Array.from({ length: 20 }, (_, i) => Buffer.alloc(1 + i * 20_000, i));
        const state = new CountedState(chunks);
        const received: Buffer[] = [];
        let message: Message | undefined;
        let take: () => void = () => {};
        b.handler.onSnapshot = async (taken, stream) => {
          message = taken;
          for await (const chunk of stream) received.push(Buffer.from(chunk));
          await new Promise<void>((resolve) => {
            take = resolve;
          });
        };
        a.network.sendSnapshot(snapshotOf(1n, 2n), state);
        await fixture.until(() => received.length === chunks.length, "all chunks");
        await fixture.pass(50);
        assert.deepEqual(a.handler.sent, []);
        take();
        await fixture.until(() => a.handler.sent.length > 0, "the outcome");
        assert.deepEqual(a.handler.sent, [{ peer: 2n, succeeded: true }]);
        assert.deepEqual(plain(message!), plain(snapshotOf(1n, 2n)));
        assert.ok(Buffer.concat(received).equals(Buffer.concat(chunks)));
        assert.equal(state.closes, 1);
      });

      it("without any chunk are snapshots too", async () => {
        const [a] = await pair();
        const state = new CountedState([]);
        a.network.sendSnapshot(snapshotOf(1n, 2n), state);
        await fixture.until(() => a.handler.sent.length > 0, "the outcome");
        assert.deepEqual(a.handler.sent, [{ peer: 2n, succeeded: true }]);
        assert.equal(state.closes, 1);
      });

      it("that break off are refused on both sides", async () => {
        const [a, b] = await pair();
        let failure: unknown;
        b.handler.onSnapshot = async (_message, stream) => {
          try {
            for await (const _ of stream);
          } catch (error) {
            failure = error;
            throw error;
          }
        };
        const state = new CountedState(
          (function* () {
            yield Buffer.alloc(100_000);
            throw new Error("the engine broke");
          })(),
        );
        a.network.sendSnapshot(snapshotOf(1n, 2n), state);
        await fixture.until(() => a.handler.sent.length > 0 && failure !== undefined, "the outcome");
        assert.deepEqual(a.handler.sent, [{ peer: 2n, succeeded: false }]);
        assert.ok(failure instanceof Error);
        assert.equal(state.closes, 1);
      });

      it("that the receiver cannot store count as failed", async () => {
        const [a, b] = await pair();
        b.handler.onSnapshot = async () => {
          throw new Error("no space");
        };
        const state = new CountedState([Buffer.alloc(10)]);
        a.network.sendSnapshot(snapshotOf(1n, 2n), state);
        await fixture.until(() => a.handler.sent.length > 0, "the outcome");
        assert.deepEqual(a.handler.sent, [{ peer: 2n, succeeded: false }]);
        assert.equal(state.closes, 1);
      });

      it("to nobody are closed and told as failed, not from within the call", async () => {
        const [a] = await pair();
        const state = new CountedState([Buffer.alloc(10)]);
        a.network.sendSnapshot(snapshotOf(1n, 99n), state);
        assert.deepEqual(a.handler.sent, []);
        await fixture.until(() => a.handler.sent.length > 0, "the outcome");
        assert.deepEqual(a.handler.sent, [{ peer: 99n, succeeded: false }]);
        assert.equal(state.closes, 1);
      });

      it("are made no faster than the receiver takes them", async () => {
        const [a, b] = await pair();
        const chunkBytes = 262_144;
        const chunkCount = Math.ceil((3 * fixture.snapshotBytesAheadMax) / chunkBytes);
        let made = 0;
        const state = new CountedState(
          (function* () {
            for (; made < chunkCount; made++) yield Buffer.alloc(chunkBytes, made);
          })(),
        );
        let goOn: () => void = () => {};
        const paused = new Promise<void>((resolve) => {
          goOn = resolve;
        });
        let taken = 0;
        b.handler.onSnapshot = async (_message, stream) => {
          for await (const _ of stream) {
            if (taken === 0) await paused;
            taken++;
          }
        };
        a.network.sendSnapshot(snapshotOf(1n, 2n), state);
        await fixture.until(() => made > 1, "the first chunks");
        await fixture.pass(300);
        assert.ok(made * chunkBytes <= fixture.snapshotBytesAheadMax, `${made} chunks made, none taken`);
        goOn();
        await fixture.until(() => a.handler.sent.length > 0, "the outcome");
        assert.deepEqual(a.handler.sent, [{ peer: 2n, succeeded: true }]);
        assert.equal(taken, chunkCount);
      });

      it("under way when the network closes are closed and told as failed", async () => {
        const [a, b] = await pair();
        let isBegun = false;
        b.handler.onSnapshot = async (_message, stream) => {
          for await (const _ of stream) isBegun = true;
        };
        const state = new CountedState(
          (function* () {
            for (;;) yield Buffer.alloc(1_000);
          })(),
        );
        a.network.sendSnapshot(snapshotOf(1n, 2n), state);
        await fixture.until(() => isBegun, "the first chunk");
        await a.network.close();
        assert.deepEqual(a.handler.sent, [{ peer: 2n, succeeded: false }]);
        assert.equal(state.closes, 1);
      });
    });

    describe("calls", () => {
      const ask = (member: MemberUnderTest, peer: bigint, timeoutMs = 3_000): Promise<Uint8Array> => {
        const answer = member.network.call(peer, "greet", Buffer.from("hello"), timeoutMs);
        // Time may have to be made to pass before it settles.
        answer.catch(() => {});
        return answer;
      };

      async function codeOf(call: Promise<Uint8Array>): Promise<string> {
        let code = "";
        call.then(
          () => {
            code = "none";
          },
          (error: unknown) => {
            assert.ok(error instanceof RequestError, String(error));
            code = error.code;
          },
        );
        await fixture.until(() => code !== "", "the call to end");
        return code;
      }

      it("are answered with what the other member says", async () => {
        const [a, b] = await pair();
        b.handler.onCall = async (from, method, body) =>
          Buffer.from(`${from} ${method} ${Buffer.from(body)}`);
        let answer = "";
        ask(a, 2n).then((bytes) => {
          answer = Buffer.from(bytes).toString();
        });
        await fixture.until(() => answer !== "", "the answer");
        assert.equal(answer, "1 greet hello");
      });

      it("reject with the error that the other member answered", async () => {
        const [a, b] = await pair();
        for (const code of ["learnerNotReady", "notLeader", "tooManyRequests"] as const) {
          b.handler.onCall = async () => {
            throw new RequestError(code);
          };
          assert.equal(await codeOf(ask(a, 2n)), code);
        }
      });

      it("that fail in a way nobody named have an unknown outcome", async () => {
        const [a, b] = await pair();
        b.handler.onCall = async () => {
          throw new Error("a bug");
        };
        assert.equal(await codeOf(ask(a, 2n)), "timeout");
      });

      it("that take too long have an unknown outcome", async () => {
        const [a, b] = await pair();
        let isAsked = false;
        b.handler.onCall = () => {
          isAsked = true;
          return new Promise(() => {});
        };
        assert.equal(await codeOf(ask(a, 2n, 150)), "timeout");
        assert.ok(isAsked);
      });

      it("to nobody surely were not received", async () => {
        const [a, b] = await pair();
        assert.equal(await codeOf(ask(a, 99n)), "timeoutConnectionLost");
        await b.network.close();
        assert.equal(await codeOf(ask(a, 2n)), "timeoutConnectionLost");
      });

      it("that wait when the network closes end with stopped", async () => {
        const [a, b] = await pair();
        let isAsked = false;
        b.handler.onCall = () => {
          isAsked = true;
          return new Promise(() => {});
        };
        const call = ask(a, 2n);
        await fixture.until(() => isAsked, "the call to arrive");
        const closed = a.network.close();
        assert.equal(await codeOf(call), "stopped");
        await closed;
        assert.equal(await codeOf(ask(a, 2n)), "stopped");
      });

      it("of many at once are each answered with their own", async () => {
        const [a, b] = await pair();
        b.handler.onCall = async (_from, _method, body) => body;
        const answers: (string | undefined)[] = [];
        for (let i = 0; i < 100; i++) {
          a.network.call(2n, "echo", Buffer.from(String(i)), 3_000).then((bytes) => {
            answers[i] = Buffer.from(bytes).toString();
          });
        }
        await fixture.until(() => answers.filter((each) => each !== undefined).length === 100, "all answers");
        assert.deepEqual(
          answers,
          Array.from({ length: 100 }, (_, i) => String(i)),
        );
      });
    });
  });
}

/** Bytes may be Buffers or not. */
function plain(message: Message): unknown {
  return JSON.parse(
    JSON.stringify(message, (_key, value: unknown) => {
      if (typeof value === "bigint") return String(value);
      if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
      if (isBufferJson(value)) return Buffer.from(value.data).toString("hex");
      return value;
    }),
  );
}

function isBufferJson(value: unknown): value is { readonly data: number[] } {
  return typeof value === "object" && value !== null && "type" in value && value.type === "Buffer";
}
