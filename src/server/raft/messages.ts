import { type Message, type MessageType, messageType, NONE } from "./types.ts";

const NO_BYTES = new Uint8Array(0);

/** The fields that mean something for the type; the others are empty. */
export type MessageFields = Partial<Message> & Pick<Message, "type">;

export function makeMessage(fields: MessageFields): Message {
  return {
    type: fields.type,
    to: fields.to ?? NONE,
    from: fields.from ?? NONE,
    term: fields.term ?? 0,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    entries: fields.entries ?? [],
    commit: fields.commit ?? 0,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    context: fields.context ?? NO_BYTES,
    hardState: fields.hardState,
    snapshot: fields.snapshot,
    responses: fields.responses ?? [],
  };
}

const localTypes: ReadonlySet<MessageType> = new Set([
  messageType.hup,
  messageType.beat,
  messageType.unreachable,
  messageType.snapStatus,
  messageType.checkQuorum,
  messageType.storageAppend,
  messageType.storageAppendResp,
  messageType.storageApply,
  messageType.storageApplyResp,
]);

const responseTypes: ReadonlySet<MessageType> = new Set([
  messageType.appResp,
  messageType.voteResp,
  messageType.heartbeatResp,
  messageType.unreachable,
  messageType.readIndexResp,
  messageType.preVoteResp,
  messageType.storageAppendResp,
  messageType.storageApplyResp,
]);

/** A member sends it to itself or its storage only; from a peer it is refused. */
export function isLocalMessage(type: MessageType): boolean {
  return localTypes.has(type);
}

export function isResponseMessage(type: MessageType): boolean {
  return responseTypes.has(type);
}
