import { type Clock, SystemClock } from "../lib/clock.ts";
import { createDeferred } from "../lib/deferred.ts";
import { StorageFailure, UsageError } from "../lib/errors.ts";
import { errorCode, type Fs, NodeFs } from "../lib/fs.ts";
import { createPrng } from "../lib/prng.ts";
import { secretUint32 } from "../lib/secret.ts";
import {
  CLUSTER_VERSION,
  ETCD_API_VERSION,
  PRODUCT_VERSION,
  rpcTable,
  STORAGE_VERSION,
} from "./api/index.ts";
import { type ClusterStart, decideClusterStart } from "./cluster-bootstrap.ts";
import type { Config } from "./config.ts";
import { clientUrlsOf } from "./config-topology.ts";
import { runtimeMemberIdOf } from "./identity.ts";
import { type Listeners, openListeners, type ServerAddresses } from "./listeners.ts";
import { assertEngineAvailable, createMemberState } from "./member-state.ts";
import { type MemberStorage, openMemberStorage } from "./member-storage.ts";
import { ServerMetrics } from "./metrics.ts";
import { WatchHub, watchCatchUpLimits } from "./mvcc/index.ts";
import { AutoCompactor, MemberNode, QuotaKeeper } from "./node/index.ts";
import { createPeerNetwork, fetchMembers, type PeerTls, type SocketPeerNetwork } from "./peer/index.ts";
import { refuseOtherMembers } from "./restored-member.ts";
import { createServerLog, type ServerLog } from "./server-log.ts";
import { readPeerTlsFiles } from "./tls-files.ts";

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
/** A leader that goes waits this long for another to lead. */
const HAND_OVER_TIMEOUT_MS = 500;
/** For each peer URL that is asked who the members are. */
const FETCH_TIMEOUT_MS = 2_000;

/**
 * Starts one member: opens its data, replays its log, speaks with the other members, and listens for clients once it
 * can serve, which takes a quorum. Throws UsageError for what the operator can mend (a port in use, a locked
 * directory), StorageFailure for data that cannot be trusted, and RequestError stopped when `signal` fires before.
 */
export async function startServer(config: Config, signal?: AbortSignal): Promise<RunningServer> {
  const clock = new SystemClock();
  const log = createServerLog({ ...config.log, clock });
  for (const warning of config.warnings) log.warn(warning);
  const hold = clock.holdProcess();
  try {
    const server = await start(config, clock, new NodeFs(), log, signal);
    return { ...server, close: () => server.close().finally(() => hold.cancel()) };
  } catch (error) {
    hold.cancel();
    log.close();
    throw error;
  }
}

