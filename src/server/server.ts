import { type Clock, SystemClock } from "../lib/clock.ts";
import { createDeferred } from "../lib/deferred.ts";
import { StorageFailure, UsageError } from "../lib/errors.ts";
import { errorCode, type Fs, NodeFs } from "../lib/fs.ts";
import { createPrng } from "../lib/prng.ts";
import { secretUint32 } from "../lib/secret.ts";
import { CLUSTER_VERSION, ETCD_API_VERSION, PRODUCT_VERSION, rpcTable } from "./api/index.ts";
import type { Config } from "./config.ts";
import { clientUrlsOf } from "./config-topology.ts";
import { clusterIdOf, memberIdOf } from "./identity.ts";
import { Lessor } from "./lease/index.ts";
import { type Listeners, openListeners, type ServerAddresses } from "./listeners.ts";
import { type MemberStorage, openMemberStorage } from "./member-storage.ts";
import { ServerMetrics } from "./metrics.ts";
import { Store, WatchHub, watchCatchUpLimits } from "./mvcc/index.ts";
import { AutoCompactor, MemberNode } from "./node/index.ts";
import { createServerLog, type ServerLog } from "./server-log.ts";
import { StateMachine } from "./state/index.ts";
import { MemoryEngine } from "./storage/index.ts";

/** A member that serves. */
export interface RunningServer {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly addresses: ServerAddresses;
  /** Resolves when the member must not go on: a broken disk, a bug. It answers nothing any more; end the process. */
  readonly fatal: Promise<Error>;
  /** Lets requests that run end, closes everything and unlocks the data directory. */
  close(): Promise<void>;
}

/** Small enough that a new member starts in a moment: its first segment is written out in zeros. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
/** Less log than this is replayed in a moment: no snapshot is worth it. */
const SNAPSHOT_LOG_BYTES_MIN = 16 * 1024 * 1024;
const STOP_GRACE_MS = 1_000;
const COMPACTION_PAUSE_MS = 10;

/**
 * Starts one member: opens its data, replays its log, and listens once it can serve. Throws UsageError for what the
 * operator can mend (a port in use, a locked directory) and StorageFailure for data that cannot be trusted.
 */
export async function startServer(config: Config): Promise<RunningServer> {
  const clock = new SystemClock();
  const log = createServerLog({ ...config.log, clock });
  for (const warning of config.warnings) log.warn(warning);
  const hold = clock.holdProcess();
  try {
    const server = await start(config, clock, new NodeFs(), log);
    return { ...server, close: () => server.close().finally(() => hold.cancel()) };
  } catch (error) {
    hold.cancel();
    log.close();
    throw error;
  }
}

