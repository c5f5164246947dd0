import type { Member } from "../../../src/codec/index.ts";
import { createPrng } from "../../../src/lib/prng.ts";
import { confChangeType, emptyConfState } from "../../../src/server/raft/index.ts";
import {
  type BackupNote,
  encodeBackupNote,
  encodePeerUrls,
  type StateMachine,
} from "../../../src/server/state/index.ts";
import { encodeSnapshot, type SnapshotHeader, snapshotFormat } from "../../../src/server/storage/index.ts";
import { randomCommands } from "../../sim/commands.ts";
import { applyTo, createState } from "../../sim/member.ts";

export const header: SnapshotHeader = {
  clusterId: 0xc1n,
  memberId: 0x51n,
  metadata: { index: 77, term: 5, confState: { ...emptyConfState, voters: [0x51n] } },
};

export const note: BackupNote = {
  storageVersion: "3.6.0",
  productVersion: "0.1.0",
  takenAtMs: 1_700_000_000_000,
  memberName: "n1",
};

/** The state of a member after random commands, the same for the same seed. */
export function busyState(seed: number, commands = 300): StateMachine {
  const state = createState();
  state.applyConfChange({
    type: confChangeType.addNode,
    nodeId: header.memberId,
    context: encodePeerUrls(["http://127.0.0.1:2380"]),
  });
  for (const command of randomCommands(createPrng(seed), commands)) applyTo(state, command);
  return state;
}

/** The bytes of a backup, as a server makes them. */
export async function backupOf(state: StateMachine, of: SnapshotHeader = header): Promise<Buffer> {
  const snapshot = state.openSnapshot();
  const pieces: Uint8Array[] = [];
  try {
    const encoded = encodeSnapshot(of, snapshot.chunks, snapshotFormat.digestOfAll, (sizeBytes) =>
      encodeBackupNote(note, sizeBytes),
    );
    for await (const piece of encoded) pieces.push(Buffer.from(piece));
  } finally {
    snapshot.close();
  }
  return Buffer.concat(pieces);
}

/** The bytes in blocks of at most `blockBytes`. */
export async function* blocksOf(bytes: Uint8Array, blockBytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += blockBytes) yield bytes.subarray(at, at + blockBytes);
}

/** Live keys, counted one by one. */
export function liveKeys(state: StateMachine): number {
  return state.store.stats().liveKeys;
}

export function idsOf(members: readonly Member[]): string[] {
  return members.map(({ id }) => id.toString(16));
}
