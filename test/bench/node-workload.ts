import { decodeWatchAnswer, Message, putMessage, RawClient } from "../harness/index.ts";
import { fieldsOf } from "../harness/wire.ts";

const CLIENTS_PER_CONNECTION = 20;
const PRELOAD_BATCH = 100;
const LIST_SIZE = 1_000;
const LEASE_TTL_SECONDS = 3_600;
const WATCHED_KEY = "bench-watched";
/** Puts that may be on their way to the watchers at once. */
const AHEAD_MAX = 8;

/** A load that runs; its calls count between begin() and end(). */
export interface Loop {
  begin(): void;
  end(): Promise<LoadPart>;
}

interface Settings {
  /** host:port, several separated by commas. */
  readonly endpoint: string;
  readonly keys: number;
  readonly value: string;
  readonly part: number;
}

/** What a load has measured when it ends. */
export interface LoadPart {
  readonly latenciesUs: readonly number[];
  readonly errors: number;
  readonly firstError?: string;
}

const keyOf = (index: number): string => `bench/${String(index).padStart(8, "0")}`;

export async function preload(client: RawClient, keys: number, value: string): Promise<void> {
  for (let first = 0; first < keys; first += PRELOAD_BATCH) {
    const count = Math.min(PRELOAD_BATCH, keys - first);
    await client.putAll(Array.from({ length: count }, (_, index) => [keyOf(first + index), value]));
  }
}

type Call = (client: RawClient, pick: number) => Promise<unknown>;

/** A lease and a stream of one client's own; a call is one message and its answer. */
async function keepAliveOf(client: RawClient): Promise<Call> {
  const grant = new Message().integer(1, LEASE_TTL_SECONDS);
  const answer = await client.call("/etcdserverpb.Lease/LeaseGrant", grant);
  let id = 0;
  for (const { field, integer } of fieldsOf(answer)) if (field === 2) id = integer;
  const stream = client.stream("/etcdserverpb.Lease/LeaseKeepAlive");
  const answers = stream[Symbol.asyncIterator]();
  const message = new Message().integer(1, id).encode();
  return async () => {
    stream.write(message);
    await answers.next();
  };
}

function callOf(workload: string, { keys, value }: Settings): Call {
  const key = (pick: number): string => keyOf(pick % keys);
  switch (workload) {
    case "put":
      return (client, pick) => client.put(key(pick), value);
    case "txn":
      return (client, pick) => client.call("/etcdserverpb.KV/Txn", compareAndPut(key(pick), value));
    case "range":
      return (client, pick) => client.range(key(pick));
    case "range-serializable":
      return (client, pick) =>
        client.call("/etcdserverpb.KV/Range", new Message().bytes(1, key(pick)).integer(7, 1));
    case "list":
      return (client, pick) => {
        const first = pick % (keys - LIST_SIZE + 1);
        const request = new Message().bytes(1, keyOf(first)).bytes(2, keyOf(first + LIST_SIZE));
        return client.call("/etcdserverpb.KV/Range", request);
      };
    case "lease":
      return (client) =>
        client.call("/etcdserverpb.Lease/LeaseGrant", new Message().integer(1, LEASE_TTL_SECONDS));
    default:
      throw new Error(`there is no workload ${workload}`);
  }
}

/** if version(key) > 0 then put and read back. */
function compareAndPut(key: string, value: string): Message {
  // result GREATER = 1, target VERSION = 0; the version compared with is 0 and so is left out.
  const compare = new Message().integer(1, 1).bytes(3, key);
  return new Message()
    .nested(1, compare)
    .nested(2, new Message().nested(2, putMessage(key, value, 0)))
    .nested(2, new Message().nested(1, new Message().bytes(1, key)));
}

/** To the endpoints in turn; to each of them when there are callers enough. */
function connectionsTo(endpoint: string, callers: number): RawClient[] {
  const endpoints = endpoint.split(",");
  const count = Math.max(Math.ceil(callers / CLIENTS_PER_CONNECTION), Math.min(callers, endpoints.length));
  return Array.from(
    { length: count },
    (_, index) => new RawClient(endpoints[index % endpoints.length] ?? ""),
  );
}

export function runWorkers(settings: Settings & { workload: string; clients: number }): Loop {
  const connections = connectionsTo(settings.endpoint, settings.clients);
  const latenciesUs: number[] = [];
  let [isMeasuring, isStopped, errors] = [false, false, 0];
  let firstError: string | undefined;
  const worker = async (index: number): Promise<void> => {
    const client = connections[index % connections.length] as RawClient;
    const isKeepAlive = settings.workload === "keep-alive";
    const call = isKeepAlive ? await keepAliveOf(client) : callOf(settings.workload, settings);
    let pick = (index * 2 + settings.part) * 7_919;
    while (!isStopped) {
      pick = (pick * 48_271 + 11) % 2_147_483_647;
      const began = performance.now();
      try {
        await call(client, pick);
        if (isMeasuring && !isStopped) latenciesUs.push(Math.round((performance.now() - began) * 1_000));
      } catch (error) {
        errors += 1;
        firstError ??= String(error);
      }
    }
  };
  const running = Array.from({ length: settings.clients }, (_, index) => worker(index));
  return {
    begin: () => {
      isMeasuring = true;
    },
    end: async () => {
      isStopped = true;
      await Promise.all(running);
      for (const client of connections) client.close();
      return { latenciesUs, errors, ...(firstError === undefined ? {} : { firstError }) };
    },
  };
}

/** Watch streams of one key; the first worker process also writes it, as fast as its own watchers follow. */
export async function runWatchers(settings: Settings & { watchers: number }): Promise<Loop> {
  const connections = connectionsTo(settings.endpoint, settings.watchers);
  const latenciesUs: number[] = [];
  let [isMeasuring, isStopped, errors, delivered] = [false, false, 0, 0];
  let firstError: string | undefined;
  const fail = (error: unknown): void => {
    if (isStopped) return;
    errors += 1;
    firstError ??= String(error);
  };
  const streams = await Promise.all(
    Array.from({ length: settings.watchers }, async (_, index) => {
      const stream = (connections[index % connections.length] as RawClient).watch(WATCHED_KEY);
      await new Promise<void>((resolve, reject) => {
        stream.once("data", () => resolve());
        stream.once("error", reject);
      });
      stream.on("error", fail);
      stream.on("data", (message: Buffer) => {
        const now = Date.now() * 1_000;
        for (const { kv } of decodeWatchAnswer(message).events) {
          delivered += 1;
          if (isMeasuring && !isStopped) latenciesUs.push(Math.max(0, now - Number(kv.value.slice(0, 16))));
        }
      });
      return stream;
    }),
  );
  const [first = ""] = settings.endpoint.split(",");
  const writer = new RawClient(first);
  const write = async (): Promise<void> => {
    for (let puts = 0; !isStopped; ) {
      if (puts * settings.watchers - delivered >= AHEAD_MAX * settings.watchers) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      await writer.put(WATCHED_KEY, String(Date.now() * 1_000).padStart(16, "0") + settings.value.slice(16));
      puts += 1;
    }
  };
  const writing = settings.part === 0 ? write().catch(fail) : Promise.resolve();
  return {
    begin: () => {
      isMeasuring = true;
    },
    end: async () => {
      isStopped = true;
      await writing;
      for (const stream of streams) stream.cancel();
      for (const client of [...connections, writer]) client.close();
      return { latenciesUs, errors, ...(firstError === undefined ? {} : { firstError }) };
    },
  };
}
