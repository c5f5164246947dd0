import { DecodeError } from "../../lib/errors.ts";
import { type Entry, entryType } from "./types.ts";

export const confChangeType = { addNode: 0, removeNode: 1, updateNode: 2, addLearnerNode: 3 } as const;
export type ConfChangeType = (typeof confChangeType)[keyof typeof confChangeType];

/** A change of one member (V1). `context` is the caller's: the state machine keeps the member's URLs in it. */
export interface ConfChange {
  readonly type: ConfChangeType;
  /** 0: no change; what an application hands to the core in place of a change that it refuses. */
  readonly nodeId: bigint;
  readonly context: Uint8Array;
}

/** auto: joint only for more than one change, left by itself. jointImplicit: left by itself. jointExplicit: not. */
export const confChangeTransition = { auto: 0, jointImplicit: 1, jointExplicit: 2 } as const;
export type ConfChangeTransition = (typeof confChangeTransition)[keyof typeof confChangeTransition];

export type ConfChangeSingle = Pick<ConfChange, "type" | "nodeId">;

/** Any number of changes at once (V2), by joint consensus where they need it. None, with auto: leave the joint state. */
export interface ConfChangeV2 {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
}

const HEADER_BYTES = 9;
const V2_HEADER_BYTES = 5;

/** Layout: type (1 byte), node id (8 bytes, big-endian), context. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + change.context.length);
  bytes[0] = change.type;
  new DataView(bytes.buffer).setBigUint64(1, change.nodeId);
  bytes.set(change.context, HEADER_BYTES);
  return bytes;
}

/** Throws DecodeError. */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  const type = bytes[0];
  if (type === undefined || type > confChangeType.addLearnerNode || bytes.length < HEADER_BYTES) {
    throw new DecodeError(`membership change of ${bytes.length} bytes is malformed`);
  }
  return {
    type: type as ConfChangeType,
    nodeId: viewOf(bytes).getBigUint64(1),
    context: bytes.subarray(HEADER_BYTES),
  };
}

/**
 * Layout: transition (1 byte), count of changes (4 bytes, big-endian), each as type (1 byte) and node id (8 bytes,
 * big-endian), context. A change that only leaves the joint state has no bytes at all.
 */
export function encodeConfChangeV2(change: ConfChangeV2): Uint8Array {
  const { transition, changes, context } = change;
  if (transition === confChangeTransition.auto && changes.length === 0 && context.length === 0) {
    return new Uint8Array(0);
  }
  const contextAt = V2_HEADER_BYTES + changes.length * HEADER_BYTES;
  const bytes = new Uint8Array(contextAt + context.length);
  const view = viewOf(bytes);
  bytes[0] = transition;
  view.setUint32(1, changes.length);
  for (const [i, { type, nodeId }] of changes.entries()) {
    const at = V2_HEADER_BYTES + i * HEADER_BYTES;
    bytes[at] = type;
    view.setBigUint64(at + 1, nodeId);
  }
  bytes.set(context, contextAt);
  return bytes;
}

/** Throws DecodeError. */
export function decodeConfChangeV2(bytes: Uint8Array): ConfChangeV2 {
  if (bytes.length === 0) return { transition: confChangeTransition.auto, changes: [], context: bytes };
  const malformed = () => new DecodeError(`joint membership change of ${bytes.length} bytes is malformed`);
  const transition = bytes[0]!;
  if (bytes.length < V2_HEADER_BYTES || transition > confChangeTransition.jointExplicit) throw malformed();
  const view = viewOf(bytes);
  const count = view.getUint32(1);
  const contextAt = V2_HEADER_BYTES + count * HEADER_BYTES;
  if (contextAt > bytes.length) throw malformed();
  const changes: ConfChangeSingle[] = [];
  for (let at = V2_HEADER_BYTES; at < contextAt; at += HEADER_BYTES) {
    const type = bytes[at]!;
    if (type > confChangeType.addLearnerNode) throw malformed();
    changes.push({ type: type as ConfChangeType, nodeId: view.getBigUint64(at + 1) });
  }
  return {
    transition: transition as ConfChangeTransition,
    changes,
    context: bytes.subarray(contextAt),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function isV2(change: ConfChange | ConfChangeV2): change is ConfChangeV2 {
  return "changes" in change;
}

/** A change of one member as one of many. */
export function asV2(change: ConfChange | ConfChangeV2): ConfChangeV2 {
  if (isV2(change)) return change;
  const { type, nodeId, context } = change;
  return { transition: confChangeTransition.auto, changes: [{ type, nodeId }], context };
}

/** The change that an entry of type confChange or confChangeV2 holds. Throws DecodeError. */
export function confChangeOf(entry: Pick<Entry, "type" | "data">): ConfChange | ConfChangeV2 {
  return entry.type === entryType.confChange ? decodeConfChange(entry.data) : decodeConfChangeV2(entry.data);
}

/** Whether the change goes through a joint configuration. */
export function entersJoint({ transition, changes }: ConfChangeV2): boolean {
  return transition !== confChangeTransition.auto || changes.length > 1;
}

/** Whether the joint configuration that the change enters is left as soon as it is applied. */
export function leavesByItself({ transition }: ConfChangeV2): boolean {
  return transition !== confChangeTransition.jointExplicit;
}

/** Whether all the change does is to leave the joint configuration. */
export function leavesJoint({ transition, changes }: ConfChangeV2): boolean {
  return transition === confChangeTransition.auto && changes.length === 0;
}
