import type { Duplex } from "node:stream";
import type { Timer } from "../../../lib/clock.ts";
import { createDeferred } from "../../../lib/deferred.ts";
import { grpcCode } from "../../../lib/errors.ts";
import { limits } from "../../../lib/limits.ts";
import { Listeners } from "../listener.ts";
import type { MethodTable, Transport, TransportOptions } from "../transport.ts";
import { unknownPathText } from "../unknown-path.ts";
import { Connection, type ConnectionHooks } from "./connection.ts";
import { HttpStream } from "./http-stream.ts";
import { RefusedCall } from "./refused-call.ts";
import type { RequestHead } from "./request-head.ts";
import { StreamCall } from "./stream-call.ts";
import { UnaryCall } from "./unary-call.ts";
import type { StreamHost, WireStream } from "./wire-stream.ts";

/** How long the answer to a PING waits for another to leave with; the shortest that a timer waits. */
const LATE_FLUSH_MS = 1;

/** Our own HTTP/2 as a Transport: DESIGN.md. */
export class WireTransport implements Transport, ConnectionHooks {
  readonly #methods: MethodTable;
  readonly #services: ReadonlySet<string>;
  readonly #options: TransportOptions;
  readonly #listeners: Listeners;
  readonly #connections = new Set<Connection>();
  #toFlush: Connection[] = [];
  #toFlushLate: Connection[] = [];
  #sweep: Timer | undefined;
  #isClosing = false;
  #onAllClosed: () => void = () => {};

  constructor(methods: MethodTable, options: TransportOptions) {
    this.#methods = methods;
    this.#options = options;
    this.#services = new Set([...methods.keys()].map((path) => path.slice(1, path.lastIndexOf("/"))));
    this.#listeners = new Listeners(options, (socket) =>
      this.connect(socket, `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`),
    );
  }

  get ports(): readonly number[] {
    return this.#listeners.ports;
  }

  listen(): Promise<number> {
    return this.#listeners.listen();
  }

  /** Serves a connection of HTTP/2 that somebody else accepted; its preface is still to come. */
  connect(socket: Duplex, peer: string): void {
    if (this.#isClosing) {
      socket.destroy();
      return;
    }
    const { clock, keepalive } = this.#options;
    this.#connections.add(new Connection(socket, peer, this.#options, this));
    this.#sweep ??= clock.every(Math.min(limits.connectionSilenceMsMax, keepalive.intervalMs), () => {
      for (const connection of this.#connections) connection.sweep();
    });
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    this.#listeners.stopAccepting();
    for (const connection of [...this.#connections]) connection.goAway();
    if (this.#connections.size > 0) {
      const allClosed = createDeferred<void>();
      this.#onAllClosed = allClosed.resolve;
      const timer = this.#options.clock.after(graceMs, allClosed.resolve);
      await allClosed.promise;
      timer.cancel();
    }
    this.#sweep?.cancel();
    this.#sweep = undefined;
    for (const connection of [...this.#connections]) connection.destroy();
    this.#listeners.closeConnections();
  }

  accept(host: StreamHost, id: number, head: RequestHead): WireStream | undefined {
    const options = this.#options;
    if (!head.isGrpc) {
      if (options.onHttp1 === undefined) return new RefusedCall(host, id, head, [":status", "415"]);
      if (host.plainRequests >= limits.http2PlainRequestsMax) return undefined;
      return new HttpStream(host, id, head, options.onHttp1, options.clock, options.log);
    }
    const handler = this.#methods.get(head.path);
    // Not observed: the path is the caller's invention and would become a label of the metrics.
    if (handler === undefined) {
      return RefusedCall.withStatus(host, id, head, {
        code: grpcCode.unimplemented,
        text: unknownPathText(head.path, this.#services),
      });
    }
    return handler.kind === "unary"
      ? new UnaryCall(host, id, head, options, handler.handle)
      : new StreamCall(host, id, head, options, handler);
  }

  /** One write per connection and turn of the loop: what the turn's reads have asked is answered together. */
  requestFlush(connection: Connection): void {
    this.#toFlush.push(connection);
    if (this.#toFlush.length === 1) this.#options.clock.defer(this.#flush);
  }

  /**
   * Within a millisecond. grpc-go sends a PING with nearly every answer it reads, and each answer to one by itself is a
   * write here and a read there; the answer to the next call takes it along.
   */
  requestLateFlush(connection: Connection): void {
    this.#toFlushLate.push(connection);
    if (this.#toFlushLate.length === 1) this.#options.clock.after(LATE_FLUSH_MS, this.#flushLate);
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onAllClosed();
  }

  readonly #flush = (): void => {
    const connections = this.#toFlush;
    this.#toFlush = [];
    // Whoever waits for the answer to a call goes before those who are told of events, of which there may be thousands.
    const later: Connection[] = [];
    for (const connection of connections) {
      if (connection.hasAnswer) connection.flush();
      else later.push(connection);
    }
    for (const connection of later) connection.flush();
  };

  readonly #flushLate = (): void => {
    const connections = this.#toFlushLate;
    this.#toFlushLate = [];
    for (const connection of connections) connection.flushLate();
  };
}
