/** The cases of the stacks, by @grpc/grpc-js. See ../README.md for what each case promises. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { repositoryRoot } from "../../../harness/index.ts";

const MEBIBYTE = 1_048_576;
const BIG_VALUES = 24;
/** Of one call. */
const LIMIT_MS = 90_000;

interface KeyValue {
  key: Buffer;
  value: Buffer;
  version: number;
  mod_revision: number;
}
interface RangeAnswer {
  kvs: KeyValue[];
  count: number;
  more: boolean;
}
interface PutAnswer {
  header: { revision: number };
  prev_kv: KeyValue | null;
}
interface TxnAnswer {
  succeeded: boolean;
  responses: { response_range?: RangeAnswer; response_delete_range?: { deleted: number } }[];
}
interface WatchAnswer {
  watch_id: number;
  created: boolean;
  canceled: boolean;
  events: { kv: KeyValue }[];
}

const protos = loadSync("rpc.proto", {
  includeDirs: [join(repositoryRoot, "proto")],
  keepCase: true,
  longs: Number,
  defaults: true,
});

type CallOptions = { deadlineMs?: number; metadata?: grpc.Metadata };

/** The services on one connection. */
class Clients {
  readonly #client: grpc.Client;

  constructor(door: Door, options: grpc.ClientOptions = {}) {
    this.#client = new grpc.Client(door.endpoint, door.credentials, {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      // Channels to the same address share a connection otherwise.
      "grpc.use_local_subchannel_pool": 1,
      // A name for TLS to ask for: the address is none.
      "grpc.ssl_target_name_override": "localhost",
      ...options,
    });
  }

  close(): void {
    this.#client.close();
  }

  /** A unary call, with what cancels it. */
  start<Answer>(name: string, request: object, options: CallOptions = {}) {
    const method = methodOf(name);
    const { promise, resolve, reject } = withResolvers<Answer>();
    const call = this.#client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize as (bytes: Buffer) => Answer,
      request,
      options.metadata ?? new grpc.Metadata(),
      { deadline: Date.now() + (options.deadlineMs ?? LIMIT_MS) },
      (error, answer) => (error === null ? resolve(answer as Answer) : reject(error)),
    );
    return { call, answer: promise };
  }

  call<Answer>(name: string, request: object, options: CallOptions = {}): Promise<Answer> {
    return this.start<Answer>(name, request, options).answer;
  }

  answers<Answer>(name: string, request: object): grpc.ClientReadableStream<Answer> {
    const method = methodOf(name);
    return this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize as (bytes: Buffer) => Answer,
      request,
      { deadline: Date.now() + LIMIT_MS },
    );
  }

  both<Answer>(name: string, deadlineMs = LIMIT_MS): grpc.ClientDuplexStream<object, Answer> {
    const method = methodOf(name);
    return this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize as (bytes: Buffer) => Answer,
      { deadline: Date.now() + deadlineMs },
    );
  }

  /** A stream with one watcher that is created. Answers are taken from the iterator, one at a time. */
  async startWatch(prefix: Buffer, deadlineMs = LIMIT_MS) {
    const stream = this.both<WatchAnswer>("Watch.Watch", deadlineMs);
    const answers = stream[Symbol.asyncIterator]() as AsyncIterator<WatchAnswer, undefined>;
    stream.write({ create_request: { key: prefix, range_end: prefixEnd(prefix) } });
    const created = (await answers.next()).value;
    assert.ok(created?.created, "the first answer says that the watch is created");
    return { stream, answers, id: created.watch_id };
  }
}

