import type { Clock } from "../lib/clock.ts";
import type { Fs } from "../lib/fs.ts";
import { limits } from "../lib/limits.ts";
import type { Log } from "../lib/log.ts";
import { createKeyOperations, HttpEndpoint, lateListener, loadHttpApp } from "./api/http/index.ts";
import {
  CLUSTER_VERSION,
  createGrpcTransport,
  createMethodTable,
  createWireTransport,
  ETCD_API_VERSION,
  STORAGE_VERSION,
  type Transport,
} from "./api/index.ts";
import type { Config } from "./config.ts";
import type { ListenAddress } from "./config-urls.ts";
import type { ServerMetrics } from "./metrics.ts";
import type { ServerNode } from "./node/index.ts";
import { readTlsFiles } from "./tls-files.ts";

/** Where a running server answers: HOST:PORT, or [IPv6]:PORT, with the ports in use. */
export interface ServerAddresses {
  /** gRPC, with HTTP beside it on the same port. */
  readonly client: readonly string[];
  /** The plain key API (--port). */
  readonly keys: string | undefined;
  readonly metrics: readonly string[];
}

export interface Listeners {
  readonly addresses: ServerAddresses;
  /** The ports in use, in the order of Config.clientListeners. */
  readonly clientPorts: readonly number[];
  /** Takes nothing new, lets what runs end within `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const HTTP_LOAD_DELAY_MS = 500;

/** Opens every listener of the configuration; when one cannot be opened, closes the others and rejects. */
export async function openListeners(options: {
  readonly node: ServerNode;
  readonly config: Config;
  readonly metrics: ServerMetrics;
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<Listeners> {
  const { node, config, metrics, clock, log } = options;
  const requestBytesMax = config.requestSizeBytesMax;
  const tls = config.tls === undefined ? undefined : await readTlsFiles(options.fs, config.tls);
  const methods = createMethodTable(node, {
    electionTimeoutMs: config.electionTimeoutMs,
    clock,
    log,
    requestBytesMax,
    txnOpsMax: config.txnOpsMax,
  });
  const loadApps: (() => Promise<void>)[] = [];
  const app = (surface: "client" | "keys" | "metrics", isTls: boolean) => {
    const late = lateListener(async () => (await loadHttpApp()).createHttpApp(appOptions(surface, isTls)));
    loadApps.push(late.load);
    return late.listener;
  };
  const appOptions = (surface: "client" | "keys" | "metrics", isTls: boolean) => ({
    node,
    surface,
    metrics,
    health: metrics.health,
    versions: { server: ETCD_API_VERSION, cluster: CLUSTER_VERSION, storage: STORAGE_VERSION },
    corsOrigins: surface === "keys" ? config.keyApiCorsOrigins : config.corsOrigins,
    hostWhitelist: isTls ? ["*"] : config.hostWhitelist,
    ...(surface === "keys"
      ? { keys: { operations: createKeyOperations(node, methods), requestBytesMax } }
      : {}),
    log,
  });
  const endpoint = (surface: "client" | "keys" | "metrics", at: ListenAddress | undefined) =>
    new HttpEndpoint({
      listener: app(surface, at?.isTls ?? tls !== undefined),
      address: at === undefined ? undefined : { host: at.host, port: at.port },
      tls: at?.isTls ? tls : undefined,
      bodyBytesMax: requestBytesMax - limits.httpWriteOverheadBytes,
      clock,
      log,
    });

  const [first, ...rest] = config.clientListeners.map((at) => ({
    host: at.host,
    port: at.port,
    tls: at.isTls ? tls : undefined,
  }));
  if (first === undefined) throw new Error("a server has a client listener");
  const beside = config.clientHttpListeners.length === 0 ? endpoint("client", undefined) : undefined;
  const createTransport = config.grpcTransport === "wire" ? createWireTransport : createGrpcTransport;
  const transport: Transport = createTransport(methods, {
    ...first,
    alsoListen: rest,
    messageBytesMax: requestBytesMax + limits.grpcOverheadBytes,
    headerBytesMax: limits.headerBytesMax,
    concurrentStreamsMax: config.concurrentStreamsMax,
    keepalive: config.keepalive,
    onHttp1: beside === undefined ? undefined : (socket) => beside.serve(socket),
    observer: metrics.transport,
    clock,
    log,
  });
  const separate = [
    ...config.clientHttpListeners.map((at) => ({ at, surface: "client" as const })),
    ...(config.keyApiListener === undefined ? [] : [{ at: config.keyApiListener, surface: "keys" as const }]),
    ...config.metricsListeners.map((at) => ({ at, surface: "metrics" as const })),
  ].map(({ at, surface }) => ({ at, surface, endpoint: endpoint(surface, at), port: at.port }));

  const close = async (graceMs: number): Promise<void> => {
    await Promise.all([
      transport.close(graceMs),
      beside?.close(graceMs),
      ...separate.map((each) => each.endpoint.close(graceMs)),
    ]);
  };
  try {
    await transport.listen();
    for (const each of separate) each.port = await each.endpoint.listen();
  } catch (error) {
    await close(0);
    throw error;
  }
  // After what waits for this member to be ready; a request over HTTP that comes before does it itself.
  const loading = clock.after(HTTP_LOAD_DELAY_MS, () => {
    for (const load of loadApps) {
      load().catch((error: unknown) => log.error("HTTP cannot be served", { error }));
    }
  });
  const shown = (at: ListenAddress, port: number): string =>
    `${at.host.includes(":") ? `[${at.host}]` : at.host}:${port}`;
  const bySurface = (surface: string): string[] =>
    separate.filter((each) => each.surface === surface).map((each) => shown(each.at, each.port));
  return {
    addresses: {
      client: config.clientListeners.map((at, i) => shown(at, transport.ports[i] ?? at.port)),
      keys: bySurface("keys")[0],
      metrics: bySurface("metrics"),
    },
    clientPorts: transport.ports,
    close: (graceMs) => {
      loading.cancel();
      return close(graceMs);
    },
  };
}
