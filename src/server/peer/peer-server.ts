import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { CHANNEL_HEADER, hexId, paths, STREAM_PROTOCOL } from "./headers.ts";
import { HostLookup } from "./host-lookup.ts";
import { type Answer, jsonAnswer, send, sendRaw, textAnswer } from "./http-answers.ts";
import type { PeerLimits } from "./limits.ts";
import { encodeMembers } from "./members-json.ts";
import {
  type Channel,
  channels,
  type PeerIdentity,
  type PeerListenAddress,
  type PeerStatus,
  type PeerTls,
  type PeerVersions,
} from "./types.ts";

/** Whether a request between members may come in; when not, it was answered in the log already. */
export type Admission =
  | { readonly from: bigint }
  | { readonly from: undefined; readonly status: number; readonly text: string };

export interface PeerServerOptions {
  readonly identity: PeerIdentity;
  readonly tls: PeerTls | undefined;
  readonly versions: PeerVersions;
  readonly status: () => PeerStatus;
  readonly clock: Clock;
  readonly limits: PeerLimits;
  readonly log: Log;
  readonly admit: (request: IncomingMessage) => Admission;
  readonly onStream: (from: bigint, channel: Channel, socket: Socket, head: Buffer) => void;
  /** Answers by itself. Called before "100 Continue" was sent: the sender waits for it. */
  readonly onSnapshot: (from: bigint, request: IncomingMessage, response: ServerResponse) => void;
  readonly onCall: (from: bigint, method: string, request: IncomingMessage, response: ServerResponse) => void;
}