function methodOf(name: string): grpc.MethodDefinition<object, unknown> {
  const [service, method] = name.split(".") as [string, string];
  // A method that is not in the files, to see what the server says of it.
  if (method === "Nope") {
    const range = methodOf("KV.Range");
    return { ...range, path: range.path.replace("Range", method) };
  }
  const definition = (protos[`etcdserverpb.${service}`] as grpc.ServiceDefinition)[method];
  assert.ok(definition !== undefined, name);
  return definition;
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** One way to the server, with the connection that the cases share. */
class Door {
  readonly name: string;
  readonly endpoint: string;
  readonly credentials: grpc.ChannelCredentials;
  readonly shared: Clients;
  ports: number[] = [];

  constructor(name: string, endpoint: string, credentials: grpc.ChannelCredentials) {
    this.name = name;
    this.endpoint = endpoint;
    this.credentials = credentials;
    this.shared = new Clients(this);
  }

  key(rest: string): Buffer {
    return Buffer.from(`js/${this.name}/${rest}`);
  }

  put(
    rest: string,
    value: string | Buffer = "",
    more: object = {},
    clients = this.shared,
  ): Promise<PutAnswer> {
    return clients.call("KV.Put", { key: this.key(rest), value: Buffer.from(value), ...more });
  }

  get(rest: string, options: CallOptions = {}): Promise<RangeAnswer> {
    return this.shared.call("KV.Range", { key: this.key(rest) }, options);
  }

  bigRequest(values: number): object {
    const key = this.key("big/");
    return { key, range_end: prefixEnd(key), limit: values };
  }

  async readBig(values: number, clients = this.shared): Promise<void> {
    checkBig((await clients.call<RangeAnswer>("KV.Range", this.bigRequest(values))).kvs, values);
  }

  async stillServes(): Promise<void> {
    await this.put("after");
    await this.readBig(BIG_VALUES);
  }

  /** A connection whose streams have a window of 16 KiB. */
  narrow(): Clients {
    return new Clients(this, { "grpc-node.flow_control_window": 16_384 });
  }

  /** Local ports of all established connections to the server (Linux alone tells). */
  connectedPorts(): number[] {
    const server = Number(this.endpoint.slice(this.endpoint.lastIndexOf(":") + 1));
    const portOf = (address = ""): number => Number.parseInt(address.slice(address.lastIndexOf(":") + 1), 16);
    return ["/proc/net/tcp", "/proc/net/tcp6"]
      .flatMap((table) => readFileSync(table, "utf8").split("\n").slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === "01" && portOf(fields[2]) === server)
      .map((fields) => portOf(fields[1]))
      .sort((a, b) => a - b);
  }
}

/** A value that differs all over and with every seed. */
function filled(size: number, seed: number): Buffer {
  if (size === 0) return Buffer.alloc(0);
  return Buffer.alloc(
    size,
    createHash("shake256", { outputLength: Math.min(size, 65_536) })
      .update(String(seed))
      .digest(),
  );
}

function prefixEnd(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1]! += 1;
  return end;
}

function checkBig(kvs: readonly KeyValue[], values: number): void {
  assert.equal(kvs.length, values, "values in the range");
  for (const [i, { value }] of kvs.entries()) {
    assert.ok(value.equals(filled(MEBIBYTE, i)), `value ${i} came back changed`);
  }
}

/** The call must end with this code and a text that holds this one. */
async function expectStatus(code: grpc.status, text: string, call: Promise<unknown>): Promise<void> {
  const wanted = `wanted ${grpc.status[code]} ${text}`;
  const error = await call.then(
    () => assert.fail(`${wanted}, got OK`),
    (reason: grpc.ServiceError) => reason,
  );
  if (error.code !== code || !error.details?.includes(text)) assert.fail(`${wanted}, got ${error.message}`);
}

/** Takes events until there are so many: all different keys, in the order of their revisions. */
async function readEvents(
  answers: AsyncIterator<WatchAnswer, undefined>,
  count: number,
  see: (i: number, kv: KeyValue) => void,
): Promise<void> {
  const seen = new Set<string>();
  let last = 0;
  while (seen.size < count) {
    const answer = (await answers.next()).value;
    if (answer === undefined) assert.fail(`the stream ended after ${seen.size} events`);
    for (const { kv } of answer.events) {
      const key = kv.key.toString();
      if (seen.has(key) || kv.mod_revision <= last) assert.fail(`event ${seen.size}: ${key} after ${last}`);
      see(seen.size, kv);
      seen.add(key);
      last = kv.mod_revision;
    }
  }
}

async function drain(stream: AsyncIterable<unknown> | AsyncIterator<unknown>): Promise<void> {
  const iterator = Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : stream;
  while ((await iterator.next()).done !== true) {}
}

const range = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

