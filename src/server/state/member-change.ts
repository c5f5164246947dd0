import { decoder, encoder, type Reader, type Writer } from "../../codec/index.ts";
import { DecodeError } from "../../lib/errors.ts";
import type { CommandId } from "./command-codec.ts";

/** What a membership change of the log says beside its type and the member's id: the context of the ConfChange. */
export interface MemberChange {
  /** Who waits for the answer; all zero when nobody does. */
  readonly id: CommandId;
  readonly peerUrls: readonly string[];
  /** A voter is made of a learner that is there already. */
  readonly isPromotion: boolean;
  /** How many learners there may be, as its proposer was told; 0: not checked. In the log, so that all members agree. */
  readonly learnersMax: number;
}

const nobody: CommandId = { proposer: 0n, runId: 0, sequence: 0 };

/** The bytes of a change (proto/metastore.proto, MemberChange). */
export const encodeMemberChange = encoder((writer: Writer, change: MemberChange) => {
  writer.int64(0x30, change.learnersMax);
  writer.bool(0x28, change.isPromotion);
  writer.texts(0x22, change.peerUrls);
  writer.int64(0x18, change.id.sequence);
  writer.int64(0x10, change.id.runId);
  writer.bigUint64(0x08, change.id.proposer);
});

/** Throws DecodeError, also for a field this version does not know, as for commands. */
export const decodeMemberChange = decoder((reader: Reader): MemberChange => {
  let proposer = 0n;
  let runId = 0;
  let sequence = 0;
  const peerUrls: string[] = [];
  let isPromotion = false;
  let learnersMax = 0;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) proposer = reader.bigUint64();
    else if (tag === 0x10) runId = reader.uint64();
    else if (tag === 0x18) sequence = reader.uint64();
    else if (tag === 0x22) peerUrls.push(reader.text());
    else if (tag === 0x28) isPromotion = reader.bool();
    else if (tag === 0x30) learnersMax = reader.int64();
    else
      throw new DecodeError(
        `a member change has the unknown field ${tag >>> 3}: was it written by a newer version?`,
      );
  }
  return { id: { proposer, runId, sequence }, peerUrls, isPromotion, learnersMax };
});

/** A change that nobody waits for: the first members of a cluster. */
export function encodePeerUrls(peerUrls: readonly string[]): Uint8Array {
  return encodeMemberChange({ id: nobody, peerUrls, isPromotion: false, learnersMax: 0 });
}
