import type { Reader, Writer } from "../../codec/index.ts";
import { assert } from "../../lib/assert.ts";
import { DecodeError } from "../../lib/errors.ts";
import {
  type ConfState,
  type Entry,
  type EntryType,
  emptyConfState,
  entryType,
  type Message,
  type MessageType,
  messageType,
  type Snapshot,
  type SnapshotMetadata,
} from "../raft/index.ts";

const EMPTY_BYTES: Uint8Array = Buffer.alloc(0);
const ENTRY_TYPE_MAX = entryType.confChangeV2;

/** What members say to each other; every other type stays within one (raft-core-spec 1.1). */
const travelling = new Set<number>([
  messageType.prop,
  messageType.app,
  messageType.appResp,
  messageType.vote,
  messageType.voteResp,
  messageType.snap,
  messageType.heartbeat,
  messageType.heartbeatResp,
  messageType.transferLeader,
  messageType.timeoutNow,
  messageType.readIndex,
  messageType.readIndexResp,
  messageType.preVote,
  messageType.preVoteResp,
]);

/** Whether messages of this type go from member to member. */
export function isTravelling(type: number): type is MessageType {
  return travelling.has(type);
}

/** About what the message takes in a frame, in bytes. */
export function messageBytes(message: Message): number {
  let bytes = 48 + message.context.length;
  for (const entry of message.entries) bytes += entry.data.length + 16;
  return bytes;
}

/** metastorepb.PeerMessage. The message is of a travelling type: others stay in their member. */
export function writeMessage(writer: Writer, message: Message): void {
  assert(isTravelling(message.type), "a message of a local type stays in its member");
  writer.rawBytes(0x62, message.context);
  writer.int64(0x58, message.rejectHint);
  writer.bool(0x50, message.reject);
  writer.message(0x4a, message.snapshot, writeSnapshot);
  writer.int64(0x40, message.commit);
  writer.messages(0x3a, message.entries, writeEntry);
  writer.int64(0x30, message.index);
  writer.int64(0x28, message.logTerm);
  writer.int64(0x20, message.term);
  writer.bigUint64(0x18, message.from);
  writer.bigUint64(0x10, message.to);
  writer.int64(0x08, message.type);
}

/**
 * Reads messages of one frame. Entry data, contexts and snapshot data are views of the frame. Throws DecodeError for
 * what is malformed, of a local type, or beyond the number of entries that a frame may hold.
 */
export class MessageReader {
  #entriesLeft: number;
  readonly #readEntry = (reader: Reader): Entry => readEntry(reader);

  constructor(entriesMax: number) {
    this.#entriesLeft = entriesMax;
  }

  readonly read = (reader: Reader): Message => {
    let type: number = messageType.hup;
    let to = 0n;
    let from = 0n;
    let term = 0;
    let logTerm = 0;
    let index = 0;
    const entries: Entry[] = [];
    let commit = 0;
    let snapshot: Snapshot | undefined;
    let reject = false;
    let rejectHint = 0;
    let context = EMPTY_BYTES;
    while (reader.hasMore) {
      const tag = reader.tag();
      switch (tag) {
        case 0x08:
          type = reader.int32();
          break;
        case 0x10:
          to = reader.bigUint64();
          break;
        case 0x18:
          from = reader.bigUint64();
          break;
        case 0x20:
          term = reader.uint64();
          break;
        case 0x28:
          logTerm = reader.uint64();
          break;
        case 0x30:
          index = reader.uint64();
          break;
        case 0x3a:
          this.#entriesLeft--;
          if (this.#entriesLeft < 0) throw new DecodeError("a frame holds too many entries");
          entries.push(reader.message(this.#readEntry));
          break;
        case 0x40:
          commit = reader.uint64();
          break;
        case 0x4a:
          snapshot = reader.message(readSnapshot);
          break;
        case 0x50:
          reject = reader.bool();
          break;
        case 0x58:
          rejectHint = reader.uint64();
          break;
        case 0x62:
          context = reader.view();
          break;
        default:
          reader.skip(tag);
      }
    }
    if (!isTravelling(type)) throw new DecodeError(`messages of type ${type} do not travel between members`);
    return {
      type,
      to,
      from,
      term,
      logTerm,
      index,
      entries,
      commit,
      reject,
      rejectHint,
      context,
      hardState: undefined,
      snapshot,
      responses: [],
    };
  };
}

function writeEntry(writer: Writer, entry: Entry): void {
  writer.rawBytes(0x22, entry.data);
  writer.int64(0x18, entry.index);
  writer.int64(0x10, entry.term);
  writer.int64(0x08, entry.type);
}

function readEntry(reader: Reader): Entry {
  let type = 0;
  let term = 0;
  let index = 0;
  let data = EMPTY_BYTES;
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        type = reader.int32();
        break;
      case 0x10:
        term = reader.uint64();
        break;
      case 0x18:
        index = reader.uint64();
        break;
      case 0x22:
        data = reader.view();
        break;
      default:
        reader.skip(tag);
    }
  }
  if (type < 0 || type > ENTRY_TYPE_MAX) throw new DecodeError(`there are no entries of type ${type}`);
  return { term, index, type: type as EntryType, data };
}

function writeSnapshot(writer: Writer, snapshot: Snapshot): void {
  writer.message(0x12, snapshot.metadata, writeMetadata);
  writer.rawBytes(0x0a, snapshot.data);
}

function readSnapshot(reader: Reader): Snapshot {
  let data = EMPTY_BYTES;
  let metadata: SnapshotMetadata = { confState: emptyConfState, index: 0, term: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        data = reader.view();
        break;
      case 0x12:
        metadata = reader.message(readMetadata);
        break;
      default:
        reader.skip(tag);
    }
  }
  return { metadata, data };
}

function writeMetadata(writer: Writer, metadata: SnapshotMetadata): void {
  writer.int64(0x18, metadata.term);
  writer.int64(0x10, metadata.index);
  writer.message(0x0a, metadata.confState, writeConfState);
}

function readMetadata(reader: Reader): SnapshotMetadata {
  let confState = emptyConfState;
  let index = 0;
  let term = 0;
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        confState = reader.message(readConfState);
        break;
      case 0x10:
        index = reader.uint64();
        break;
      case 0x18:
        term = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { confState, index, term };
}

function writeConfState(writer: Writer, state: ConfState): void {
  writer.bool(0x28, state.autoLeave);
  writeIds(writer, 0x22, state.learnersNext);
  writeIds(writer, 0x1a, state.votersOutgoing);
  writeIds(writer, 0x12, state.learners);
  writeIds(writer, 0x0a, state.voters);
}

function readConfState(reader: Reader): ConfState {
  const voters: bigint[] = [];
  const learners: bigint[] = [];
  const votersOutgoing: bigint[] = [];
  const learnersNext: bigint[] = [];
  let autoLeave = false;
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        reader.packed(voters, readId);
        break;
      case 0x12:
        reader.packed(learners, readId);
        break;
      case 0x1a:
        reader.packed(votersOutgoing, readId);
        break;
      case 0x22:
        reader.packed(learnersNext, readId);
        break;
      case 0x28:
        autoLeave = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { voters, learners, votersOutgoing, learnersNext, autoLeave };
}

const readId = (reader: Reader): bigint => reader.bigUint64();

/** The same bits as an int64: a varint does not know the difference. */
function writeIds(writer: Writer, tag: number, ids: readonly bigint[]): void {
  writer.packedBigInt64(
    tag,
    ids.map((id) => BigInt.asIntN(64, id)),
  );
}
