import { DecodeError } from "../../lib/errors.ts";

export const confChangeType = { addNode: 0, removeNode: 1, updateNode: 2, addLearnerNode: 3 } as const;
export type ConfChangeType = (typeof confChangeType)[keyof typeof confChangeType];

/** A change of one member (V1). `context` is the caller's: the state machine keeps the member's URLs in it. */
export interface ConfChange {
  readonly type: ConfChangeType;
  readonly nodeId: bigint;
  readonly context: Uint8Array;
}

const HEADER_BYTES = 9;

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
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    type: type as ConfChangeType,
    nodeId: view.getBigUint64(1),
    context: bytes.subarray(HEADER_BYTES),
  };
}
