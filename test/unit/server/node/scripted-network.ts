import type { Clock } from "../../../../src/lib/clock.ts";
import type { Peer, PeerHandler, PeerNetwork } from "../../../../src/server/node/index.ts";
import { type Message, type MessageType, messageType } from "../../../../src/server/raft/index.ts";
import type { StateSnapshot } from "../../../../src/server/state/index.ts";

/** All fields of a message that are not given are empty. */
export function message(fields: Partial<Message> & Pick<Message, "type">): Message {
  return {
    to: 0n,
    from: 0n,
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
    ...fields,
  };
}

/**
 * The other members as the test plays them. While obedient they vote for the member and take what it appends; what it
 * sends is taken down in any case.
 */
export class ScriptedNetwork implements PeerNetwork {
  readonly #clock: () => Clock;
  #handler: PeerHandler | undefined;
  isObedient = true;
  /** What the others say while obedient. */
  answerTo: (message: Message) => Message | undefined = answerTo;
  readonly sent: Message[] = [];
  readonly snapshots: Message[] = [];
  readonly calls: { readonly peer: bigint; readonly method: string }[] = [];
  peers: readonly Peer[] = [];

  /** `clock`: of the member, which gets another with each start. */
  constructor(clock: () => Clock) {
    this.#clock = clock;
  }

  get handler(): PeerHandler {
    if (this.#handler === undefined) throw new Error("the network was not started");
    return this.#handler;
  }

  /** What was sent of that type. */
  of(type: MessageType): Message[] {
    return this.sent.filter((each) => each.type === type);
  }

  start(handler: PeerHandler): void {
    this.#handler = handler;
  }

  setPeers(peers: readonly Peer[]): void {
    this.peers = peers;
  }

  send(messages: readonly Message[]): void {
    this.sent.push(...messages);
    if (!this.isObedient) return;
    const answers = messages.flatMap((each) => this.answerTo(each) ?? []);
    if (answers.length > 0) this.#clock().defer(() => this.handler.receive(answers));
  }

  sendSnapshot(sent: Message, state: StateSnapshot): void {
    this.snapshots.push(sent);
    state.close();
  }

  call(peer: bigint, method: string): Promise<Uint8Array> {
    this.calls.push({ peer, method });
    return new Promise(() => undefined);
  }

  connectedSinceMs(): number {
    return 0;
  }

  async close(): Promise<void> {}
}

/** A yes, to what there is to say yes to. */
export function answerTo({ type, to, from, term, index, entries, context }: Message): Message | undefined {
  const answer = { to: from, from: to, term };
  if (type === messageType.preVote) return message({ type: messageType.preVoteResp, ...answer });
  if (type === messageType.vote) return message({ type: messageType.voteResp, ...answer });
  if (type === messageType.heartbeat) return message({ type: messageType.heartbeatResp, ...answer, context });
  if (type !== messageType.app) return undefined;
  return message({ type: messageType.appResp, ...answer, index: index + entries.length });
}
