import { setTimeout as sleep } from "node:timers/promises";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import {
  decodeWatchResponse,
  encodeWatchRequest,
  eventType,
  type WatchResponse,
} from "../../../src/codec/index.ts";
import { fromUtf8 } from "../../../src/lib/bytes.ts";
import { createPrng, type Prng } from "../../../src/lib/prng.ts";
import type { EventSeen, WatchSeen } from "../../checkers/index.ts";
import { RawClient } from "../../harness/index.ts";
import type { Cluster, Member } from "../harness/index.ts";
import { seenMessage } from "./execute.ts";
import type { Recorder } from "./recorder.ts";

export interface WatchClientOptions {
  readonly cluster: Cluster;
  readonly recorder: Recorder;
  readonly seed: number;
  readonly key: string;
  readonly rangeEnd: string;
  readonly startRevision: () => number;
  readonly prevKv: boolean;
  readonly onEvents?: (events: readonly EventSeen[], atMs: number) => void;
}

/** Streams are left for another member after so long at most: a watch must survive that at any revision. */
const STAY_MS = 6_000;

/** One watch after another, each resumed on any member whenever its stream breaks, written down as it comes. */
export class WatchClient {
  readonly #options: WatchClientOptions;
  readonly #prng: Prng;
  readonly #client: number;
  #stream: ClientDuplexStream<Buffer, Buffer> | undefined;
  #isStopped = false;
  eventCount = 0;
  resumeCount = 0;
  compactedCount = 0;

  constructor(options: WatchClientOptions) {
    this.#options = options;
    this.#prng = createPrng(options.seed);
    this.#client = options.recorder.newClient();
  }

  async run(): Promise<void> {
    while (!this.#isStopped) await this.#watch();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stream?.cancel();
  }

  /** From its creation until compaction takes what it needs, or the end of the run. */
  async #watch(): Promise<void> {
    const { recorder, key, rangeEnd, prevKv } = this.#options;
    const startRevision = this.#options.startRevision();
    const responses: WatchSeen[] = [];
    recorder.watches.push({ client: this.#client, key, rangeEnd, startRevision, prevKv, responses });
    const place = { nextRevision: startRevision, isOver: false };
    while (!this.#isStopped && !place.isOver) {
      const member = this.#pick();
      if (member !== undefined) await this.#stay(member, place, responses);
      await sleep(10 + this.#prng.below(40));
      if (this.#isStopped || place.isOver || place.nextRevision === 0 || responses.length === 0) continue;
      this.resumeCount += 1;
      responses.push({ kind: "resumed", atMs: performance.now(), fromRevision: place.nextRevision });
    }
  }

  /** One stream to one member, until it breaks or its time is over. */
  #stay(
    member: Member,
    place: { nextRevision: number; isOver: boolean },
    responses: WatchSeen[],
  ): Promise<void> {
    const { key, rangeEnd, prevKv } = this.#options;
    const client = new RawClient(member.endpoint, { "grpc.max_reconnect_backoff_ms": 500 });
    const stream = client.stream("/etcdserverpb.Watch/Watch");
    this.#stream = stream;
    return new Promise((resolve) => {
      const timer = setTimeout(() => stream.cancel(), 500 + this.#prng.below(STAY_MS));
      let isEnded = false;
      const end = (): void => {
        if (isEnded) return;
        isEnded = true;
        clearTimeout(timer);
        stream.cancel();
        client.close();
        resolve();
      };
      stream.on("error", end);
      stream.on("end", end);
      stream.on("data", (message: Buffer) => {
        if (isEnded) return;
        const seen = this.#receive(decodeWatchResponse(message), place);
        if (seen !== undefined) responses.push(seen);
        if (seen === undefined || place.isOver) end();
      });
      stream.write(
        encodeWatchRequest({
          case: "create",
          request: {
            key: fromUtf8(key),
            rangeEnd: fromUtf8(rangeEnd),
            startRevision: place.nextRevision,
            progressNotify: true,
            filters: [],
            prevKv,
            watchId: 0,
            fragment: false,
          },
        }),
      );
    });
  }

  /** undefined: the server ended the watch for a reason that is none of the watch's. */
  #receive(response: WatchResponse, place: { nextRevision: number; isOver: boolean }): WatchSeen | undefined {
    const atMs = performance.now();
    const revision = response.header?.revision ?? 0;
    if (response.compactRevision > 0) {
      place.isOver = true;
      this.compactedCount += 1;
      return { kind: "compacted", atMs, compactRevision: response.compactRevision };
    }
    if (response.canceled) return undefined;
    if (response.created) {
      if (place.nextRevision === 0) place.nextRevision = revision + 1;
      return { kind: "created", atMs, revision };
    }
    if (response.events.length === 0) {
      place.nextRevision = Math.max(place.nextRevision, revision + 1);
      return { kind: "progress", atMs, revision };
    }
    const events = response.events.map(
      (event): EventSeen => ({
        type: event.type === eventType.delete ? "delete" : "put",
        kv: seenMessage(event.kv),
        prev: event.prevKv === undefined ? undefined : seenMessage(event.prevKv),
      }),
    );
    this.eventCount += events.length;
    place.nextRevision = Math.max(place.nextRevision, events.at(-1)!.kv.modRevision + 1);
    this.#options.onEvents?.(events, atMs);
    return { kind: "events", atMs, revision, events };
  }

  #pick(): Member | undefined {
    const { upMembers } = this.#options.cluster;
    return upMembers[this.#prng.below(upMembers.length)];
  }
}
