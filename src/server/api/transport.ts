import type { Duplex } from "node:stream";
import type { Clock } from "../../lib/clock.ts";
import type { GrpcCode } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Pending } from "../../lib/pending.ts";

/**
 * What a gRPC transport does for the services, in bytes: it knows paths, streams, deadlines, metadata and status,
 * and nothing of messages. @grpc/grpc-js stands behind it today, our own HTTP/2 will tomorrow; one suite
 * (test/suites/transport-suite.ts) runs over both.
 */
export interface CallContext {
  /** Lower-case request metadata; the first value of each key. Binary (`-bin`) keys are left out. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Milliseconds left by the caller's deadline when the call arrived; undefined when there is none. */
  readonly timeoutMs: number | undefined;
  /** Address of the caller, for logs. */
  readonly peer: string;
  /** Runs `fn` once when the caller cancels, its deadline passes or its connection is lost. */
  onCancel(fn: () => void): void;
  readonly isCancelled: boolean;
}

/** Answers one request with one message; throws RequestError or StatusError for any other outcome. */
export type UnaryHandler = (
  request: Buffer,
  context: CallContext,
) => Pending<Buffer> | Promise<Buffer> | Buffer;

/** The answering side of a streaming call. */
export interface ServerStream {
  readonly context: CallContext;
  /** Queues one message. False: the peer is slow, wait for onDrain before sending much more. */
  send(message: Buffer): boolean;
  /** Bytes queued and not yet taken by the peer. */
  readonly queuedBytes: number;
  /** Messages queued and not yet taken by the peer. */
  readonly queuedMessages: number;
  /**
   * Runs `fn` each time the queue has become short again after `send` said false. One listener; a later one takes
   * the place of an earlier one.
   */
  onDrain(fn: () => void): void;
  /** Ends the call with OK, or with the status of `error` (RequestError, StatusError, anything else = Unknown). */
  end(error?: Error): void;
}

/** A call where the peer streams too (bidi). Handlers attach onMessage and onHalfClose before they return. */
export interface DuplexStream extends ServerStream {
  onMessage(fn: (message: Buffer) => void): void;
  /** The peer will send no more; the call goes on. */
  onHalfClose(fn: () => void): void;
  /** Stops and resumes delivery of messages, so that a flood waits in the peer, not in memory. */
  pause(): void;
  resume(): void;
}

export type MethodHandler =
  | { readonly kind: "unary"; readonly handle: UnaryHandler }
  | { readonly kind: "serverStream"; readonly handle: (request: Buffer, stream: ServerStream) => void }
  | { readonly kind: "duplex"; readonly handle: (stream: DuplexStream) => void };

/** Path ("/etcdserverpb.KV/Range") to handler. */
export type MethodTable = ReadonlyMap<string, MethodHandler>;

export interface TransportOptions {
  readonly host: string;
  readonly port: number;
  readonly messageBytesMax: number;
  readonly headerBytesMax: number;
  readonly concurrentStreamsMax: number;
  readonly keepalive: { readonly minTimeMs: number; readonly intervalMs: number; readonly timeoutMs: number };
  readonly tls: TransportTls | undefined;
  /** Further addresses that serve the same methods (etcd --listen-client-urls is a list). */
  readonly alsoListen: readonly ListenAddress[];
  /**
   * Takes the connections that speak HTTP/1.1 on the same port, with what was read of them put back; undefined:
   * they are closed.
   */
  readonly onHttp1: ((socket: Duplex) => void) | undefined;
  readonly observer: TransportObserver | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** `host`: an address (IPv6 with or without brackets), a name, or "" for every interface. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: TransportTls | undefined;
}

/** The messages a stream may hold before `send` says false; the services' own limits are larger. */
export const sendQueueLimits = { bytesMax: 65_536, messagesMax: 64 } as const;

export interface TransportTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
}

export interface Transport {
  /** Binds; resolves with the port in use (useful with port 0). */
  listen(): Promise<number>;
  /** The ports in use, in the order host/port, alsoListen[0], ...; empty before listen() has resolved. */
  readonly ports: readonly number[];
  /** GOAWAY, then waits for open calls up to `graceMs`, then closes hard. */
  close(graceMs: number): Promise<void>;
}

export type TransportFactory = (methods: MethodTable, options: TransportOptions) => Transport;

/** Counts what crosses the transport, for etcd_network_client_grpc_* and grpc_server_* metrics. */
export interface TransportObserver {
  started(path: string, metadata: CallContext["metadata"]): void;
  handled(path: string, code: GrpcCode, durationMs: number): void;
  received(path: string, bytes: number): void;
  sent(path: string, bytes: number): void;
}
