import {
  encoder,
  Reader,
  readAlarmRequest,
  readCompactionRequest,
  readDeleteRangeRequest,
  readLeaseId,
  readPutRequest,
  readTxnRequest,
  type Writer,
  writeAlarmRequest,
  writeCompactionRequest,
  writeDeleteRangeRequest,
  writeLeaseId,
  writePutRequest,
  writeTxnRequest,
} from "../../codec/index.ts";
import { DecodeError } from "../../lib/errors.ts";
import type { Command } from "./command.ts";

/**
 * Tells a command from every other, so that the member that proposed it finds who waits for its answer: the
 * member, its run (drawn anew when the process starts) and a count within the run. Both numbers are safe integers
 * that are not negative.
 */
export interface CommandId {
  readonly proposer: bigint;
  readonly runId: number;
  readonly sequence: number;
}

/** One entry of the log. */
export interface ProposedCommand {
  readonly id: CommandId;
  readonly command: Command;
}

const SEQUENCE_TAG = 0x18;

type CommandOf<K extends Command["kind"]> = Extract<Command, { kind: K }>;
type FixedLease = CommandOf<"leaseTick">["fixed"][number];

const encode = encoder((writer: Writer, { id, command }: ProposedCommand) => {
  writeCommand(writer, command);
  writer.int64(SEQUENCE_TAG, id.sequence);
  writer.int64(0x10, id.runId);
  writer.bigUint64(0x08, id.proposer);
});

/** The bytes of one log entry (proto/metastore.proto, Command). */
export function encodeCommand(id: CommandId, command: Command): Buffer {
  return encode({ id, command });
}

/**
 * Finds the commands of one run of one member among log entries without decoding them: the function gives the sequence
 * number of one of them, and 0 for any other entry.
 */
export function sequenceReader(run: Omit<CommandId, "sequence">): (entry: Uint8Array) => number {
  const prefix = encodeRun(run).subarray(0, -1);
  return (entry) => {
    if (entry.length < prefix.length) return 0;
    for (let i = 0; i < prefix.length; i++) if (entry[i] !== prefix[i]) return 0;
    let sequence = 0;
    let unit = 1;
    for (let i = prefix.length; i < entry.length; i++) {
      const byte = entry[i] as number;
      sequence += (byte & 0x7f) * unit;
      if (byte < 0x80) return sequence;
      unit *= 128;
    }
    return 0;
  };
}

/** How a command of the run begins: all that is before the value of its sequence number. */
const encodeRun = encoder((writer: Writer, { proposer, runId }: Omit<CommandId, "sequence">) => {
  writer.presentInt64(SEQUENCE_TAG, 0);
  writer.int64(0x10, runId);
  writer.bigUint64(0x08, proposer);
});

function writeCommand(writer: Writer, command: Command): void {
  switch (command.kind) {
    case "put":
      writer.message(0x22, command.request, writePutRequest);
      break;
    case "deleteRange":
      writer.message(0x2a, command.request, writeDeleteRangeRequest);
      break;
    case "txn":
      writer.message(0x32, command.request, writeTxnRequest);
      break;
    case "compaction":
      writer.message(0x3a, command.request, writeCompactionRequest);
      break;
    case "leaseGrant":
      writer.message(0x42, command, writeLeaseGrant);
      break;
    case "leaseRevoke":
      writer.message(0x4a, command.request, writeLeaseId);
      break;
    case "leaseTick":
      writer.message(0x52, command, writeLeaseTick);
      break;
    case "leaseFloat":
      writer.message(0x5a, command, writeLeaseFloat);
      break;
    case "alarm":
      writer.message(0x62, command.request, writeAlarmRequest);
      break;
    case "memberAttributes":
      writer.message(0x6a, command, writeMemberAttributes);
      break;
  }
}

/**
 * Throws DecodeError, also for a field this version does not know: to pass over it would be to apply something
 * else than the member that understands it.
 */