async function start(config: Config, clock: Clock, fs: Fs, log: ServerLog): Promise<RunningServer> {
  const fatal = createDeferred<Error>();
  const onFatal = (error: Error): void => {
    log.error("this member cannot go on", { error });
    fatal.resolve(error);
  };
  const prng = createPrng(secretUint32());
  const metrics = new ServerMetrics({
    clock,
    versions: { server: ETCD_API_VERSION, cluster: CLUSTER_VERSION, product: PRODUCT_VERSION },
    methods: rpcTable,
    isExtensive: config.isMetricsExtensive,
  });
  const lessor = new Lessor();
  const engine = new MemoryEngine();
  const store = new Store({
    engine,
    leases: lessor,
    yieldTurn: () => new Promise((resolve) => clock.defer(resolve)),
    pauseCompaction: () => new Promise((resolve) => clock.after(COMPACTION_PAUSE_MS, resolve)),
    observed: { clock, observer: metrics.timings },
  });
  const state = new StateMachine(store, lessor);

  const startedMs = clock.nowMs();
  const peerUrls = config.initialCluster.get(config.name) ?? config.advertisePeerUrls;
  const memberId = memberIdOf(peerUrls, config.initialClusterToken);
  let node: MemberNode | undefined;
  const storage = await openMemberStorage({
    fs,
    path: config.dataDir,
    fresh: { memberId, clusterId: clusterIdOf([memberId]) },
    clusterState: config.initialClusterState,
    state,
    clock,
    log: log.forModule("storage"),
    segmentBytes: SEGMENT_BYTES,
    onSync: metrics.timings.walSynced,
    onFailure: (failure) => (node === undefined ? onFatal(failure) : node.fail(failure)),
  });

  let listeners: Listeners | undefined;
  try {
    const { opened, identity } = storage;
    const watchHub = new WatchHub({
      source: {
        get currentRevision() {
          return store.currentRevision;
        },
        get compactRevision() {
          return store.compactRevision;
        },
        records: (from, to) => engine.records(from, to),
        at: (key, revision) => engine.at(key, revision),
      },
      clock,
      prng,
      progressIntervalMs: config.watchProgressIntervalMs,
      catchUp: watchCatchUpLimits,
    });
    store.onCommit((revision, records) => watchHub.notify(revision, records));
    node = new MemberNode({
      ...identity,
      name: config.name,
      peerUrls,
      clock,
      log: log.forModule("node"),
      prng,
      state,
      watchHub,
      wal: opened.wal,
      snapshots: storage.snapshots,
      recovered: { hardState: opened.hardState, entries: opened.entries, snapshot: opened.snapshotMark },
      heartbeatMs: config.heartbeatIntervalMs,
      electionMs: config.electionTimeoutMs,
      requestSizeBytesMax: config.requestSizeBytesMax,
      quotaBytes: config.quotaBytes,
      snapshotEntriesMin: config.snapshotCount,
      snapshotLogBytesMin: SNAPSHOT_LOG_BYTES_MIN,
      slowApplyMs: config.slowApplyMs,
      observer: metrics.timings,
      onFatal,
    });
    const counters = node;
    metrics.attach({
      node,
      counters: () => counters.stats(),
      watch: () => watchHub.metrics(),
      operations: () => store.operations,
    });
    await node.start();
    log.info("opened the data directory", {
      path: config.dataDir,
      revision: store.currentRevision,
      keys: store.stats().liveKeys,
      entriesReplayed: opened.entries.length,
      tookMs: Math.round(clock.nowMs() - startedMs),
    });
    listeners = await openListeners({ node, config, metrics, fs, clock, log: log.forModule("api") });
    await node.publish(advertisedUrls(config, listeners.clientPorts));
    const compactor =
      config.autoCompaction.kind === "off"
        ? undefined
        : new AutoCompactor(node, config.autoCompaction, clock, log.forModule("compactor"));
    compactor?.start();
    log.info("ready to serve client requests", {
      name: config.name,
      memberId: identity.memberId.toString(16),
      clusterId: identity.clusterId.toString(16),
      client: listeners.addresses.client,
      keys: listeners.addresses.keys,
      metrics: listeners.addresses.metrics,
    });
    const running = { node, listeners };
    let closing: Promise<void> | undefined;
    return {
      ...identity,
      addresses: listeners.addresses,
      fatal: fatal.promise,
      close: () => {
        closing ??= (async () => {
          log.info("closing the server");
          compactor?.stop();
          await running.listeners.close(STOP_GRACE_MS);
          await close(storage, running.node, metrics);
          log.info("closed the server");
          log.close();
        })();
        return closing;
      },
    };
  } catch (error) {
    await listeners?.close(0);
    await close(storage, node, metrics);
    throw asUsageError(error);
  }
}

async function close(
  storage: MemberStorage,
  node: MemberNode | undefined,
  metrics: ServerMetrics,
): Promise<void> {
  await node?.stop();
  await storage.close();
  metrics.close();
}

/** Where clients are told to come: with the ports that the system chose, unless the operator named URLs. */
function advertisedUrls(config: Config, clientPorts: readonly number[]): readonly string[] {
  if (config.isAdvertiseGiven) return config.advertiseClientUrls;
  return clientUrlsOf(config.clientListeners.map((at, i) => ({ ...at, port: clientPorts[i] ?? at.port })));
}

/** What the system says about an address becomes what the operator can do about it. */
function asUsageError(error: unknown): unknown {
  if (error instanceof UsageError || error instanceof StorageFailure || !(error instanceof Error))
    return error;
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return new UsageError(
        `cannot listen: ${error.message}`,
        "Another server uses that port: stop it, or choose another port (--listen-client-urls, --grpc-addr, --port).",
      );
    case "EADDRNOTAVAIL":
    case "EACCES":
    case "ENOTFOUND":
      return new UsageError(`cannot listen: ${error.message}`, "Check the addresses to listen on.");
    default:
      return error;
  }
}
