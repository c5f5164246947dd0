import { lookup } from "node:dns/promises";
import { type AddressInfo, createServer as createTcpServer, isIP, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { assert } from "../../lib/assert.ts";
import { limits } from "../../lib/limits.ts";
import type { ListenAddress, TransportOptions } from "./transport.ts";

const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** "PRI" begins no other method: RFC 9113 keeps it for HTTP/2. */
const PREFACE_SURE_BYTES = 3;
/** Only its end: Node's parser judges the rest, and has an answer to it. */
const HTTP1_REQUEST_LINE = /HTTP\/1\.[01]\r?$/;

interface ListenerSinks {
  onHttp2(socket: Socket): void;
  onHttp1(socket: Socket): void;
}

/**
 * One listening address. Each connection must show within limits.protocolSniffMsMax whether it speaks HTTP/2 (all
 * of its preface) or something else (taken for HTTP/1.1); what was read is put back before it is handed on.
 */
class Listener {
  readonly #address: ListenAddress;
  readonly #options: Pick<TransportOptions, "clock" | "log">;
  readonly #sinks: ListenerSinks;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #undecided = new Set<Socket>();

  constructor(
    address: ListenAddress,
    options: Pick<TransportOptions, "clock" | "log">,
    sinks: ListenerSinks,
  ) {
    this.#address = address;
    this.#options = options;
    this.#sinks = sinks;
    this.#server = address.tls === undefined ? this.#createTcp() : this.#createTls(address.tls);
  }

  /** Binds; the port in use. Rejects with the system's error (EADDRINUSE, EACCES, ENOTFOUND). */
  async listen(): Promise<number> {
    const host = await addressOf(this.#address.host);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port: this.#address.port, ...(host === "" ? {} : { host }) }, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) =>
          this.#options.log.warn("accepting a connection failed", { error }),
        );
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more connections; those that have not shown their protocol are closed. */
  stopAccepting(): void {
    if (this.#server.listening) this.#server.close();
    for (const socket of this.#undecided) socket.destroy();
  }

  closeConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #createTcp(): Server {
    return createTcpServer({ noDelay: true }, (socket) => {
      this.#track(socket);
      this.#sniff(socket);
    });
  }

  #createTls(tls: NonNullable<ListenAddress["tls"]>): Server {
    const server = createTlsServer({
      cert: tls.cert,
      key: tls.key,
      ca: tls.clientCa,
      requestCert: tls.clientCa !== undefined,
      rejectUnauthorized: tls.clientCa !== undefined,
      ALPNProtocols: ["h2", "http/1.1"],
      minVersion: "TLSv1.2",
      handshakeTimeout: limits.protocolSniffMsMax,
      noDelay: true,
    });
    server.on("connection", (socket: Socket) => this.#track(socket));
    server.on("secureConnection", (socket) => {
      socket.on("error", (error) => this.#debugSocketError(error));
      this.#sniff(socket);
    });
    server.on("tlsClientError", (error, socket) => {
      this.#debugSocketError(error);
      socket.destroy();
    });
    return server;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", (error) => this.#debugSocketError(error));
  }

  #debugSocketError(error: Error): void {
    this.#options.log.debug("connection error", { error });
  }

  #sniff(socket: Socket): void {
    let seen: Buffer = Buffer.alloc(0);
    const timer = this.#options.clock.after(limits.protocolSniffMsMax, () => socket.destroy());
    this.#undecided.add(socket);
    const decided = (): void => {
      timer.cancel();
      this.#undecided.delete(socket);
      socket.off("readable", onReadable);
      socket.off("close", decided);
    };
    const onReadable = (): void => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const protocol = protocolOf(seen);
      if (protocol === undefined) return;
      decided();
      if (protocol === "broken") {
        socket.destroy();
        return;
      }
      socket.unshift(seen);
      if (protocol === "http2") this.#sinks.onHttp2(socket);
      else this.#sinks.onHttp1(socket);
    };
    socket.on("readable", onReadable);
    socket.on("close", decided);
  }
}

/** All listening addresses of a transport: `host` and `port` of its options first, then `alsoListen`. */
export class Listeners {
  readonly #listeners: readonly Listener[];
  #ports: readonly number[] = [];

  /** HTTP/1.1 goes to `options.onHttp1`, or is closed where there is none. */
  constructor(options: TransportOptions, onHttp2: (socket: Socket) => void) {
    const addresses = [{ host: options.host, port: options.port, tls: options.tls }, ...options.alsoListen];
    const onHttp1 = options.onHttp1 ?? ((socket: Socket) => socket.destroy());
    this.#listeners = addresses.map((address) => new Listener(address, options, { onHttp2, onHttp1 }));
  }

  /** In the order of the addresses; empty before listen() has resolved. */
  get ports(): readonly number[] {
    return this.#ports;
  }

  /** Binds them all, or none; the first one's port. Rejects with the system's error. */
  async listen(): Promise<number> {
    const ports: number[] = [];
    try {
      for (const listener of this.#listeners) ports.push(await listener.listen());
    } catch (error) {
      this.stopAccepting();
      throw error;
    }
    this.#ports = ports;
    const first = ports[0];
    assert(first !== undefined, "a transport has an address");
    return first;
  }

  stopAccepting(): void {
    for (const listener of this.#listeners) listener.stopAccepting();
  }

  closeConnections(): void {
    for (const listener of this.#listeners) listener.closeConnections();
  }
}

/** "broken": neither, as far as the beginning of the first line or all of it tells. Undefined: too little to tell. */
function protocolOf(seen: Buffer): "http2" | "http1" | "broken" | undefined {
  const length = Math.min(seen.length, HTTP2_PREFACE.length);
  const matches = seen.compare(HTTP2_PREFACE, 0, length, 0, length) === 0;
  if (matches) return length === HTTP2_PREFACE.length ? "http2" : undefined;
  const sure = Math.min(length, PREFACE_SURE_BYTES);
  if (length > sure && seen.compare(HTTP2_PREFACE, 0, sure, 0, sure) === 0) return "broken";
  const lineEnd = seen.indexOf("\n");
  return lineEnd <= 1 || HTTP1_REQUEST_LINE.test(seen.toString("latin1", 0, lineEnd)) ? "http1" : "broken";
}

/** The address to bind for `host`; of a name with several, an IPv4 one, as Go's listeners choose. */
async function addressOf(host: string): Promise<string> {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  if (bare === "" || isIP(bare) !== 0) return bare;
  const addresses = await lookup(bare, { all: true });
  const chosen = addresses.find((address) => address.family === 4) ?? addresses[0];
  return chosen?.address ?? bare;
}
