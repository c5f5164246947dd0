import type { ReadState } from "../raft/index.ts";
import type { ConfirmedRead } from "./reads.ts";

const CONTEXT_BYTES = 12;

/** A read's context as raft carries it: which run of the member asks (4 bytes), and which of its questions. */
export function encodeReadContext(runId: number, context: number): Uint8Array {
  const bytes = new Uint8Array(CONTEXT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, runId);
  view.setFloat64(4, context);
  return bytes;
}

/** Those that this run has asked for: an answer that was meant for an earlier run of this member is nobody's. */
export function readsOfRun(runId: number, states: readonly ReadState[]): ConfirmedRead[] {
  const reads: ConfirmedRead[] = [];
  for (const { index, context } of states) {
    const view = new DataView(context.buffer, context.byteOffset, context.byteLength);
    if (view.getUint32(0) === runId) reads.push({ index, context: view.getFloat64(4) });
  }
  return reads;
}
