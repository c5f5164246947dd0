import { encodeSnapshotResponse } from "../../../codec/index.ts";
import { digestBytes } from "../../../lib/digest.ts";
import { grpcCode, StatusError } from "../../../lib/errors.ts";
import { limits } from "../../../lib/limits.ts";
import { type BackupNote, encodeBackupNote } from "../../state/index.ts";
import { encodeSnapshot, RECORD_OVERHEAD_BYTES, snapshotFormat } from "../../storage/index.ts";
import type { MethodHandler, ServerStream } from "../transport.ts";
import { PRODUCT_VERSION, STORAGE_VERSION } from "../version.ts";
import type { ServiceContext } from "./service-context.ts";
import { roomOf } from "./stream-room.ts";

/** About what a record takes in a backup beyond its key and value. */
const RECORD_BYTES = 20;

/**
 * Maintenance.Snapshot (semantics-cluster-maintenance-auth B1): the applied state of this member as one snapshot, its
 * SHA-256 in a message of its own at the end. It is read as the peer takes it, so a state of any size costs the memory
 * of a chunk, and writes go on meanwhile. No leader is needed: it saves what a member has when its cluster is lost.
 */
export function createSnapshotStream(context: ServiceContext): MethodHandler {
  let running = 0;

  const serve = async (stream: ServerStream): Promise<void> => {
    context.guard.admit(stream.context, true);
    if (running >= limits.backupsMax) {
      throw new StatusError(
        grpcCode.resourceExhausted,
        `etcdserver: ${running} snapshots are being sent already, try again when one has ended`,
      );
    }
    running++;
    try {
      await sendSnapshot(stream, context);
    } finally {
      running--;
    }
  };

  return {
    kind: "serverStream",
    handle: (_bytes, stream) => {
      serve(stream).then(
        () => stream.end(),
        (error: Error) => stream.end(error),
      );
    },
  };
}

async function sendSnapshot(stream: ServerStream, { node, clock, log }: ServiceContext): Promise<void> {
  const startMs = clock.nowMs();
  const { metadata, state } = node.openSnapshot();
  const note: BackupNote = {
    storageVersion: STORAGE_VERSION,
    productVersion: PRODUCT_VERSION,
    takenAtMs: Math.floor(clock.wallMs()),
    memberName: node.name,
  };
  const { clusterId, memberId } = node;
  const facts = { index: metadata.index, to: stream.context.peer };
  log.info("sending a backup", facts);
  const expectedBytes = expectedSize(node);
  const room = roomOf(stream);
  let sentBytes = 0;
  try {
    const pieces = encodeSnapshot(
      { clusterId, memberId, metadata },
      state.chunks,
      snapshotFormat.digestOfAll,
      (sizeBytes) => encodeBackupNote(note, sizeBytes),
    );
    for await (const { blob, isLast } of blobs(pieces)) {
      if (stream.context.isCancelled) return;
      sentBytes += blob.length;
      // Only the end tells the size: until then what is left is about this, and at least the digest.
      const remainingBytes = isLast ? 0 : Math.max(expectedBytes - sentBytes, digestBytes);
      const message = { header: undefined, remainingBytes, blob, version: STORAGE_VERSION };
      if (stream.send(encodeSnapshotResponse(message)) || isLast) continue;
      await withinStall(room.wait(), clock);
    }
    log.info("sent a backup", {
      ...facts,
      sizeBytes: sentBytes,
      tookMs: Math.round(clock.nowMs() - startMs),
    });
  } catch (error) {
    log.warn("a backup ended early", { ...facts, sentBytes, error });
    throw error;
  } finally {
    state.close();
  }
}

function expectedSize({ kv }: ServiceContext["node"]): number {
  const { sizeBytes, records } = kv.stats();
  return Math.max(0, sizeBytes - records * (RECORD_OVERHEAD_BYTES - RECORD_BYTES));
}

/** The pieces cut anew into messages of backupMessageBytes; the digest at the end is the last one, alone. */
async function* blobs(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly blob: Buffer; readonly isLast: boolean }> {
  let gathered: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    gathered =
      gathered.length === 0
        ? Buffer.from(piece.buffer, piece.byteOffset, piece.length)
        : Buffer.concat([gathered, piece]);
    while (gathered.length >= limits.backupMessageBytes + digestBytes) {
      yield { blob: gathered.subarray(0, limits.backupMessageBytes), isLast: false };
      gathered = gathered.subarray(limits.backupMessageBytes);
    }
  }
  yield { blob: gathered.subarray(0, -digestBytes), isLast: false };
  yield { blob: gathered.subarray(-digestBytes), isLast: true };
}

/** Throws StatusError when `wait` takes longer than backupStallMsMax. */
async function withinStall(wait: Promise<void>, clock: ServiceContext["clock"]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = clock.after(limits.backupStallMsMax, () => {
      const seconds = limits.backupStallMsMax / 1_000;
      reject(
        new StatusError(
          grpcCode.aborted,
          `etcdserver: the snapshot was not read for ${seconds} s and is given up`,
        ),
      );
    });
    wait.then(() => {
      timer.cancel();
      resolve();
    });
  });
}
