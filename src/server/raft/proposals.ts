import { assert } from "../../lib/assert.ts";
import { DecodeError } from "../../lib/errors.ts";
import { acknowledgeOwn, pushEntry, takeQuota } from "./append.ts";
import { asV2, type ConfChange, type ConfChangeV2, confChangeOf } from "./conf-change.ts";
import { describeConfChange, describeConfig, hex } from "./description.ts";
import { payloadBytes } from "./entry-run.ts";
import { broadcastAppend } from "./replication.ts";
import type { RaftState } from "./state.ts";
import { isJoint } from "./tracker.ts";
import { type Entry, entryType, NONE } from "./types.ts";

/** Proposals that reach a leader (raft-core-spec 10.3). */

/** What is proposed has neither term nor index yet. */
export type ProposedEntry = Pick<Entry, "type" | "data">;

const emptyEntry: ProposedEntry = { type: entryType.normal, data: new Uint8Array(0) };

/** False: dropped, nothing was appended. */
export function propose(raft: RaftState, entries: readonly ProposedEntry[]): boolean {
  assert(entries.length > 0, () => `${hex(raft.id)} stepped empty MsgProp`);
  if (!takesProposals(raft)) return false;
  let accepted: readonly ProposedEntry[] = entries;
  if (entries.some((entry) => entry.type !== entryType.normal)) {
    const checked = checkConfChanges(raft, entries);
    if (checked === undefined) return false;
    accepted = checked;
  }
  if (!takeQuota(raft, payloadBytes(accepted))) return false;
  for (const { type, data } of accepted) pushEntry(raft, type, data);
  acknowledgeOwn(raft);
  broadcastAppend(raft);
  return true;
}

/** As propose, of one normal entry. */
export function proposeData(raft: RaftState, data: Uint8Array): boolean {
  if (!takesProposals(raft) || !takeQuota(raft, data.length)) return false;
  pushEntry(raft, entryType.normal, data);
  acknowledgeOwn(raft);
  broadcastAppend(raft);
  return true;
}

function takesProposals(raft: RaftState): boolean {
  // This member was removed while it leads: it may still commit what it has, and takes nothing new.
  if (raft.tracker.get(raft.id) === undefined) return false;
  if (raft.leadTransferee === NONE) return true;
  raft.logger.debug(
    () =>
      `${hex(raft.id)} [term ${raft.term}] transfer leadership to ${hex(raft.leadTransferee)} is in progress; dropping proposal`,
  );
  return false;
}

/**
 * A membership change that does not fit now becomes an empty entry: the proposal still takes its place in the log,
 * and whoever waits for it learns that nothing changed. Undefined: one is malformed.
 */
function checkConfChanges(
  raft: RaftState,
  entries: readonly ProposedEntry[],
): readonly ProposedEntry[] | undefined {
  const accepted: ProposedEntry[] = [];
  for (const entry of entries) {
    if (entry.type === entryType.normal) {
      accepted.push(entry);
      continue;
    }
    const change = changeOf(raft, entry);
    if (change === undefined) return undefined;
    const refusal = raft.settings.disableConfChangeValidation ? undefined : refusalOf(raft, change);
    if (refusal !== undefined) {
      raft.logger.info(
        () =>
          `${hex(raft.id)} ignoring conf change ${describeConfChange(change)} at config ${describeConfig(raft.tracker.config)}: ${refusal}`,
      );
      accepted.push(emptyEntry);
      continue;
    }
    accepted.push(entry);
    raft.pendingConfIndex = raft.log.lastIndex() + accepted.length;
  }
  return accepted;
}

/** Why the change does not fit now. */
function refusalOf(raft: RaftState, change: ConfChange | ConfChangeV2): string | undefined {
  const { pendingConfIndex, log, tracker } = raft;
  if (pendingConfIndex > log.applied) {
    return `possible unapplied conf change at index ${pendingConfIndex} (applied to ${log.applied})`;
  }
  const wantsLeave = asV2(change).changes.length === 0;
  if (isJoint(tracker.config)) return wantsLeave ? undefined : "must transition out of joint config first";
  return wantsLeave ? "not in joint state; refusing empty conf change" : undefined;
}

function changeOf(raft: RaftState, entry: ProposedEntry): ConfChange | ConfChangeV2 | undefined {
  try {
    return confChangeOf(entry);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    // Another member's bytes must not end this one.
    raft.logger.warn(() => `${hex(raft.id)} dropping proposal: ${error.message}`);
    return undefined;
  }
}
