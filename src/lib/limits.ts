import { assert } from "./assert.ts";

/** Every limit of the product: name, default and unit in one place. Flags change those marked "flag". */
export const limits = {
  /** Largest encoded command (flag --max-request-bytes). */
  requestSizeBytesMax: 1_572_864,
  /** The least that --max-request-bytes may be. */
  requestSizeBytesMin: 1_024,
  /** What gRPC accepts beyond requestSizeBytesMax, so that the clearer error above it is the one seen. */
  grpcOverheadBytes: 524_288,
  /** Operations per list of a transaction (flag --max-txn-ops). */
  txnOpsMax: 128,
  /** Levels of nested transactions; etcd leaves this to its stack. */
  txnDepthMax: 64,
  /** Longest lease, in seconds. */
  leaseTtlSecondsMax: 9_000_000_000,
  /** Leases revoked in one scan of the expiry heap. */
  leaseRevokesPerScanMax: 500,
  /** Default storage quota (flag --quota-backend-bytes). */
  quotaBytes: 2_147_483_648,
  /** What an engine on disk keeps in memory by default, and at least (flag --storage-cache-bytes). */
  storageCacheBytes: 268_435_456,
  storageCacheBytesMin: 8_388_608,
  /** Committed entries waiting to be applied before proposals are refused. */
  applyLagEntriesMax: 5_000,
  /** Proposals waiting for their answer before more are refused. */
  proposalsInFlightMax: 50_000,
  /** Bytes of proposals not yet applied before more are refused. */
  proposalBytesInFlightMax: 268_435_456,
  /** Watch responses queued to one stream before its watchers fall back to reading history. */
  watchQueueResponsesMax: 128,
  /** Bytes queued to one watch stream before the same happens. */
  watchQueueBytesMax: 8_388_608,
  /** Distinct revisions in one catch-up response of a watcher. */
  watchBatchRevisionsMax: 1_000,
  /** Watchers on one stream. */
  watchersPerStreamMax: 100_000,
  /** One message of a backup on its way to a client (Maintenance.Snapshot), as in etcd. */
  backupMessageBytes: 32_768,
  /** Backups that one member streams at a time: each keeps compaction from removing what it holds. */
  backupsMax: 8,
  /** A client that takes nothing of its backup for this long loses it, in milliseconds. */
  backupStallMsMax: 60_000,
  /** Highest revision that a restore may begin with: as many are left above it. */
  restoredRevisionMax: 4_503_599_627_370_496,
  /** Metadata (headers) of one gRPC or HTTP request. */
  headerBytesMax: 65_536,
  /** How long a new connection may take to show which protocol it speaks, TLS handshake included, each. */
  protocolSniffMsMax: 10_000,
  /** An HTTP/2 connection from which nothing was read for this long must answer a ping. */
  connectionSilenceMsMax: 60_000,
  /** RST_STREAM frames (and streams refused) of one HTTP/2 connection at once, and per second after that. */
  http2ResetBurst: 10_000,
  http2ResetsPerSecond: 1_000,
  /** The same for SETTINGS frames, acknowledgements included. */
  http2SettingsBurst: 200,
  http2SettingsPerSecond: 10,
  /** The same for frames that ask for nothing: empty DATA, PRIORITY, unknown types. */
  http2IdleFrameBurst: 20_000,
  http2IdleFramesPerSecond: 5_000,
  /** Requests of one HTTP/2 connection that are not gRPC, at a time. */
  http2PlainRequestsMax: 100,
  /**
   * The end of an answer that is not gRPC's waits so long for that of its request, in milliseconds: up to there a request
   * may turn out malformed, which is told by a reset. A client that waits for the answer before it goes on gets it then.
   */
  http2AnswerHeldMsMax: 250,
  /** Answers to control frames that an HTTP/2 peer does not read, in bytes, before its connection is closed. */
  http2ControlBytesMax: 4_194_304,
  /** Answers of one HTTP/2 connection that wait for their peer, in bytes, before its further calls wait too. */
  http2QueuedBytesMax: 67_108_864,
  /** Bytes of one HTTP/2 connection kept for messages that have not arrived whole. */
  http2KeptBytesMax: 67_108_864,
  /** An HTTP/2 peer that takes nothing of what waits for it for this long loses its connection, in milliseconds. */
  http2StallMsMax: 300_000,
  /** Keep-alive requests of one stream that wait for their answer before more are read. */
  keepAlivesInFlightPerStreamMax: 1_000,
  /** Versions of client libraries that the metrics tell apart, for unary calls and for streams each. */
  clientVersionsMax: 32,
  /**
   * What the command of a plain HTTP write holds beyond the value and the key in each place: tags, lengths, the
   * revisions of its conditions. A body may have what this and the keys leave of requestSizeBytesMax.
   */
  httpWriteOverheadBytes: 128,
  /** Keys in one plain HTTP listing, whatever limit is asked for. */
  httpListKeysMax: 1_000,
  /** Requests of one HTTP connection that were sent ahead of their answers. */
  httpPipelinedRequestsMax: 64,
  /** Time for the headers of one HTTP request to arrive, in milliseconds. */
  httpHeadersTimeoutMs: 10_000,
  /** Time for one whole HTTP request to arrive, body included, in milliseconds. */
  httpRequestTimeoutMs: 60_000,
  /** An HTTP connection between two requests is closed after this, in milliseconds. */
  httpKeepAliveTimeoutMs: 75_000,
  /** An HTTP connection on which nothing moves is closed after this, in milliseconds (readers that stall). */
  httpSocketIdleTimeoutMs: 120_000,
} as const;

assert(
  limits.httpWriteOverheadBytes < limits.requestSizeBytesMin,
  "every HTTP write has room for a key and a value",
);
assert(
  limits.requestSizeBytesMax < limits.proposalBytesInFlightMax,
  "one command must fit in the proposal window",
);
assert(limits.httpHeadersTimeoutMs <= limits.httpRequestTimeoutMs, "headers are a part of the request");
assert(limits.watchQueueBytesMax > limits.requestSizeBytesMax, "one event must fit in a watch queue");
