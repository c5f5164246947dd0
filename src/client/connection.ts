import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  connectivityState,
  credentials,
  type CallOptions as GrpcCallOptions,
  type Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { grpcCode } from "../lib/errors.ts";
import type { Endpoint } from "./endpoint.ts";
import type { TlsOptions } from "./options.ts";

export type DuplexCall = ClientDuplexStream<Buffer, Buffer>;
export type ReadCall = ClientReadableStream<Buffer>;

/** A call that did not end with OK; `isSent` is false only when its request surely never left this process. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  readonly grpc: number;
  readonly isSent: boolean;

  constructor(grpc: number, message: string, isSent: boolean) {
    super(message);
    this.grpc = grpc;
    this.isSent = isSent;
  }
}

/** What grpc-js says when it could not pick a connection to put the call on. */
const notSentText = /^(No connection established|Name resolution failed|Channel closed before call started)/;

const channelOptions = {
  // Lists and snapshots have no upper size; requests are limited by the server.
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // Twice the 5 s below which etcd's servers answer pings with GOAWAY.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // A pool of its own: closing the client closes its sockets.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
};

const identity = (bytes: Buffer): Buffer => bytes;

/** One HTTP/2 channel to one server; it dials on first use and again after every loss. */
export class Connection {
  readonly endpoint: Endpoint;
  readonly #client: Client;

  constructor(endpoint: Endpoint, tls: TlsOptions | undefined) {
    this.endpoint = endpoint;
    const isSecure = endpoint.secure ?? tls !== undefined;
    const channelCredentials = isSecure
      ? credentials.createSsl(tls?.ca ?? null, tls?.key ?? null, tls?.cert ?? null, {
          rejectUnauthorized: tls?.insecureSkipVerify !== true,
        })
      : credentials.createInsecure();
    this.#client = new Client(endpoint.target, channelCredentials, channelOptions);
  }

  /**
   * Waits until the channel is ready or has failed; a failed one answers the next call at once with its reason.
   *
   * @throws CallFailure when neither happens within `timeoutMs`: a server that drops packets
   */
  async settle(timeoutMs: number): Promise<void> {
    const channel = this.#client.getChannel();
    const deadlineMs = Date.now() + timeoutMs;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY || state === connectivityState.TRANSIENT_FAILURE) return;
      const changed = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, deadlineMs, (error) => resolve(error === undefined));
      });
      if (!changed) {
        throw new CallFailure(grpcCode.unavailable, `no connection within ${timeoutMs} ms`, false);
      }
    }
  }

  /** @throws CallFailure for every status but OK */
  unary(
    path: string,
    request: Buffer,
    metadata: Metadata,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const options: GrpcCallOptions = { deadline: deadlineMs };
      const onAbort = (): void => call.cancel();
      const call = this.#client.makeUnaryRequest(
        path,
        identity,
        identity,
        request,
        metadata,
        options,
        (error, response) => {
          signal?.removeEventListener("abort", onAbort);
          if (error) reject(toCallFailure(error));
          else resolve(response!);
        },
      );
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  duplex(path: string, metadata: Metadata): DuplexCall {
    return this.#client.makeBidiStreamRequest(path, identity, identity, metadata);
  }

  /** One request, answered by a stream. */
  read(path: string, request: Buffer, metadata: Metadata): ReadCall {
    return this.#client.makeServerStreamRequest(path, identity, identity, request, metadata);
  }

  close(): void {
    this.#client.close();
  }
}

/** What grpc-js says when the server resets a call: a server that shuts down hard, not a cancellation of ours. */
const resetByServerText = "Call cancelled";

export function toCallFailure(error: ServiceError): CallFailure {
  const message = error.details || error.message;
  if (error.code === grpcCode.canceled && message === resetByServerText) {
    return new CallFailure(grpcCode.unavailable, "the server reset the call", true);
  }
  return new CallFailure(error.code, message, !notSentText.test(message));
}