async function start(
  config: Config,
  clock: Clock,
  fs: Fs,
  log: ServerLog,
  signal: AbortSignal | undefined,
): Promise<RunningServer> {
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
  const startedMs = clock.nowMs();
  const peerTls = await peerTlsOf(fs, config);
  const decide = (): Promise<ClusterStart> =>
    decideClusterStart({
      initial: config.peers,
      onDisk: undefined,
      fetchMembers: (urls) => fetchMembers(urls, peerTls, FETCH_TIMEOUT_MS, clock),
    });
  let begin: ClusterStart | undefined;
  let node: MemberNode | undefined;
  const failed = (failure: Error): void => (node === undefined ? onFatal(failure) : node.fail(failure));
  const storage = await openMemberStorage({
    fs,
    path: config.dataDir,
    identify: async () => {
      await assertEngineAvailable(config.engine);
      begin = await decide();
      return begin.identity;
    },
    engine: config.engine,
    openState: (path) =>
      createMemberState({
        kind: config.engine,
        path,
        cacheSizeBytes: config.cacheSizeBytes,
        clock,
        observer: metrics.timings,
        onFailure: failed,
      }),
    clock,
    log: log.forModule("storage"),
    segmentBytes: SEGMENT_BYTES,
    onSync: metrics.timings.walSynced,
    onFailure: failed,
  });

  let listeners: Listeners | undefined;
  let network: SocketPeerNetwork | undefined;
  const onAbort = (): void => void node?.stop();
  try {
    const { opened, identity, state, durable } = storage;
    const { store } = state;
    const isEmpty = opened.snapshotMark === undefined && opened.entries.length === 0;
    // It stopped before its first entry: it begins as it would have then.
    if (isEmpty) begin ??= await decide();
    if (isFirstStartOfRestored(storage)) {
      refuseOtherMembers(config.peers, identity.memberId, state.membership.list());
    }
    network = await createPeerNetwork({
      identity,
      listen: config.peers.listeners,
      tls: peerTls,
      clock,
      prng,
      log: log.forModule("peer"),
      versions: { server: ETCD_API_VERSION, cluster: CLUSTER_VERSION, storage: STORAGE_VERSION },
      status: () => ({
        members: () => node?.members() ?? [],
        isRemoved: (id) => node?.isRemoved(id) ?? false,
        isHealthy: (node?.leaderId ?? 0n) !== 0n,
      }),
      observer: metrics.observePeers(identity.memberId),
    });
    const watchHub = new WatchHub({
      source: store.watchSource,
      clock,
      prng,
      progressIntervalMs: config.watchProgressIntervalMs,
      catchUp: watchCatchUpLimits,
    });
    store.onCommit((revision, records) => watchHub.notify(revision, records));
    node = new MemberNode({
      ...identity,
      name: config.name,
      bootstrap: begin?.kind === "bootstrap" ? begin.changes : undefined,
      network,
      initialPeers: begin === undefined || begin.kind === "restart" ? [] : begin.members,
      newMemberId: (urls) => runtimeMemberIdOf(urls, Math.floor(clock.wallMs() / 1e3)),
      reconfiguration: { isStrict: config.peers.isStrictReconfig, learnersMax: config.peers.learnersMax },
      isPreVote: config.peers.isPreVote,
      isElectionTickAdvanced: config.peers.isElectionTickAdvanced,
      catchUpEntries: config.peers.snapshotCatchUpEntries,
      clock,
      log: log.forModule("node"),
      prng,
      state,
      ...(durable === undefined ? {} : { durable }),
      watchHub,
      onRestored: () => watchHub.storeReplaced(),
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
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    log.info("speaking with other members", { peer: network.addresses });
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
    const quota = new QuotaKeeper(node, {
      clock,
      log: log.forModule("quota"),
      isClearing: config.isQuotaAlarmClearing,
    });
    quota.start();
    signal?.removeEventListener("abort", onAbort);
    log.info("ready to serve client requests", {
      name: config.name,
      memberId: identity.memberId.toString(16),
      clusterId: identity.clusterId.toString(16),
      client: listeners.addresses.client,
      keys: listeners.addresses.keys,
      metrics: listeners.addresses.metrics,
    });
    const running = { node, listeners, network };
    let closing: Promise<void> | undefined;
    return {
      ...identity,
      addresses: listeners.addresses,
      fatal: fatal.promise,
      close: () => {
        closing ??= (async () => {
          log.info("closing the server");
          compactor?.stop();
          quota.stop();
          await running.node.resign(HAND_OVER_TIMEOUT_MS);
          await running.listeners.close(STOP_GRACE_MS);
          await close(storage, running.node, running.network, metrics);
          log.info("closed the server");
          log.close();
        })();
        return closing;
      },
    };
  } catch (error) {
    signal?.removeEventListener("abort", onAbort);
    await listeners?.close(0);
    await close(storage, node, network, metrics);
    throw asUsageError(error);
  }
}

/** It begins with a snapshot and has told nobody its name. */
function isFirstStartOfRestored({ opened, identity, state }: MemberStorage): boolean {
  const isAtSnapshot = opened.snapshotMark !== undefined && opened.entries.length === 0;
  return isAtSnapshot && state.membership.get(identity.memberId)?.name === "";
}

async function close(
  storage: MemberStorage,
  node: MemberNode | undefined,
  network: SocketPeerNetwork | undefined,
  metrics: ServerMetrics,
): Promise<void> {
  await node?.stop();
  await network?.close();
  await storage.close();
  metrics.close();
}

/** Where clients are told to come: with the ports that the system chose, unless the operator named URLs. */
function advertisedUrls(config: Config, clientPorts: readonly number[]): readonly string[] {
  if (config.isAdvertiseGiven) return config.advertiseClientUrls;
  return clientUrlsOf(config.clientListeners.map((at, i) => ({ ...at, port: clientPorts[i] ?? at.port })));
}

async function peerTlsOf(fs: Fs, { peers: { tls } }: Config): Promise<PeerTls | undefined> {
  if (tls === undefined) return undefined;
  const { cert, key, clientCa } = await readPeerTlsFiles(fs, tls);
  return { cert, key, trustedCa: clientCa, isClientCertRequired: tls.isClientCertRequired };
}

/** What the system says about an address becomes what the operator can do about it. */
function asUsageError(error: unknown): unknown {
  if (error instanceof UsageError || error instanceof StorageFailure || !(error instanceof Error))
    return error;
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return new UsageError(
        `cannot listen: ${error.message}`,
        "Another server uses that port: stop it, or choose another port (--listen-client-urls, --listen-peer-urls, --grpc-addr, --port).",
      );
    case "EADDRNOTAVAIL":
    case "EACCES":
    case "ENOTFOUND":
      return new UsageError(`cannot listen: ${error.message}`, "Check the addresses to listen on.");
    default:
      return error;
  }
}