const cases: Record<string, (door: Door) => Promise<void>> = {
  async unary(door) {
    const first = await door.put("unary/a", "1", { prev_kv: true });
    door.ports = door.connectedPorts();
    const second = await door.put("unary/a", "2", { prev_kv: true });
    assert.equal(first.prev_kv, null);
    assert.equal(second.prev_kv?.value.toString(), "1");
    assert.equal(second.header.revision, first.header.revision + 1);
    await door.put("unary/b", "b");
    await door.put("unary/c", "c");
    const prefix = door.key("unary/");
    const request = { key: prefix, range_end: prefixEnd(prefix), limit: 2 };
    const found = await door.shared.call<RangeAnswer>("KV.Range", request);
    assert.deepEqual([found.count, found.more, found.kvs.length], [3, true, 2]);
    assert.deepEqual([found.kvs[0]?.value.toString(), found.kvs[0]?.version], ["2", 2]);
    const key = door.key("unary/a");
    const txn = {
      compare: [{ target: "VERSION", key, version: 2 }],
      success: [{ request_put: { key, value: Buffer.from("3") } }, { request_range: { key } }],
      failure: [{ request_delete_range: { key } }],
    };
    const then = await door.shared.call<TxnAnswer>("KV.Txn", txn);
    assert.deepEqual([then.succeeded, then.responses.length], [true, 2]);
    assert.equal(then.responses[1]?.response_range?.kvs[0]?.value.toString(), "3");
    const otherwise = await door.shared.call<TxnAnswer>("KV.Txn", txn);
    assert.deepEqual([otherwise.succeeded, otherwise.responses.length], [false, 1]);
    assert.equal(otherwise.responses[0]?.response_delete_range?.deleted, 1);
  },

  async errors(door) {
    await expectStatus(
      grpc.status.NOT_FOUND,
      "etcdserver: requested lease not found",
      door.put("errors", "", { lease: 987654321 }),
    );
    await expectStatus(
      grpc.status.INVALID_ARGUMENT,
      "etcdserver: key is not provided",
      door.shared.call("KV.Range", {}),
    );
    await expectStatus(
      grpc.status.OUT_OF_RANGE,
      "etcdserver: mvcc: required revision is a future revision",
      door.shared.call("KV.Range", { key: door.key("errors"), revision: 2 ** 40 }),
    );
    await expectStatus(
      grpc.status.UNIMPLEMENTED,
      "unknown method Nope for service etcdserverpb.KV",
      door.shared.call("KV.Nope", {}),
    );
  },

  async metadata(door) {
    await door.put("metadata", "there");
    const read = async (pairs: readonly (readonly [string, string | Buffer])[]): Promise<void> => {
      const metadata = new grpc.Metadata();
      for (const [name, value] of pairs) metadata.add(name, value);
      assert.equal((await door.get("metadata", { metadata })).kvs[0]?.value.toString(), "there");
    };
    for (let i = 0; i < 200; i++) {
      await read([
        [`x-name-${i}`, `value ${i * i}`],
        ["x-changing", String(i)],
        ["x-changing", "again"],
        ["x-bytes-bin", filled(i, i)],
      ]);
    }
    // More than one frame holds: HEADERS and CONTINUATION.
    await read([["x-long", "long".repeat(5_000)]]);
    await read([]);
  },

  async "value-1mib"(door) {
    const value = filled(MEBIBYTE, 1);
    await door.put("value", value);
    assert.ok((await door.get("value")).kvs[0]?.value.equals(value), "the value came back changed");
  },

  async "request-too-large"(door) {
    const above = door.put("too-large", Buffer.alloc(1_600_000));
    await expectStatus(grpc.status.INVALID_ARGUMENT, "etcdserver: request is too large", above);
    const farAbove = door.put("too-large", Buffer.alloc(8 * MEBIBYTE));
    await expectStatus(grpc.status.RESOURCE_EXHAUSTED, "larger than max", farAbove);
    await door.put("too-large", "small");
  },

  async "answer-24mib"(door) {
    for (let i = 0; i < BIG_VALUES; i++) {
      await door.put(`big/${String(i).padStart(2, "0")}`, filled(MEBIBYTE, i));
    }
    await door.readBig(BIG_VALUES);
  },

  async "answer-over-client-limit"(door) {
    const limited = new Clients(door, { "grpc.max_receive_message_length": 4 * MEBIBYTE });
    try {
      for (let round = 0; round < 3; round++) {
        await expectStatus(grpc.status.RESOURCE_EXHAUSTED, "", door.readBig(BIG_VALUES, limited));
        await door.readBig(2, limited);
      }
    } finally {
      limited.close();
    }
  },

  async snapshot(door) {
    const parts: Buffer[] = [];
    let remaining = 1;
    const stream = door.shared.answers<{ blob: Buffer; remaining_bytes: number }>("Maintenance.Snapshot", {});
    for await (const part of stream) {
      parts.push(part.blob);
      remaining = part.remaining_bytes;
    }
    const whole = Buffer.concat(parts);
    assert.ok(whole.length > BIG_VALUES * MEBIBYTE, `${whole.length} bytes`);
    assert.equal(remaining, 0);
    const digest = createHash("sha256").update(whole.subarray(0, -32)).digest();
    assert.ok(digest.equals(whole.subarray(-32)), "the digest at its end is not that of the bytes before it");
  },

  async "range-stream"(door) {
    const kvs: KeyValue[] = [];
    let chunks = 0;
    const stream = door.shared.answers<{ range_response: RangeAnswer }>("KV.RangeStream", door.bigRequest(0));
    for await (const part of stream) {
      kvs.push(...part.range_response.kvs);
      chunks += 1;
    }
    assert.ok(chunks > 1, `${chunks} chunks`);
    checkBig(kvs, BIG_VALUES);
  },

  async watch(door) {
    const { stream, answers, id } = await door.shared.startWatch(door.key("watch/"));
    const puts = range(20, async (worker) => {
      for (let i = 0; i < 100; i++) await door.put(`watch/${worker}-${i}`, door.key(`watch/${worker}-${i}`));
    });
    const events = readEvents(answers, 2_000, (_, kv) => assert.ok(kv.key.equals(kv.value), String(kv.key)));
    await Promise.all([events, ...puts]);
    stream.write({ cancel_request: { watch_id: id } });
    const canceled = (await answers.next()).value;
    assert.deepEqual([canceled?.canceled, canceled?.watch_id], [true, id]);
    stream.cancel();
    await expectStatus(grpc.status.CANCELLED, "", drain(answers));
  },

  async "watch-100-streams"(door) {
    const prefix = door.key("together/");
    const watches = await Promise.all(range(100, () => door.shared.startWatch(prefix)));
    await door.put("together/x", "seen");
    await Promise.all(
      watches.map(async ({ stream, answers }) => {
        await readEvents(answers, 1, (_, kv) => assert.equal(kv.value.toString(), "seen"));
        stream.cancel();
        await expectStatus(grpc.status.CANCELLED, "", drain(answers));
      }),
    );
  },

  async "lease-keep-alive"(door) {
    // An id of the server's choice is larger than a JavaScript number.
    const ID = 1 + Math.floor(Math.random() * 1_000_000);
    await door.shared.call("Lease.LeaseGrant", { TTL: 60, ID });
    const stream = door.shared.both<{ ID: number; TTL: number }>("Lease.LeaseKeepAlive");
    const answers = stream[Symbol.asyncIterator]();
    const ask = async (id: number, ttl: number): Promise<void> => {
      stream.write({ ID: id });
      const { value } = await answers.next();
      assert.deepEqual([value.ID, value.TTL], [id, ttl]);
    };
    for (let i = 0; i < 10; i++) await ask(ID, 60);
    await ask(987654321, 0);
    const status = new Promise<grpc.StatusObject>((resolve) => stream.once("status", resolve));
    stream.end();
    assert.equal((await answers.next()).done, true);
    assert.equal((await status).code, grpc.status.OK);
  },

  async "small-window"(door) {
    const narrow = door.narrow();
    try {
      let running = 16;
      const reads = range(16, () => door.readBig(8, narrow).finally(() => running--));
      let beside = 0;
      const puts = async (): Promise<void> => {
        for (; running > 0; beside++) await door.put("beside", "", {}, narrow);
      };
      await Promise.all([...reads, puts()]);
      assert.ok(beside >= 2, `only ${beside} small calls came through beside the large ones`);
    } finally {
      narrow.close();
    }
  },

  async "slow-watch"(door) {
    const narrow = door.narrow();
    const name = (i: number): string => `slow/${String(i).padStart(3, "0")}`;
    try {
      const { stream, answers } = await narrow.startWatch(door.key("slow/"));
      for (let i = 0; i < 256; i++) await door.put(name(i), filled(65_536, i));
      // The connection has a watch on it that nobody reads, and serves others all the same.
      await door.put("beside", "", {}, narrow);
      await readEvents(answers, 256, (i, kv) => {
        const isRight = kv.key.equals(door.key(name(i))) && kv.value.equals(filled(65_536, i));
        assert.ok(isRight, `event ${i} is of ${kv.key}, or its value changed`);
      });
      stream.cancel();
      await expectStatus(grpc.status.CANCELLED, "", drain(answers));
    } finally {
      narrow.close();
    }
  },

  async "cancel-unary"(door) {
    let canceled = 0;
    for (let round = 0; round < 40; round++) {
      const { call, answer } = door.shared.start("KV.Range", door.bigRequest(BIG_VALUES));
      const timer = setTimeout(() => call.cancel(), round / 2);
      try {
        await answer;
      } catch (error) {
        await expectStatus(grpc.status.CANCELLED, "", Promise.reject(error));
        canceled += 1;
      }
      clearTimeout(timer);
    }
    assert.ok(canceled >= 20, `only ${canceled} of 40 were canceled before they were answered`);
    await door.stillServes();
  },

  async "cancel-streams"(door) {
    for (let round = 0; round < 40; round++) {
      const parts = door.shared.answers("Maintenance.Snapshot", {});
      const blobs = parts[Symbol.asyncIterator]();
      await blobs.next();
      const { stream, answers } = await door.shared.startWatch(door.key("canceled/"));
      parts.cancel();
      stream.cancel();
      await expectStatus(grpc.status.CANCELLED, "", drain(blobs));
      await expectStatus(grpc.status.CANCELLED, "", drain(answers));
    }
    await door.stillServes();
  },

  async deadline(door) {
    const started = performance.now();
    const { answers } = await door.shared.startWatch(door.key("deadline/"), 2_000);
    await expectStatus(grpc.status.DEADLINE_EXCEEDED, "", drain(answers));
    const took = performance.now() - started;
    assert.ok(took > 1_900 && took < 10_000, `a watch with a deadline of 2 s ended after ${took} ms`);
    for (let round = 0; round < 20; round++) {
      const deadlineMs = 1 + Math.floor(round / 2);
      const call = door.shared.call("KV.Range", door.bigRequest(BIG_VALUES), { deadlineMs });
      await expectStatus(grpc.status.DEADLINE_EXCEEDED, "", call);
    }
    await door.stillServes();
  },

  async "calls-1000"(door) {
    await Promise.all(range(1_000, (i) => door.put(`load/${i}`, filled(100, i))));
    await Promise.all(
      range(1_000, async (i) => {
        const { kvs } = await door.get(`load/${i}`);
        assert.ok(kvs[0]?.value.equals(filled(100, i)), `key ${i}`);
      }),
    );
  },

  async "same-connection"(door) {
    let now: number[] = [];
    // The connections of other cases need a moment to go.
    for (let i = 0; i < 50; i++) {
      now = door.connectedPorts();
      if (door.ports.length === 1 && String(now) === String(door.ports)) return;
      await sleep(100);
    }
    assert.fail(`connected from ${door.ports} at first, from ${now} at last`);
  },
};

async function main(): Promise<number> {
  const authority = readFileSync(process.env["METASTORE_AUTHORITY"] ?? "");
  const doors = [
    ["plain", process.env["METASTORE_PLAIN"], grpc.credentials.createInsecure()],
    ["tls", process.env["METASTORE_TLS"], grpc.credentials.createSsl(authority)],
  ] as const;
  let passed = 0;
  let failed = 0;
  for (const [name, endpoint, credentials] of doors) {
    if (!endpoint) continue;
    const door = new Door(name, endpoint, credentials);
    for (const [title, run] of Object.entries(cases)) {
      try {
        await run(door);
        passed += 1;
        console.log(`ok ${name}: ${title}`);
      } catch (error) {
        failed += 1;
        console.log(`not ok ${name}: ${title}: ${String(error).replaceAll("\n", " ")}`);
      }
    }
    door.shared.close();
  }
  const { version } = createRequire(import.meta.url)("@grpc/grpc-js/package.json") as { version: string };
  console.log(`grpc-stack: @grpc/grpc-js ${version}`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

// Calls of a failed case must not keep the process.
process.exit(await main());
