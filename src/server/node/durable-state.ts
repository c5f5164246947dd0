import { DecodeError, StorageFailure } from "../../lib/errors.ts";
import type { LeaseRecord } from "../lease/index.ts";
import type { SnapshotMetadata } from "../raft/index.ts";
import { decodeStateChunk, encodeStateChunk, type StateMachine, type StateMeta } from "../state/index.ts";
import type { DiskEngine, EngineSeal } from "../storage/index.ts";

/** Where a state stands in the log. */
export type StatePosition = SnapshotMetadata;

/**
 * A state whose records are kept by an engine on disk: everything else that the log determines goes there too, in the
 * same writes, with the log index that it all belongs to. After a restart the log is applied from there on.
 */
export class DurableState {
  readonly #state: StateMachine;
  readonly #engine: DiskEngine;
  #position: StatePosition | undefined;

  constructor(state: StateMachine, engine: DiskEngine) {
    this.#state = state;
    this.#engine = engine;
  }

  /** Undefined: nothing has been applied. */
  get position(): StatePosition | undefined {
    return this.#position;
  }

  /** Brings the state to where the engine is. Before anything is applied. Throws StorageFailure. */
  recover(): void {
    const { meta, side, attachments } = this.#engine.recovered;
    if (meta !== undefined && meta.length > 0) {
      const found = decodeMeta(meta);
      const leases = side.map(({ value }) => decodeLease(value));
      this.#position = found.position;
      this.#state.recover(found.meta, leases, attachments);
    }
    this.#state.lessor.trackChanges();
    this.#engine.describeBy(() => this.#describe());
  }

  /** Everything up to `position` has been applied, and nothing behind it. */
  applied(position: StatePosition): void {
    this.#position = position;
    this.#engine.flushSoon();
  }

  /** The state as it is now, or later, is durable when it resolves. Rejects with StorageFailure. */
  sync(): Promise<void> {
    return this.#engine.sync();
  }

  /** Gives back what was removed. Writes and reads go on meanwhile. */
  defragment(): Promise<void> {
    return this.#engine.defragment();
  }

  #describe(): EngineSeal {
    if (this.#position === undefined) return { meta: new Uint8Array(0), changes: [] };
    return {
      meta: encodeMeta(this.#state.meta(), this.#position),
      changes: this.#state.lessor.takeChanges().map(({ id, record }) => ({
        name: leaseName(id),
        value: record === undefined ? undefined : encodeLease(record),
      })),
    };
  }
}

function leaseName(id: bigint): Buffer {
  const name = Buffer.alloc(8);
  name.writeBigInt64BE(id);
  return name;
}

function encodeLease(lease: LeaseRecord): Buffer {
  return encodeStateChunk({ meta: undefined, leases: [lease], records: [] });
}

function decodeLease(bytes: Buffer): LeaseRecord {
  const [lease] = decoded(() => decodeStateChunk(bytes).leases);
  if (lease === undefined) throw damaged();
  return lease;
}

/** The position as one line of JSON, then the meta data as the first chunk of a snapshot has them. */
function encodeMeta(meta: StateMeta, { index, term, confState }: StatePosition): Buffer {
  const hex = (ids: readonly bigint[]): string[] => ids.map((id) => id.toString(16));
  const position = JSON.stringify({
    index,
    term,
    voters: hex(confState.voters),
    learners: hex(confState.learners),
    votersOutgoing: hex(confState.votersOutgoing),
    learnersNext: hex(confState.learnersNext),
    autoLeave: confState.autoLeave,
  });
  return Buffer.concat([
    Buffer.from(`${position}\n`, "latin1"),
    encodeStateChunk({ meta, leases: [], records: [] }),
  ]);
}

function decodeMeta(bytes: Buffer): { readonly meta: StateMeta; readonly position: StatePosition } {
  const end = bytes.indexOf(0x0a);
  const { meta, position } = decoded(() => ({
    meta: decodeStateChunk(bytes.subarray(end + 1)).meta,
    position: JSON.parse(bytes.toString("latin1", 0, Math.max(0, end))) as Record<string, unknown>,
  }));
  const { index, term, autoLeave } = position;
  if (meta === undefined || typeof index !== "number" || typeof term !== "number") throw damaged();
  const ids = (value: unknown): bigint[] => {
    if (!Array.isArray(value)) throw damaged();
    return value.map((id: string) => BigInt(`0x${id}`));
  };
  const confState = {
    voters: ids(position["voters"]),
    learners: ids(position["learners"]),
    votersOutgoing: ids(position["votersOutgoing"]),
    learnersNext: ids(position["learnersNext"]),
    autoLeave: autoLeave === true,
  };
  return { meta, position: { index, term, confState } };
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError || error instanceof SyntaxError) throw damaged(error);
    throw error;
  }
}

function damaged(cause?: unknown): StorageFailure {
  return new StorageFailure(
    "the database is damaged: what it says of the state cannot be read",
    "The member stops rather than serve it. Remove the member and add it anew, or restore a snapshot.",
    { cause },
  );
}
