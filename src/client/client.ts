import { Authenticator } from "./authenticator.ts";
import { ClusterClient } from "./cluster.ts";
import { parseEndpoints } from "./endpoint.ts";
import { EndpointPool } from "./endpoint-pool.ts";
import { KeepAliveStream } from "./keep-alive-stream.ts";
import type { KeyTarget } from "./key.ts";
import { KvClient } from "./kv.ts";
import { LeaseClient } from "./lease.ts";
import { MaintenanceClient } from "./maintenance.ts";
import { type ConnectOptions, resolveOptions } from "./options.ts";
import { UnaryCaller } from "./unary-caller.ts";
import { WatchStream } from "./watch-stream.ts";
import type { Watcher, WatchOptions } from "./watcher.ts";

/** A client of MetaStore, or of any server that speaks the etcd v3 API. Made by connect(). */
export class MetaStoreClient {
  readonly kv: KvClient;
  readonly lease: LeaseClient;
  readonly cluster: ClusterClient;
  readonly maintenance: MaintenanceClient;
  /** host:port of the servers, in the order in which they are tried. */
  readonly endpoints: readonly string[];
  readonly #pool: EndpointPool;
  readonly #watchStream: WatchStream;
  readonly #keepAliveStream: KeepAliveStream;

  constructor(options: ConnectOptions) {
    const resolved = resolveOptions(options);
    this.#pool = new EndpointPool(parseEndpoints(options.endpoints ?? "127.0.0.1:2379"), resolved.tls);
    this.endpoints = this.#pool.endpoints.map((endpoint) => endpoint.name);
    const authenticator = new Authenticator(resolved.user);
    const caller = new UnaryCaller(this.#pool, authenticator, resolved);
    this.#watchStream = new WatchStream(this.#pool, authenticator, resolved);
    this.#keepAliveStream = new KeepAliveStream(this.#pool, authenticator, resolved);
    this.kv = new KvClient(caller);
    this.lease = new LeaseClient(caller, this.#keepAliveStream, resolved, this.#pool.size);
    this.cluster = new ClusterClient(caller);
    this.maintenance = new MaintenanceClient(caller, this.#pool, authenticator, resolved);
  }

  /** Watches a key or range: `for await (const event of client.watch(prefix("a/"))) ...` */
  watch(target: KeyTarget, options: WatchOptions = {}): Watcher {
    return this.#watchStream.watch(target, options);
  }

  /** Ends watches and keep-alives and closes the connections; calls under way fail. */
  close(): void {
    this.#watchStream.close();
    this.#keepAliveStream.close();
    this.#pool.close();
  }
}

/**
 * A client for the servers at `options.endpoints`. Nothing is dialled before the first call.
 *
 * @throws UsageError when an endpoint is not an address
 */
export function connect(options: ConnectOptions = {}): MetaStoreClient {
  return new MetaStoreClient(options);
}