/**
 * The listeners for other members: plain HTTP/1.1 answers, and peer traffic, on the same port (etcd http.md section
 * 6). Who may speak is decided before a body is read. Nothing that comes in ends the process.
 */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Duplex>();

  constructor(options: PeerServerOptions) {
    this.#options = options;
  }

  /** Binds all addresses; the ports in use. Rejects with the system's error (EADDRINUSE), with nothing left open. */
  async listen(addresses: readonly PeerListenAddress[]): Promise<number[]> {
    try {
      const ports: number[] = [];
      for (const address of addresses) ports.push(await this.#listenAt(address));
      return ports;
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /** Takes nothing new, lets requests that run end within `graceMs`, then closes their connections. */
  async close(graceMs: number): Promise<void> {
    const closed = Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeIdleConnections();
          }),
      ),
    );
    const timer = this.#options.clock.after(graceMs, () => this.#destroySockets());
    if (graceMs === 0) this.#destroySockets();
    await closed;
    timer.cancel();
  }

  #destroySockets(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listenAt(address: PeerListenAddress): Promise<number> {
    const host = await new HostLookup().bindAddress(address.host);
    const server = this.#create(address);
    return await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port: address.port, host }, () => {
        server.off("error", reject);
        server.on("error", (error) => this.#options.log.error("a peer listener failed", { error }));
        this.#servers.push(server);
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  #create(address: PeerListenAddress): Server {
    const { limits, tls } = this.#options;
    const options = {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      // Bodies have clocks of their own: a snapshot may take hours, the body of a call may not.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      requireHostHeader: true,
      noDelay: true,
    };
    let server: Server;
    if (!address.isTls) server = createServer(options);
    else {
      if (tls === undefined) throw new Error("a TLS listener for peers needs a certificate and a key");
      server = createTlsServer({
        ...options,
        cert: tls.cert,
        key: tls.key,
        minVersion: "TLSv1.2",
        handshakeTimeout: limits.headersTimeoutMs,
        requestCert: tls.isClientCertRequired,
        rejectUnauthorized: tls.isClientCertRequired,
        ...(tls.trustedCa === undefined ? {} : { ca: tls.trustedCa }),
      });
    }
    server.maxConnections = limits.connectionsMax;
    this.#attach(server);
    return server;
  }

  #attach(server: Server): void {
    const { log } = this.#options;
    const track = (socket: Duplex): void => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", (error) => log.debug("peer connection error", { error }));
    };
    server.on("connection", track);
    server.on("secureConnection", track);
    server.on("request", (request, response) => this.#onRequest(request, response));
    // The sender of a snapshot waits for leave; every other body is small and may come at once.
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      if (request.url !== paths.snapshot) response.writeContinue();
      this.#onRequest(request, response);
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#onUpgrade(request, socket, head),
    );
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
      log.debug("refused a malformed request of a peer", { error });
      if (socket.writable && (socket as Partial<Socket>).bytesWritten === 0) {
        sendRaw(socket, badRequest);
      } else socket.destroy();
    });
    server.on("tlsClientError", (error: Error, socket: Socket) => {
      log.warn("rejected connection on peer endpoint", {
        "remote-addr": socket.remoteAddress ?? "",
        error: error.message,
      });
      // Node would have it answered as a bad request, which waits for the end of the handshake: for ever.
      socket.destroy();
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { clock } = this.#options;
    request.on("error", () => {});
    response.on("error", () => {});
    const path = request.url ?? "";
    const isCall = path.startsWith(paths.call);
    if (!isCall && path !== paths.snapshot) {
      const answer = path === paths.stream ? upgradeRequired : this.#plainAnswer(request.method ?? "", path);
      send(request, response, answer, clock);
      return;
    }
    if (request.method !== "POST") {
      send(request, response, postOnly, clock);
      return;
    }
    const admission = this.#options.admit(request);
    if (admission.from === undefined) {
      send(request, response, textAnswer(admission.status, admission.text), clock);
    } else if (isCall) this.#options.onCall(admission.from, path.slice(paths.call.length), request, response);
    else this.#options.onSnapshot(admission.from, request, response);
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = request.url ?? "";
    if (path !== paths.stream) {
      // Some clients offer HTTP/2 that way; the offer is passed over.
      sendRaw(socket, this.#plainAnswer(request.method ?? "", path));
      return;
    }
    const channel = channels.find((each) => each === request.headers[CHANNEL_HEADER]);
    if (request.method !== "GET" || request.headers.upgrade !== STREAM_PROTOCOL || channel === undefined) {
      sendRaw(socket, upgradeRequired);
      return;
    }
    const admission = this.#options.admit(request);
    if (admission.from === undefined) {
      sendRaw(socket, textAnswer(admission.status, admission.text));
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${STREAM_PROTOCOL}\r\n\r\n`,
    );
    this.#options.onStream(admission.from, channel, socket as Socket, head);
  }

  #plainAnswer(method: string, target: string): Answer {
    const path = target.split("?", 1)[0] ?? "";
    if (path !== "/version" && path !== "/members" && path !== "/health") return notFound;
    if (method !== "GET" && method !== "HEAD") return methodNotAllowed;
    const { versions, identity } = this.#options;
    if (path === "/version") {
      return jsonAnswer(200, versionsJson(versions));
    }
    const status = this.#options.status();
    if (path === "/members") {
      const headers = { "X-Etcd-Cluster-ID": hexId(identity.clusterId) };
      return jsonAnswer(200, encodeMembers(status.members()), headers);
    }
    return status.isHealthy
      ? jsonAnswer(200, '{"health":"true","reason":""}')
      : jsonAnswer(503, '{"health":"false","reason":"this member cannot serve"}');
  }
}

const badRequest = textAnswer(400, "400 Bad Request");
const notFound = textAnswer(404, "404 page not found");
const methodNotAllowed = textAnswer(405, "Method Not Allowed", { Allow: "GET" });
const postOnly = textAnswer(405, "Method Not Allowed", { Allow: "POST" });
const upgradeRequired = textAnswer(
  426,
  `upgrade to ${STREAM_PROTOCOL}, and name the stream in ${CHANNEL_HEADER}`,
  { Upgrade: STREAM_PROTOCOL },
);

function versionsJson({ server, cluster, storage }: PeerVersions): string {
  return JSON.stringify({ etcdserver: server, etcdcluster: cluster, storage });
}
