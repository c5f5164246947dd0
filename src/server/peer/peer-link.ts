import type { OutgoingHttpHeaders } from "node:http";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Prng } from "../../lib/prng.ts";
import type { Peer } from "../node/index.ts";
import { type Message, messageType } from "../raft/index.ts";
import type { Dialer } from "./dialer.ts";
import { hexId } from "./headers.ts";
import type { PeerLimits } from "./limits.ts";
import { OutgoingStream } from "./outgoing-stream.ts";
import { type Channel, channels, type PeerObserver } from "./types.ts";

export interface PeerLinkOptions {
  readonly peer: Peer;
  readonly dialer: Dialer;
  readonly headers: () => OutgoingHttpHeaders;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly limits: PeerLimits;
  readonly log: Log;
  readonly observer: PeerObserver;
  /** Never called from within `send`: what is told may send again. */
  readonly onUnreachable: () => void;
  readonly onGone: () => void;
  readonly onRemoved: () => void;
}

/** The way to one peer: two streams, what is said of them in the log and in metrics, and who is told of losses. */
export class PeerLink {
  readonly id: bigint;
  readonly #options: PeerLinkOptions;
  readonly #streams: Readonly<Record<Channel, OutgoingStream>>;
  #urls: readonly string[];
  #isConnected = false;
  #isClosed = false;
  /** Failures that the log has heard of since the last connection. */
  readonly #said = new Set<string>();
  #isUnreachableDue = false;
  #unreachableToldMs = Number.NEGATIVE_INFINITY;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    this.id = options.peer.id;
    this.#urls = options.peer.peerUrls;
    this.#streams = { urgent: this.#createStream("urgent"), bulk: this.#createStream("bulk") };
  }

  get urls(): readonly string[] {
    return this.#urls;
  }

  /** Since when both streams have been up without a break. */
  get connectedSinceMs(): number | undefined {
    const urgent = this.#streams.urgent.connectedSinceMs;
    const bulk = this.#streams.bulk.connectedSinceMs;
    return urgent === undefined || bulk === undefined ? undefined : Math.max(urgent, bulk);
  }

  /** Whether nothing waits to leave for the peer. */
  get isIdle(): boolean {
    return channels.every((channel) => this.#streams[channel].isIdle);
  }

  start(): void {
    for (const channel of channels) this.#streams[channel].start();
  }

  send(message: Message): void {
    if (this.#streams[channelOf(message)].send(message)) return;
    this.#dropped();
  }

  setUrls(urls: readonly string[]): void {
    if (urls.length === this.#urls.length && urls.every((url, i) => url === this.#urls[i])) return;
    this.#urls = urls;
    this.#said.clear();
    for (const channel of channels) this.#streams[channel].setUrls(urls);
  }

  /** Lets what is queued leave; `close` does the rest. */
  end(): void {
    this.#isClosed = true;
    for (const channel of channels) this.#streams[channel].end();
  }

  close(): void {
    this.#isClosed = true;
    for (const channel of channels) this.#streams[channel].destroy();
  }

  #createStream(channel: Channel): OutgoingStream {
    const { peer, dialer, headers, clock, prng, limits, log, observer, onGone, onRemoved } = this.#options;
    const fields = { peer: hexId(peer.id), stream: channel };
    return new OutgoingStream({
      channel,
      urls: peer.peerUrls,
      dialer,
      headers,
      clock,
      prng,
      limits,
      sink: {
        connected: (url) => this.#connectionChanged(() => log.info("connected to peer", { ...fields, url })),
        lost: (url, reason) => {
          this.#connectionChanged(() => log.warn("lost the connection to peer", { ...fields, url, reason }));
          if (!this.#isClosed) this.#unreachable();
        },
        refused: (url, reason) => this.#sayOnce(`${url} ${reason}`, { ...fields, url, reason }),
        gone: () => {
          if (!this.#isClosed) onGone();
        },
        removed: onRemoved,
        sent: (bytes) => observer.sent(peer.id, bytes),
        oversized: (message) => {
          log.error("a message is too large for any frame and was dropped", {
            ...fields,
            type: message.type,
            entries: message.entries.length,
          });
          this.#dropped();
        },
        // Behind entries, the answer would tell how long those take.
        roundTrip: (durationMs) => {
          if (channel === "urgent") observer.roundTrip(peer.id, durationMs);
        },
      },
    });
  }

  #connectionChanged(say: () => void): void {
    const { observer } = this.#options;
    const isConnected = this.connectedSinceMs !== undefined;
    this.#unreachableToldMs = Number.NEGATIVE_INFINITY;
    if (isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    if (isConnected) {
      this.#said.clear();
      observer.connected(this.id);
    } else observer.disconnected(this.id);
    if (!this.#isClosed) say();
  }

  /** Retries are many, reasons are few. */
  #sayOnce(reason: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.#said.size >= 16 || this.#said.has(reason)) return;
    this.#said.add(reason);
    this.#options.log.warn("cannot connect to peer; trying again", fields);
  }

  #dropped(): void {
    this.#options.observer.sendFailed(this.id);
    this.#unreachable();
  }

  #unreachable(): void {
    const { clock, limits, onUnreachable } = this.#options;
    if (this.#isUnreachableDue) return;
    if (clock.nowMs() - this.#unreachableToldMs < limits.unreachableIntervalMs) return;
    this.#isUnreachableDue = true;
    clock.defer(() => {
      this.#isUnreachableDue = false;
      this.#unreachableToldMs = clock.nowMs();
      if (!this.#isClosed) onUnreachable();
    });
  }
}

/**
 * All of the log on one stream, the empty appends too: one that overtook entries would be taken for a gap. Everything
 * else is small and in a hurry.
 */
function channelOf(message: Message): Channel {
  return message.type === messageType.app || message.type === messageType.prop ? "bulk" : "urgent";
}
