import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import {
  decodeWatchAnswer,
  Message,
  prefixEnd,
  putMessage,
  RawClient,
  watchCreate,
} from "../harness/index.ts";
import {
  type CallEnd,
  endlessHeaders,
  endlessHttp1Header,
  endOf,
  type FloodEnd,
  flood,
  frame,
  hugeHeaderValue,
  MuteSession,
} from "./hostile-wire.ts";

/** A client that means harm, or is broken. `release` ends what it holds; `run` says how the server took it. */
export interface HostileCase {
  readonly name: string;
  run(endpoint: string): Promise<{ outcome: string; release(): void }>;
}

const nothing = (): void => {};
const WATCH = "/etcdserverpb.Watch/Watch";
const TXN = "/etcdserverpb.KV/Txn";
/** Length 8, type 7, of stream 0: the head of a GOAWAY frame without a text. */
const GOAWAY_HEAD = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0]).toString("latin1");
const CLAIMED_BYTES = 100_000_000;
/** What may leave us before a server stops to read: the buffers of two sockets hold megabytes on their own. */
const SENT_BYTES_MAX = 16_000_000;

/** `count` events under `prefix`, 100 to a txn, and the history of them compacted away. */
export async function pour(endpoint: string, prefix: string, count: number): Promise<void> {
  const client = new RawClient(endpoint);
  const value = "e".repeat(200);
  let [sent, revision] = [0, 0];
  const pourer = async (): Promise<void> => {
    while (sent < count) {
      const first = sent;
      sent += 100;
      const pairs = Array.from(
        { length: 100 },
        (_, index) => [`${prefix}${(first + index) % 2_000}`, value] as const,
      );
      revision = Math.max(revision, await client.putAll(pairs));
    }
  };
  await Promise.all(Array.from({ length: 8 }, pourer));
  await client.compact(revision);
  client.close();
}

