import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../../../lib/clock.ts";
import { limits } from "../../../lib/limits.ts";
import type { Log } from "../../../lib/log.ts";
import type { TransportTls } from "../transport.ts";
import { declaredLength } from "./body.ts";
import { inRequestOrder } from "./request-order.ts";

/** Where an endpoint listens: a host and port, or the path of a unix socket. */
export type HttpAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export interface HttpEndpointOptions {
  readonly listener: RequestListener;
  /** Undefined: the endpoint only serves the sockets that `serve` hands it. */
  readonly address: HttpAddress | undefined;
  readonly tls: TransportTls | undefined;
  /** Bodies declared larger than this are answered before the client is told to go on (Expect: 100-continue). */
  readonly bodyBytesMax: number;
  readonly clock: Clock;
  readonly log: Log;
  /** For tests; the limits of the product otherwise. In milliseconds. */
  readonly timeouts?: { readonly headersMs: number; readonly requestMs: number; readonly checkMs: number };
}

/** What is answered to requests that Node's parser refuses, by the code of its error. */
const refusals = new Map([
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", "413 Payload Too Large"],
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"],
]);

/**
 * One HTTP/1.1 server with the limits of a public socket: size of the headers, time for headers and for the whole
 * request, idle connections closed, answers to malformed requests, no exception that ends the process.
 */
export class HttpEndpoint {
  readonly #server: Server;
  readonly #address: HttpAddress | undefined;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor({ listener, address, tls, bodyBytesMax, clock, log, timeouts }: HttpEndpointOptions) {
    const options = {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: timeouts?.headersMs ?? limits.httpHeadersTimeoutMs,
      requestTimeout: timeouts?.requestMs ?? limits.httpRequestTimeoutMs,
      connectionsCheckingInterval: timeouts?.checkMs ?? 1_000,
      keepAliveTimeout: limits.httpKeepAliveTimeoutMs,
      requireHostHeader: true,
    };
    const ordered = inRequestOrder(listener);
    this.#address = address;
    this.#clock = clock;
    this.#log = log;
    this.#server =
      tls === undefined
        ? createServer(options, ordered)
        : createTlsServer(
            {
              ...options,
              cert: tls.cert,
              key: tls.key,
              minVersion: "TLSv1.2",
              handshakeTimeout: limits.httpHeadersTimeoutMs,
              ...(tls.clientCa === undefined
                ? {}
                : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
            },
            ordered,
          );
    this.#server.timeout = limits.httpSocketIdleTimeoutMs;
    this.#server.on("checkContinue", (req, res) => {
      if (declaredLength(req) <= bodyBytesMax) res.writeContinue();
      ordered(req, res);
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket));
    this.#server.on("tlsClientError", (error, socket) => {
      log.warn("rejected connection on client endpoint", {
        "remote-addr": socket.remoteAddress ?? "",
        error: error.message,
      });
    });
    // Node starts to enforce the two request time-outs when a server listens. One that is only handed sockets never
    // does, so it is told. endpoint.test.ts holds this to what Node really does.
    if (address === undefined) this.#server.emit("listening");
  }

  /** Binds; resolves with the port in use (0 for a unix socket). Rejects with Node's error, EADDRINUSE and so on. */
  listen(): Promise<number> {
    const address = this.#address;
    if (address === undefined) return Promise.resolve(0);
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(address, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) => this.#log.error("an HTTP listener failed", { error }));
        const bound = this.#server.address();
        resolve(isAddressInfo(bound) ? bound.port : 0);
      });
    });
  }

  /** Serves a connection that somebody else accepted: HTTP/1.1 on the gRPC port. */
  serve(socket: Duplex): void {
    this.#server.emit("connection", socket);
  }

  /** Lets running requests end within `graceMs`, then closes their connections. */
  close(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const hard = this.#clock.after(graceMs, () => this.#server.closeAllConnections());
      this.#server.close(() => {
        hard.cancel();
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === "ECONNRESET" || !socket.writable || hasAnswered(socket)) {
      socket.destroy();
      return;
    }
    const status = refusals.get(error.code ?? "") ?? "400 Bad Request";
    this.#log.debug("refused a malformed HTTP request", { error });
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    // Do not wait for a peer that keeps its side open.
    socket.once("finish", () => socket.destroy());
  }
}

/** Whether an answer has begun: a second status line in its middle would be taken for its body. */
function hasAnswered(socket: Duplex): boolean {
  const { bytesWritten } = socket as Partial<Socket>;
  return bytesWritten !== undefined && bytesWritten > 0;
}

function isAddressInfo(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}
