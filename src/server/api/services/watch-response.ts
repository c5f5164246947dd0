import { type Event, encodeEvent, encodeWatchResponse, type WatchResponse } from "../../../codec/index.ts";
import type { WatchDelivery, WatchEvent } from "../../mvcc/index.ts";
import { type HeaderSource, headerAt } from "../response-header.ts";

const noEvents: Event[] = [];

interface LastDelivery {
  readonly delivery: WatchDelivery;
  readonly encodedEvents: readonly Uint8Array[];
  readonly messages: readonly Buffer[];
}

/**
 * Watch deliveries as WatchResponse messages: each event encoded once for all its watchers, large responses split.
 *
 * The hub hands the same list of events to all watchers that see the same, one after the other, and most watchers
 * are the first of their stream: their whole message is then the same, and made once.
 */
export class WatchResponseEncoder {
  readonly #member: HeaderSource;
  readonly #fragmentBytesMax: number;
  #last: LastDelivery | undefined;

  /** `fragmentBytesMax`: a response of at least this size is split when its watcher asked for that (A5). */
  constructor(member: HeaderSource, fragmentBytesMax: number) {
    this.#member = member;
    this.#fragmentBytesMax = fragmentBytesMax;
  }

  /** One message, or the chain of fragments. */
  encode(delivery: WatchDelivery): readonly Buffer[] {
    if (delivery.events.length === 0) return this.#messagesOf(delivery, []);
    const last = this.#last;
    if (last === undefined || last.delivery.events !== delivery.events) {
      return this.#remember(delivery, delivery.events.map(encodedEvent));
    }
    if (isSameMessage(last.delivery, delivery)) return last.messages;
    return this.#remember(delivery, last.encodedEvents);
  }

  #remember(delivery: WatchDelivery, encodedEvents: readonly Uint8Array[]): readonly Buffer[] {
    const messages = this.#messagesOf(delivery, encodedEvents);
    this.#last = { delivery, encodedEvents, messages };
    return messages;
  }

  #messagesOf(delivery: WatchDelivery, events: readonly Uint8Array[]): Buffer[] {
    const response: WatchResponse = {
      header: headerAt(delivery.revision, this.#member),
      watchId: delivery.watchId,
      created: delivery.created,
      canceled: delivery.canceled,
      compactRevision: delivery.compactRevision,
      cancelReason: delivery.cancelReason,
      fragment: false,
      events: noEvents,
    };
    const whole = encodeWatchResponse(response, events);
    if (!delivery.fragment || events.length < 2 || whole.length < this.#fragmentBytesMax) return [whole];
    return this.#split(response, events);
  }

  /** Greedy: at least one event each, below the limit when there are more; all but the last say `fragment`. */
  #split(response: WatchResponse, events: readonly Uint8Array[]): Buffer[] {
    const fragment = { ...response, fragment: true };
    const emptyBytes = encodeWatchResponse(fragment, []).length;
    const messages: Buffer[] = [];
    let start = 0;
    while (start < events.length) {
      let end = start;
      let bytes = emptyBytes;
      for (; end < events.length; end++) {
        bytes += fieldBytes(events[end]?.length ?? 0);
        if (end > start && bytes >= this.#fragmentBytesMax) break;
      }
      messages.push(
        encodeWatchResponse(end === events.length ? response : fragment, events.slice(start, end)),
      );
      start = end;
    }
    return messages;
  }
}

function isSameMessage(a: WatchDelivery, b: WatchDelivery): boolean {
  return a.watchId === b.watchId && a.revision === b.revision && a.fragment === b.fragment;
}

function encodedEvent(event: WatchEvent): Uint8Array {
  event.encoded ??= encodeEvent(event.event);
  return event.encoded;
}

/** Bytes of an embedded message of `length` bytes under a field number below 16. */
function fieldBytes(length: number): number {
  let lengthBytes = 1;
  for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 0x80)) lengthBytes++;
  return 1 + lengthBytes + length;
}