/** A Txn with `depth` txns inside one another, built from the inside. */
function nestedTxn(depth: number): Buffer {
  let body = new Message().nested(2, new Message().nested(2, putMessage("k", "v", 0))).encode();
  const pieces: Buffer[] = [body];
  let length = body.length;
  // Each level is RequestOp{request_txn: ...} as a success op: heads are collected, since copying would be quadratic.
  for (let level = 1; level < depth; level++) {
    const inner = Buffer.concat([Buffer.from([0x22]), varint(length)]);
    const outer = Buffer.concat([Buffer.from([0x12]), varint(inner.length + length), inner]);
    pieces.push(outer);
    length += outer.length;
  }
  body = Buffer.concat(pieces.reverse());
  return body;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

async function refused(endpoint: string, path: string, message: Buffer): Promise<string> {
  const client = new RawClient(endpoint);
  try {
    await client.call(path, message, 30_000);
  } catch (error) {
    const { code, details } = error as { code?: number; details?: string };
    assert.ok(code !== undefined && code !== 14 && code !== 4, `the server did not refuse it: ${error}`);
    return `refused with code ${code}: ${details}`;
  } finally {
    client.close();
  }
  assert.fail("the server took it");
}

/** The server closed, or said why it will not and stopped to read. */
function stoppedEarly({ sentBytes, closed, answer }: FloodEnd): string {
  assert.ok(sentBytes < SENT_BYTES_MAX, `the server still reads after ${sentBytes} bytes of header`);
  const isGoAway = answer.includes(GOAWAY_HEAD);
  assert.ok(
    closed || isGoAway,
    `the server neither closes nor says anything after ${sentBytes} bytes of header`,
  );
  const how = /^HTTP\/1\.1 \d+/.exec(answer)?.[0] ?? (isGoAway ? "GOAWAY" : "a closed connection");
  return `${how}${closed ? "" : ", connection left open unread"}; ${sentBytes} bytes had left the client`;
}

export const hostileCases: readonly HostileCase[] = [
  {
    name: "a watcher that never reads while 100,000 events flow",
    run: async (endpoint) => {
      const session = new MuteSession(endpoint);
      const stream = session.open(WATCH);
      stream.write(frame(watchCreate("mute/", { rangeEnd: prefixEnd("mute/") }).encode()));
      await sleep(500);
      await pour(endpoint, "mute/", 100_000);
      return { outcome: "the others were served meanwhile", release: () => session.destroy() };
    },
  },
  {
    name: "100,000 watches created on a stream that never reads",
    run: async (endpoint) => {
      const session = new MuteSession(endpoint);
      const stream = session.open(WATCH);
      const create = frame(watchCreate("flood").encode());
      const batch = Buffer.concat(Array.from({ length: 1_000 }, () => create));
      let taken = 0;
      for (let sent = 0; sent < 100; sent++) {
        const isTaken = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(false), 5_000);
          stream.write(batch, () => {
            clearTimeout(timer);
            resolve(true);
          });
        });
        if (!isTaken) break;
        taken += 1_000;
      }
      return { outcome: `${taken} of 100000 left the client`, release: () => session.destroy() };
    },
  },
  {
    name: "10,000 watchers, each of its own key",
    run: async (endpoint) => {
      const clients = Array.from({ length: 10 }, () => new RawClient(endpoint));
      let [created, events] = [0, 0];
      const streams = clients.map((client, part) => {
        const stream = client.stream(WATCH);
        stream.on("error", nothing);
        stream.on("data", (message: Buffer) => {
          const answer = decodeWatchAnswer(message);
          if (answer.created) created += 1;
          events += answer.events.length;
        });
        for (let index = 0; index < 1_000; index++)
          stream.write(watchCreate(`many/${part}/${index}`).encode());
        return stream;
      });
      const wait = async (what: string, isDone: () => boolean): Promise<void> => {
        const deadline = Date.now() + 60_000;
        while (!isDone()) {
          assert.ok(Date.now() < deadline, `${what}: ${created} created, ${events} events`);
          await sleep(20);
        }
      };
      await wait("10,000 created", () => created === 10_000);
      const writer = new RawClient(endpoint);
      for (let part = 0; part < 10; part++) {
        const pairs = Array.from({ length: 100 }, (_, index) => [`many/${part}/${index * 7}`, "v"] as const);
        await writer.putAll(pairs);
      }
      await wait("1,000 events", () => events === 1_000);
      writer.close();
      return {
        outcome: "all were created, and each got its event once",
        release: () => {
          for (const stream of streams) stream.cancel();
          for (const client of clients) client.close();
        },
      };
    },
  },
  {
    name: "a gRPC message that claims 100 MB",
    run: async (endpoint) => {
      const session = new MuteSession(endpoint);
      const stream = session.open("/etcdserverpb.KV/Put");
      stream.write(frame(Buffer.alloc(1_000), CLAIMED_BYTES));
      const end: CallEnd = await endOf(stream, 5_000);
      assert.equal(end.status, "8", `grpc-status ${end.status} ${end.message}`);
      return { outcome: `refused with code ${end.status}: ${end.message}`, release: () => session.destroy() };
    },
  },
  {
    name: "an HTTP/2 header block of 100 MB",
    run: async (endpoint) => {
      const { first, chunk } = endlessHeaders();
      const end = await flood(endpoint, first, chunk, CLAIMED_BYTES, 10_000);
      return { outcome: stoppedEarly(end), release: nothing };
    },
  },
  {
    name: "an HTTP/2 header value that claims 100 MB",
    run: async (endpoint) => {
      const { first, chunk } = hugeHeaderValue();
      const end = await flood(endpoint, first, chunk, CLAIMED_BYTES, 10_000);
      return { outcome: stoppedEarly(end), release: nothing };
    },
  },
  {
    name: "an HTTP/1.1 header of 100 MB",
    run: async (endpoint) => {
      const { first, chunk } = endlessHttp1Header();
      const end = await flood(endpoint, first, chunk, CLAIMED_BYTES, 10_000);
      return { outcome: stoppedEarly(end), release: nothing };
    },
  },
  ...[1_000, 10_000, 100_000].map(
    (depth): HostileCase => ({
      name: `a txn nested ${depth.toLocaleString("en-US")} deep`,
      run: async (endpoint) => ({
        outcome: await refused(endpoint, TXN, nestedTxn(depth)),
        release: nothing,
      }),
    }),
  ),
  {
    name: "1,000,000 operations in a txn, empty ones that fit the size limit",
    run: async (endpoint) => {
      const ops = Buffer.alloc(2_000_000);
      for (let at = 0; at < ops.length; at += 2) ops[at] = 0x12;
      return { outcome: await refused(endpoint, TXN, ops), release: nothing };
    },
  },
  {
    name: "1,000,000 puts in a txn, beyond the size limit",
    run: async (endpoint) => {
      const op = new Message().nested(2, new Message().nested(2, putMessage("k", "", 0))).encode();
      const ops = Buffer.concat(Array.from({ length: 1_000_000 }, () => op));
      return { outcome: await refused(endpoint, TXN, ops), release: nothing };
    },
  },
];