export function decodeCommand(bytes: Uint8Array): ProposedCommand {
  const reader = new Reader(bytes);
  let proposer = 0n;
  let runId = 0;
  let sequence = 0;
  let command: Command | undefined;
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        proposer = reader.bigUint64();
        break;
      case 0x10:
        runId = reader.uint64();
        break;
      case SEQUENCE_TAG:
        sequence = reader.uint64();
        break;
      case 0x22:
        command = { kind: "put", request: reader.message(readPutRequest) };
        break;
      case 0x2a:
        command = { kind: "deleteRange", request: reader.message(readDeleteRangeRequest) };
        break;
      case 0x32:
        command = { kind: "txn", request: reader.message(readTxnRequest) };
        break;
      case 0x3a:
        command = { kind: "compaction", request: reader.message(readCompactionRequest) };
        break;
      case 0x42:
        command = reader.message(readLeaseGrant);
        break;
      case 0x4a:
        command = { kind: "leaseRevoke", request: reader.message(readLeaseId) };
        break;
      case 0x52:
        command = reader.message(readLeaseTick);
        break;
      case 0x5a:
        command = reader.message(readLeaseFloat);
        break;
      case 0x62:
        command = { kind: "alarm", request: reader.message(readAlarmRequest) };
        break;
      case 0x6a:
        command = reader.message(readMemberAttributes);
        break;
      default:
        throw unknownField("a command", tag);
    }
  }
  if (command === undefined) throw new DecodeError("a command is of no known kind");
  return { id: { proposer, runId, sequence }, command };
}

function unknownField(what: string, tag: number): DecodeError {
  return new DecodeError(`${what} has the unknown field ${tag >>> 3}: was it written by a newer version?`);
}

function writeLeaseGrant(writer: Writer, command: CommandOf<"leaseGrant">): void {
  writer.int64(0x18, command.leaseTimeMs);
  writer.int64(0x10, command.ttl);
  writer.bigInt64(0x08, command.id);
}

function readLeaseGrant(reader: Reader): CommandOf<"leaseGrant"> {
  let id = 0n;
  let ttl = 0;
  let leaseTimeMs = 0;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.bigInt64();
    else if (tag === 0x10) ttl = reader.int64();
    else if (tag === 0x18) leaseTimeMs = reader.int64();
    else throw unknownField("a lease grant", tag);
  }
  return { kind: "leaseGrant", id, ttl, leaseTimeMs };
}

function writeLeaseTick(writer: Writer, command: CommandOf<"leaseTick">): void {
  writer.messages(0x12, command.fixed, writeFixedLease);
  writer.int64(0x08, command.leaseTimeMs);
}

function readLeaseTick(reader: Reader): CommandOf<"leaseTick"> {
  let leaseTimeMs = 0;
  const fixed: FixedLease[] = [];
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) leaseTimeMs = reader.int64();
    else if (tag === 0x12) fixed.push(reader.message(readFixedLease));
    else throw unknownField("a lease tick", tag);
  }
  return { kind: "leaseTick", leaseTimeMs, fixed };
}

function writeFixedLease(writer: Writer, lease: FixedLease): void {
  writer.int64(0x10, lease.deadlineMs);
  writer.bigInt64(0x08, lease.id);
}

function readFixedLease(reader: Reader): FixedLease {
  let id = 0n;
  let deadlineMs = 0;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.bigInt64();
    else if (tag === 0x10) deadlineMs = reader.int64();
    else throw unknownField("a fixed lease", tag);
  }
  return { id, deadlineMs };
}

function writeLeaseFloat(writer: Writer, command: CommandOf<"leaseFloat">): void {
  writer.packedBigInt64(0x0a, command.ids);
}

function readLeaseFloat(reader: Reader): CommandOf<"leaseFloat"> {
  const ids: bigint[] = [];
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) reader.packed(ids, readInt64);
    else if (tag === 0x08) ids.push(readInt64(reader));
    else throw unknownField("a lease float", tag);
  }
  return { kind: "leaseFloat", ids };
}

function readInt64(reader: Reader): bigint {
  return reader.bigInt64();
}

function writeMemberAttributes(writer: Writer, command: CommandOf<"memberAttributes">): void {
  writer.texts(0x1a, command.clientUrls);
  writer.text(0x12, command.name);
  writer.bigUint64(0x08, command.memberId);
}

function readMemberAttributes(reader: Reader): CommandOf<"memberAttributes"> {
  let memberId = 0n;
  let name = "";
  const clientUrls: string[] = [];
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) memberId = reader.bigUint64();
    else if (tag === 0x12) name = reader.text();
    else if (tag === 0x1a) clientUrls.push(reader.text());
    else throw unknownField("a member's attributes", tag);
  }
  return { kind: "memberAttributes", memberId, name, clientUrls };
}
