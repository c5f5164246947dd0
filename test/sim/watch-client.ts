import { EMPTY, fromUtf8 } from "../../src/lib/bytes.ts";
import type { WatchDelivery, WatchStream } from "../../src/server/mvcc/index.ts";
import type { WatchHistory, WatchSeen } from "../checkers/index.ts";
import type { ClientDoor } from "./client-door.ts";
import type { Random } from "./random.ts";
import { eventSeen } from "./requests.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { WorldMember } from "./world-member.ts";

/**
 * A watch that is never given up: when its stream breaks or its client tires of the member, it goes on at another
 * where it was. Sometimes it reads slowly.
 */
export class WatchClient {
  readonly #id: number;
  readonly #door: ClientDoor;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #isOver: () => boolean;
  readonly #key: string;
  readonly #rangeEnd: string;
  readonly #prevKv: boolean;
  readonly #startRevision: number;
  readonly #responses: WatchSeen[] = [];
  /** The next revision to ask for; 0 while nothing is known. */
  #next: number;
  #stream: { readonly member: WorldMember; readonly stream: WatchStream } | undefined;
  #epoch = 0;
  #isOpened = false;
  #isAtPeace = false;

  constructor(options: {
    readonly id: number;
    readonly door: ClientDoor;
    readonly time: VirtualTime;
    readonly random: Random;
    readonly isOver: () => boolean;
    readonly startRevision: number;
  }) {
    const { random } = options;
    this.#id = options.id;
    this.#door = options.door;
    this.#time = options.time;
    this.#random = random;
    this.#isOver = options.isOver;
    const [key, rangeEnd] = random.pick([
      ["k", "l"],
      ["k0", ""],
      ["a", "\0"],
      ["k1", "k3"],
    ] as const);
    this.#key = key;
    this.#rangeEnd = rangeEnd;
    this.#prevKv = random.chance(0.5);
    this.#startRevision = options.startRevision;
    this.#next = options.startRevision;
  }

  get history(): WatchHistory {
    return {
      client: this.#id,
      key: this.#key,
      rangeEnd: this.#rangeEnd,
      startRevision: this.#startRevision,
      prevKv: this.#prevKv,
      responses: this.#responses,
    };
  }

  /** Up to there nothing more can come: everything before it was delivered. */
  get nextRevision(): number {
    return this.#next;
  }

  async run(): Promise<void> {
    while (!this.#isOver()) {
      if (this.#stream === undefined || this.#stream.member.client === undefined) this.#open();
      else if (!this.#isAtPeace && this.#random.chance(0.1)) this.#close();
      else if (this.#random.chance(0.3)) this.#askProgress();
      await this.#door.sleep(this.#random.around(300));
    }
    this.#close();
  }

  /** Stays where it is from now on, and reads as fast as it can. */
  settle(): void {
    this.#isAtPeace = true;
  }

  /** At the end: it must have seen all there is. */
  finish(revision: number): void {
    if (this.#responses.length > 0) this.#see({ kind: "progress", atMs: this.#time.nowMs, revision });
  }

  #close(): void {
    const open = this.#stream;
    this.#stream = undefined;
    this.#epoch++;
    if (open !== undefined && !open.member.process.isKilled)
      open.member.process.run(() => open.stream.close());
  }

  #open(): void {
    this.#close();
    const member = this.#door.pick(this.#random);
    if (member === undefined) return;
    const epoch = this.#epoch;
    member.process.run(() => {
      const node = member.client;
      if (node === undefined || epoch !== this.#epoch) return;
      if (this.#isOpened && this.#next > 0)
        this.#see({ kind: "resumed", atMs: this.#time.nowMs, fromRevision: this.#next });
      this.#isOpened = true;
      let stream: WatchStream | undefined;
      stream = node.watchHub.openStream({
        send: (delivery) => {
          if (epoch === this.#epoch) this.#delivered(delivery);
          return this.#isAtPeace || !this.#isTooFast(member, () => stream?.resume());
        },
      });
      this.#stream = { member, stream };
      stream.create({
        key: fromUtf8(this.#key),
        rangeEnd: this.#rangeEnd === "" ? EMPTY : fromUtf8(this.#rangeEnd),
        startRevision: this.#next,
        progressNotify: true,
        filters: [],
        prevKv: this.#prevKv,
        watchId: 0,
        fragment: false,
      });
    });
  }

  /** Sometimes the client takes nothing for a while. */
  #isTooFast(member: WorldMember, resume: () => void): boolean {
    if (!this.#random.chance(0.02)) return false;
    member.process.post(this.#random.around(400), "slow reader", resume);
    return true;
  }

  #askProgress(): void {
    const open = this.#stream;
    if (open !== undefined) open.member.process.run(() => open.stream.requestProgress());
  }

  #delivered(delivery: WatchDelivery): void {
    const { revision, events } = delivery;
    const atMs = this.#time.nowMs;
    if (delivery.canceled) {
      this.#see({ kind: "compacted", atMs, compactRevision: delivery.compactRevision });
      this.#next = Math.max(this.#next, delivery.compactRevision);
      this.#stream = undefined;
      this.#epoch++;
    } else if (delivery.created) {
      this.#see({ kind: "created", atMs, revision });
      if (this.#next === 0) this.#next = revision + 1;
    } else if (events.length === 0) {
      this.#see({ kind: "progress", atMs, revision });
      this.#next = Math.max(this.#next, revision + 1);
    } else {
      this.#see({ kind: "events", atMs, revision, events: events.map(({ event }) => eventSeen(event)) });
      this.#next = Math.max(this.#next, events.at(-1)!.event.kv.modRevision + 1);
    }
  }

  #see(seen: WatchSeen): void {
    this.#responses.push(seen);
  }
}
