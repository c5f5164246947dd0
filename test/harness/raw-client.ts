import { Client, type ClientDuplexStream, credentials, Metadata } from "@grpc/grpc-js";
import { decodeKeyValue, fieldsOf, Message, revisionOf, type WireKeyValue } from "./wire.ts";

const identity = (message: Buffer): Buffer => message;

export interface RangeAnswer {
  readonly revision: number;
  readonly kvs: readonly WireKeyValue[];
  readonly count: number;
  readonly more: boolean;
}

export interface WireEvent {
  readonly deleted: boolean;
  readonly kv: WireKeyValue;
}

export interface WatchAnswer {
  readonly watchId: number;
  readonly revision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly events: readonly WireEvent[];
}

/** Calls without any cleverness: no retry, no failover; an error is an error. */
export class RawClient {
  readonly #client: Client;

  constructor(endpoint: string, options: Record<string, number | string> = {}) {
    this.#client = new Client(endpoint, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      // Clients of one process would share a connection otherwise.
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  close(): void {
    this.#client.close();
  }

  call(path: string, message: Message | Buffer, timeoutMs = 10_000): Promise<Buffer> {
    const body = message instanceof Message ? message.encode() : message;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        identity,
        identity,
        body,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          if (error !== null) reject(error);
          else if (answer === undefined) reject(new Error("no answer and no error"));
          else resolve(answer);
        },
      );
    });
  }

  stream(path: string): ClientDuplexStream<Buffer, Buffer> {
    return this.#client.makeBidiStreamRequest(path, identity, identity);
  }

  /** Answers the revision of the write. */
  async put(key: string, value: string | Buffer, lease = 0): Promise<number> {
    return headerRevision(await this.call("/etcdserverpb.KV/Put", putMessage(key, value, lease)));
  }

  async delete(key: string, rangeEnd = ""): Promise<number> {
    const message = new Message().bytes(1, key).bytes(2, rangeEnd);
    return headerRevision(await this.call("/etcdserverpb.KV/DeleteRange", message));
  }

  /** One txn without compares that puts all of `pairs`; answers its revision. */
  async putAll(pairs: readonly (readonly [key: string, value: string])[]): Promise<number> {
    const txn = new Message();
    for (const [key, value] of pairs) txn.nested(2, new Message().nested(2, putMessage(key, value, 0)));
    return headerRevision(await this.call("/etcdserverpb.KV/Txn", txn));
  }

  async range(
    key: string,
    options: { rangeEnd?: string; limit?: number; revision?: number; timeoutMs?: number } = {},
  ): Promise<RangeAnswer> {
    const request = new Message().bytes(1, key).bytes(2, options.rangeEnd ?? "");
    request.integer(3, options.limit ?? 0).integer(4, options.revision ?? 0);
    const answer = await this.call("/etcdserverpb.KV/Range", request, options.timeoutMs);
    let [revision, count, more] = [0, 0, false];
    const kvs: WireKeyValue[] = [];
    for (const { field, integer, bytes } of fieldsOf(answer)) {
      if (field === 1) revision = revisionOf(bytes);
      else if (field === 2) kvs.push(decodeKeyValue(bytes));
      else if (field === 3) more = integer !== 0;
      else if (field === 4) count = integer;
    }
    return { revision, kvs, count, more };
  }

  /** How many keys there are in [key, rangeEnd). */
  async count(key: string, rangeEnd: string): Promise<number> {
    const request = new Message().bytes(1, key).bytes(2, rangeEnd).integer(9, 1);
    const answer = await this.call("/etcdserverpb.KV/Range", request);
    for (const { field, integer } of fieldsOf(answer)) if (field === 4) return integer;
    return 0;
  }

  /** Every key that starts with `prefix`, page by page at one revision. */
  async rangeAll(prefix: string, pageSize = 5_000): Promise<{ revision: number; kvs: WireKeyValue[] }> {
    const rangeEnd = prefixEnd(prefix);
    const first = await this.range(prefix, { rangeEnd, limit: pageSize });
    const kvs = [...first.kvs];
    for (let more = first.more; more; ) {
      const after = `${kvs.at(-1)?.key}\0`;
      const page = await this.range(after, { rangeEnd, limit: pageSize, revision: first.revision });
      kvs.push(...page.kvs);
      more = page.more;
    }
    return { revision: first.revision, kvs };
  }

  async compact(revision: number): Promise<void> {
    await this.call("/etcdserverpb.KV/Compact", new Message().integer(1, revision));
  }

  async grant(id: number, ttlSeconds: number): Promise<void> {
    await this.call("/etcdserverpb.Lease/LeaseGrant", new Message().integer(1, ttlSeconds).integer(2, id));
  }

  async revoke(id: number): Promise<void> {
    await this.call("/etcdserverpb.Lease/LeaseRevoke", new Message().integer(1, id));
  }

  async leases(): Promise<Set<number>> {
    const ids = new Set<number>();
    for (const { field, bytes } of fieldsOf(
      await this.call("/etcdserverpb.Lease/LeaseLeases", new Message()),
    )) {
      if (field === 2) for (const inner of fieldsOf(bytes)) if (inner.field === 1) ids.add(inner.integer);
    }
    return ids;
  }

  /** A Watch call with one watch on it; the caller reads answers with decodeWatchAnswer and cancels the stream. */
  watch(key: string, options: { rangeEnd?: string; startRevision?: number } = {}) {
    const stream = this.stream("/etcdserverpb.Watch/Watch");
    stream.write(watchCreate(key, options).encode());
    return stream;
  }
}

export function watchCreate(
  key: string,
  options: { rangeEnd?: string; startRevision?: number } = {},
): Message {
  const create = new Message().bytes(1, key).bytes(2, options.rangeEnd ?? "");
  return new Message().nested(1, create.integer(3, options.startRevision ?? 0));
}

export function decodeWatchAnswer(message: Buffer): WatchAnswer {
  let [watchId, revision, created, canceled, compactRevision] = [0, 0, false, false, 0];
  const events: WireEvent[] = [];
  for (const { field, integer, bytes } of fieldsOf(message)) {
    if (field === 1) revision = revisionOf(bytes);
    else if (field === 2) watchId = integer;
    else if (field === 3) created = integer !== 0;
    else if (field === 4) canceled = integer !== 0;
    else if (field === 5) compactRevision = integer;
    else if (field === 11) events.push(decodeEvent(bytes));
  }
  return { watchId, revision, created, canceled, compactRevision, events };
}

function decodeEvent(message: Buffer): WireEvent {
  let deleted = false;
  let kv = decodeKeyValue(Buffer.alloc(0));
  for (const { field, integer, bytes } of fieldsOf(message)) {
    if (field === 1) deleted = integer === 1;
    else if (field === 2) kv = decodeKeyValue(bytes);
  }
  return { deleted, kv };
}

export function putMessage(key: string, value: string | Buffer, lease: number): Message {
  return new Message().bytes(1, key).bytes(2, value).integer(3, lease);
}

/** The end of the range of all keys that start with a prefix of ASCII characters. */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

function headerRevision(answer: Buffer): number {
  for (const { field, bytes } of fieldsOf(answer)) if (field === 1) return revisionOf(bytes);
  throw new Error("the answer has no header");
}
