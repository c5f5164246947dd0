import { assert } from "../../lib/assert.ts";
import { limits } from "../../lib/limits.ts";

/** Bounds of the way between members: name, value and unit in one place. */
export const peerLimits = {
  /** One frame, and so one message or one chunk of a snapshot. Not a flag: members with other flags must get on. */
  frameBytesMax: 150_994_944,
  /** A sender begins another frame beyond this many bytes or messages. */
  frameBytesTarget: 1_048_576,
  messagesPerFrameMax: 4_096,
  /** Entries in one frame: a bound on the objects that a few bytes can turn into. */
  entriesPerFrameMax: 262_144,
  /** A frame of the side that only acknowledges. */
  acknowledgementBytesMax: 64,
  /** Acknowledgements that a sender does not read, before no more are written. */
  acknowledgementBacklogBytesMax: 4_096,
  /** Messages waiting on one stream while its peer reads nothing: by kind of stream, in bytes and in number. */
  urgentQueueBytesMax: 4_194_304,
  bulkQueueBytesMax: 33_554_432,
  queueMessagesMax: 4_096,
  /** "Messages are being lost" is told at most once in this time, unless the connection changed meanwhile. */
  unreachableIntervalMs: 100,
  /** A stream shows that it lives this often ... */
  linkHeartbeatMs: 1_250,
  /** ... and is given up after so many of these times without a byte: 5 s. */
  linkSilenceHeartbeatsMax: 4,
  /** From the first packet to the answer on the upgrade, TLS included. */
  dialTimeoutMs: 5_000,
  /** Pauses between attempts to connect: the first, and what doubling ends at. Each is halved to whole by chance. */
  redialMsMin: 50,
  redialMsMax: 1_000,
  /** Connections to one listener. */
  connectionsMax: 1_024,
  headerBytesMax: 16_384,
  headersTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  /** An idle connection for calls is given up by the caller well before the other side gives it up. */
  callIdleMs: 15_000,
  /** The body of a call, and that of its answer. */
  callBytesMax: 1_048_576,
  /** Time for the body of a call to arrive. */
  callBodyTimeoutMs: 10_000,
  /** Calls of one peer that are being answered; connections for calls to one peer. */
  callsInFlightMax: 256,
  callConnectionsMax: 16,
  /** Snapshots on their way out, to different peers, and on their way in. */
  snapshotSendsMax: 2,
  snapshotReceptionsMax: 2,
  /** Members that are heard though this one has not been told of them yet. */
  guestsMax: 8,
  /** All snapshots going out, together: at about 4 ms of CPU a MiB on each side, a sixteenth of a core. */
  snapshotBytesPerSecond: 16_777_216,
  /** No byte of a snapshot moved for this long: given up, on both sides. */
  snapshotStallMs: 30_000,
  /** From the last byte to the answer: the receiver makes the state durable meanwhile. */
  snapshotAnswerMs: 300_000,
  /** GET /members of another cluster. */
  membersBytesMax: 1_048_576,
  /** What is queued may still leave, and calls be answered, when the network closes. */
  closeGraceMs: 500,
} as const;

/** The same names with other values, for tests. */
export type PeerLimits = { readonly [name in keyof typeof peerLimits]: number };

assert(
  peerLimits.frameBytesMax > limits.proposalBytesInFlightMax / 2 + 2 * peerLimits.frameBytesTarget,
  "the largest entry that --max-request-bytes allows fits in a frame",
);
assert(peerLimits.callIdleMs < peerLimits.keepAliveTimeoutMs, "the caller lets go of a connection first");
