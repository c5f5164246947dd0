import { connect, createServer, type Server, type Socket } from "node:net";
import type { Prng } from "../../../src/lib/prng.ts";
import { Flow } from "./flow.ts";
import type { LinkFault, Links } from "./links.ts";

export interface PeerProxyOptions {
  /** The member behind this proxy. */
  readonly name: string;
  /** Where it really listens for peers. */
  readonly targetPort: number;
  readonly links: Links;
  /** The name of the member with this id in hexadecimal; undefined while it is not known. */
  readonly nameOf: (memberId: string) => string | undefined;
  /** The names of all members. */
  readonly names: () => readonly string[];
  /**
   * Which way raft messages travel on a connection that begins with this request line: etcd's receivers dial and are
   * answered with the stream, MetaStore's senders dial and write it.
   */
  readonly carrier: (requestLine: string) => "dialler" | "target";
  readonly prng: Prng;
}

/** A request head longer than this is none of a peer's. */
const HEAD_BYTES_MAX = 16_384;

/**
 * Stands in front of one member's peer port; the others are told this port. All members see the same URL, so the first
 * request head on each connection tells who dialled: both etcd's peers and ours name themselves in X-Server-From.
 */
export class PeerProxy {
  readonly #server: Server;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #stopListening: () => void;

  private constructor(options: PeerProxyOptions) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection = new ProxiedConnection(socket, options, () => this.#connections.delete(connection));
      this.#connections.add(connection);
    });
    this.#stopListening = options.links.onChange(() => {
      for (const connection of [...this.#connections]) connection.refresh();
    });
  }

  /** Listens on a port that the system chooses: this process outlives every restart of the member. */
  static async listen(options: PeerProxyOptions): Promise<PeerProxy> {
    const proxy = new PeerProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
    return address.port;
  }

  async close(): Promise<void> {
    this.#stopListening();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of [...this.#connections]) connection.reset();
    await closed;
  }
}

class ProxiedConnection {
  readonly #options: PeerProxyOptions;
  readonly #dialled: Socket;
  readonly #onEnd: () => void;
  #head = Buffer.alloc(0);
  #diallerId: string | undefined;
  #messagesFrom: "dialler" | "target" = "dialler";
  #target: Socket | undefined;
  #flows: Flow[] = [];

  constructor(dialled: Socket, options: PeerProxyOptions, onEnd: () => void) {
    this.#dialled = dialled;
    this.#options = options;
    this.#onEnd = onEnd;
    dialled.on("error", () => this.reset());
    dialled.on("data", this.#readHead);
    dialled.once("close", this.#closedEarly);
  }

  refresh(): void {
    const faults = [this.#fault("dialler"), this.#fault("target")];
    const isReset = this.#target !== undefined && faults.some((fault) => fault?.kind === "reset");
    const isMaimed = this.#flows.some((flow, side) => flow.hasDropped && faults[side]?.kind !== "drop");
    if (isReset || isMaimed) this.reset();
    else for (const flow of this.#flows) flow.refresh();
  }

  reset(): void {
    for (const flow of this.#flows) flow.stop();
    this.#dialled.resetAndDestroy();
    this.#target?.resetAndDestroy();
    this.#onEnd();
  }

  readonly #closedEarly = (): void => this.reset();

  readonly #readHead = (bytes: Buffer): void => {
    this.#head = Buffer.concat([this.#head, bytes]);
    const text = this.#head.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end < 0 && this.#head.length < HEAD_BYTES_MAX) return;
    this.#dialled.off("data", this.#readHead);
    this.#dialled.off("close", this.#closedEarly);
    const head = end < 0 ? text : text.slice(0, end);
    this.#diallerId = /^x-server-from:[ \t]*([0-9a-f]+)[ \t]*$/im.exec(head)?.[1];
    this.#messagesFrom = this.#options.carrier(head.split("\r\n", 1)[0] ?? "");
    this.#open();
  };

  #open(): void {
    const isRefused = this.#fault("dialler")?.kind === "reset" || this.#fault("target")?.kind === "reset";
    if (isRefused) {
      this.reset();
      return;
    }
    const target = connect({
      port: this.#options.targetPort,
      host: "127.0.0.1",
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#target = target;
    // An error of one side ends both, unless the link is cut: then the other side learns of it when it is whole.
    const failed = (): void => {
      const kinds = [this.#fault("dialler")?.kind, this.#fault("target")?.kind];
      if (!kinds.includes("stall") && !kinds.includes("drop")) this.reset();
    };
    this.#dialled.removeAllListeners("error");
    this.#dialled.on("error", failed);
    target.on("error", failed);
    const { prng } = this.#options;
    const forward = new Flow(this.#dialled, target, () => this.#fault("dialler"), prng);
    const backward = new Flow(target, this.#dialled, () => this.#fault("target"), prng);
    this.#flows = [forward, backward];
    const closed = (): void => {
      if (this.#dialled.destroyed && target.destroyed) this.#onEnd();
    };
    this.#dialled.once("close", closed);
    target.once("close", closed);
    forward.take(this.#head);
    this.#head = Buffer.alloc(0);
  }

  #fault(from: "dialler" | "target"): LinkFault | undefined {
    const { name, links, nameOf, names } = this.#options;
    const carriesMessages = from === this.#messagesFrom;
    const dialler = this.#diallerId === undefined ? undefined : nameOf(this.#diallerId);
    const faultWith = (other: string): LinkFault | undefined =>
      from === "dialler"
        ? links.faultOf(other, name, carriesMessages)
        : links.faultOf(name, other, carriesMessages);
    if (dialler !== undefined) return faultWith(dialler);
    // Whoever it is, it cannot pass where nobody can.
    const faults = names()
      .filter((other) => other !== name)
      .map(faultWith);
    return faults.every((fault) => fault !== undefined && fault.kind !== "slow") ? faults[0] : undefined;
  }
}
