import type {
  KeyValueSeen,
  ModelRequest,
  ModelResponse,
  Operation,
  SerializableRead,
  WriteOrRead,
} from "../checkers/index.ts";
import type { CallOutcome, ClientDoor } from "./client-door.ts";
import type { Random } from "./random.ts";
import { keyValueSeen, leaseId, rangeRequest, txnRequest, txnResponse } from "./requests.ts";
import type { ClientSide } from "./seams.ts";
import type { VirtualTime } from "./virtual-time.ts";

export const CALL_TIMEOUT_MS = 9_000;

/** What clients saw, for the checkers. */
export interface Recorder {
  readonly operations: Operation[];
  readonly serializable: SerializableRead[];
}

/** Does a request on a member, and says it as checkers read it. */
export async function perform(node: ClientSide, request: ModelRequest): Promise<ModelResponse> {
  switch (request.kind) {
    case "range": {
      await node.readBarrier();
      const answer = node.kv.range(rangeRequest(request.key, request.rangeEnd, request.revision));
      const response = answer instanceof Promise ? await answer : answer;
      return { kind: "range", revision: response.header?.revision ?? 0, kvs: response.kvs.map(keyValueSeen) };
    }
    case "txn":
      return txnResponse(await node.propose<"txn">({ kind: "txn", request: txnRequest(request) }));
    case "leaseGrant": {
      const { header } = await node.leaseGrant(leaseId(request.lease), request.ttlSeconds);
      return { kind: "done", revision: header?.revision ?? 0 };
    }
    case "leaseRevoke": {
      const { header } = await node.propose<"leaseRevoke">({
        kind: "leaseRevoke",
        request: { id: leaseId(request.lease) },
      });
      return { kind: "done", revision: header?.revision ?? 0 };
    }
    case "compaction": {
      const { header } = await node.propose<"compaction">({
        kind: "compaction",
        request: { revision: request.revision, physical: false },
      });
      return { kind: "done", revision: header?.revision ?? 0 };
    }
  }
}

/** One operation of one client, recorded. */
export async function recorded(
  context: { readonly door: ClientDoor; readonly time: VirtualTime; readonly recorder: Recorder },
  client: number,
  random: Random,
  request: ModelRequest,
): Promise<ModelResponse | undefined> {
  const { door, time, recorder } = context;
  const member = door.pick(random);
  if (member === undefined) return undefined;
  const callMs = time.nowMs;
  const outcome = await door.call(member, (node) => perform(node, request), CALL_TIMEOUT_MS);
  const response = responseOf(outcome);
  if (outcome.kind === "failed") return undefined;
  const returnMs = response === undefined ? Number.POSITIVE_INFINITY : time.nowMs;
  recorder.operations.push({ client, callMs, returnMs, request, response });
  return response;
}

function responseOf(outcome: CallOutcome<ModelResponse>): ModelResponse | undefined {
  if (outcome.kind === "answered") return outcome.value;
  return outcome.kind === "refused" ? { kind: "refused", error: outcome.error.message } : undefined;
}

/** A client that does one thing after the other, of all kinds, with few keys and values of its own. */
export class KvClient {
  readonly #id: number;
  readonly #context: {
    readonly door: ClientDoor;
    readonly time: VirtualTime;
    readonly recorder: Recorder;
  };
  readonly #random: Random;
  readonly #keys: readonly string[];
  readonly #thinkMs: number;
  readonly #isOver: () => boolean;
  #values = 0;
  #revisionSeen = 1;
  readonly #seen = new Map<string, KeyValueSeen>();

  constructor(options: {
    readonly id: number;
    readonly door: ClientDoor;
    readonly time: VirtualTime;
    readonly recorder: Recorder;
    readonly random: Random;
    readonly keys: number;
    readonly thinkMs: number;
    readonly isOver: () => boolean;
  }) {
    this.#id = options.id;
    this.#context = options;
    this.#random = options.random;
    this.#keys = Array.from({ length: options.keys }, (_, i) => `k${i}`);
    this.#thinkMs = options.thinkMs;
    this.#isOver = options.isOver;
  }

  async run(): Promise<void> {
    while (!this.#isOver()) {
      await this.#context.door.sleep(this.#random.around(this.#thinkMs));
      if (this.#isOver()) return;
      if (this.#random.chance(0.1)) await this.#readSerializable();
      else this.#learn(await recorded(this.#context, this.#id, this.#random, this.#draw()));
    }
  }

  /** Whatever one member has, at once. */
  async #readSerializable(): Promise<void> {
    const { door, time, recorder } = this.#context;
    const member = door.pick(this.#random);
    if (member === undefined) return;
    const callMs = time.nowMs;
    const work = async (node: ClientSide) =>
      node.kv.range({ ...rangeRequest("k", "l", 0), serializable: true });
    const outcome = await door.call(member, work, CALL_TIMEOUT_MS);
    if (outcome.kind !== "answered") return;
    const { header, kvs } = outcome.value;
    recorder.serializable.push({
      ...{ client: this.#id, callMs, returnMs: time.nowMs, key: "k", rangeEnd: "l" },
      revision: header?.revision ?? 0,
      kvs: kvs.map(keyValueSeen),
    });
  }

  #learn(response: ModelResponse | undefined): void {
    if (response === undefined || response.kind === "refused") return;
    this.#revisionSeen = Math.max(this.#revisionSeen, response.revision);
    const lists = response.kind === "range" ? [response.kvs] : [];
    if (response.kind === "txn") {
      for (const result of response.results) if (result.kind === "range") lists.push(result.kvs);
    }
    for (const kv of lists.flat()) this.#seen.set(kv.key, kv);
  }

  #draw(): ModelRequest {
    const random = this.#random;
    const key = random.pick(this.#keys);
    const put = (): WriteOrRead => ({ kind: "put", key, value: `${this.#id}.${this.#values++}`, lease: "" });
    const range: WriteOrRead = { kind: "range", key, rangeEnd: "" };
    const draw = random.below(100);
    if (draw < 25) return { kind: "txn", compares: [], success: [put()], failure: [] };
    if (draw < 33) {
      const rangeEnd = random.chance(0.2) ? "l" : "";
      return { kind: "txn", compares: [], success: [{ kind: "delete", key, rangeEnd }], failure: [] };
    }
    if (draw < 50) {
      const equals = this.#seen.get(key)?.modRevision ?? 0;
      const compares = [{ key, target: "modRevision" as const, equals }];
      return { kind: "txn", compares, success: [put()], failure: [range] };
    }
    if (draw < 55) {
      const other = random.pick(this.#keys);
      const value = `${this.#id}.${this.#values++}`;
      const second: WriteOrRead = { kind: "put", key: other, value, lease: "" };
      const success = other === key ? [put(), range] : [put(), second, range];
      return { kind: "txn", compares: [], success, failure: [] };
    }
    if (draw < 58)
      return { kind: "compaction", revision: Math.max(1, this.#revisionSeen - random.below(30)) };
    if (draw < 65) {
      return { kind: "range", key: "k", rangeEnd: "l", revision: 1 + random.below(this.#revisionSeen + 1) };
    }
    if (draw < 75) return { kind: "range", key: "k", rangeEnd: "l", revision: 0 };
    return { kind: "range", key, rangeEnd: "", revision: 0 };
  }
}
