import { type Message, type MessageType, messageType, NONE } from "./types.ts";

const blank: Message = {
  type: messageType.hup,
  to: NONE,
  from: NONE,
  term: 0,
  logTerm: 0,
  index: 0,
  entries: [],
  commit: 0,
  reject: false,
  rejectHint: 0,
  context: new Uint8Array(0),
  hardState: undefined,
  snapshot: undefined,
  responses: [],
};

/** The fields that mean something for the type; the others are empty. */
export type MessageFields = Partial<Message> & Pick<Message, "type">;

/** All messages have all fields in one order, so that code that reads them stays fast. */
export function makeMessage(fields: MessageFields): Message {
  return { ...blank, ...fields };
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
