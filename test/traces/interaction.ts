import { describeProgress, describeRole } from "../../src/server/raft/description.ts";
import {
  LOCAL_APPEND,
  LOCAL_APPLY,
  type Message,
  messageType,
  stepError,
} from "../../src/server/raft/index.ts";
import { makeMessage } from "../../src/server/raft/messages.ts";
import { readAddition } from "./add-nodes.ts";
import { readConfChange } from "./conf-change-input.ts";
import type { Directive } from "./directives.ts";
import { parseLevel, TraceOutput } from "./output.ts";
import { printEntry, printMessage, printReady } from "./printing.ts";
import { ELECTION_TICKS, TraceNode } from "./trace-node.ts";

interface Recipient {
  readonly id: bigint;
  readonly isDropped: boolean;
}

/**
 * Members, the messages between them, and the directives that move them (datadriven-format sections 2 and 3). One
 * per file.
 */
export class Interaction {
  readonly #nodes: TraceNode[] = [];
  #messages: Message[] = [];
  readonly #output = new TraceOutput();
  readonly #commands: ReadonlyMap<string, (directive: Directive) => void> = new Map([
    ["_breakpoint", () => {}],
    ["log-level", ({ args }) => this.#setLevel(args[0]?.key ?? "")],
    ["add-nodes", (directive) => this.#addNodes(directive)],
    ["process-ready", (directive) => this.#forEach(directive, "handling Ready", this.#processReady)],
    [
      "process-append-thread",
      (directive) => this.#forEach(directive, "processing append thread", this.#processAppend),
    ],
    [
      "process-apply-thread",
      (directive) => this.#forEach(directive, "processing apply thread", this.#processApply),
    ],
    ["deliver-msgs", (directive) => this.#deliverMessages(directive)],
    ["stabilize", (directive) => this.#stabilize(directive)],
    ["raft-state", () => this.#printStates()],
    [
      "transfer-leadership",
      (directive) =>
        this.#node(optionOf(directive, "from")).raw.transferLeader(BigInt(optionOf(directive, "to"))),
    ],
  ] satisfies [string, (directive: Directive) => void][]);
  /** Those whose first argument is a node. */
  readonly #nodeCommands: ReadonlyMap<string, (node: TraceNode, directive: Directive) => void> = new Map([
    ["campaign", ({ raw }) => raw.campaign()],
    ["propose", ({ raw }, { args }) => refuseDropped(raw.propose(Buffer.from(args[1]?.key ?? "")))],
    [
      "propose-conf-change",
      ({ raw }, directive) => refuseDropped(raw.proposeConfChange(readConfChange(directive))),
    ],
    [
      "read-index",
      ({ raw }, { args }) => {
        if (!raw.readIndex(Buffer.from(args[1]?.key ?? ""))) throw new Error("no leader known");
      },
    ],
    ["tick-election", (node) => this.#tick(node, ELECTION_TICKS)],
    ["tick-heartbeat", (node) => this.#tick(node, 1)],
    [
      "set-randomized-election-timeout",
      ({ raw }, directive) => {
        raw.state.randomizedElectionTimeout = Number(optionOf(directive, "timeout"));
      },
    ],
    ["forget-leader", ({ raw }) => raw.forgetLeader()],
    ["report-unreachable", ({ raw }, { args }) => raw.reportUnreachable(BigInt(args[1]?.key ?? ""))],
    [
      "report-snapshot",
      ({ raw }, { args }) => raw.reportSnapshot(BigInt(args[1]?.key ?? ""), args[2]?.key !== "failed"),
    ],
    ["send-snapshot", (node, { args }) => this.#sendSnapshot(node, BigInt(args[1]?.key ?? ""))],
    [
      "compact",
      (node, { args }) => {
        node.storage.compact(Number(args[1]?.key));
        this.#printLog(node);
      },
    ],
    ["raft-log", (node) => this.#printLog(node)],
    [
      "status",
      ({ raw }) => {
        for (const peer of raw.status().peers) this.#output.line(`${peer.id}: ${describeProgress(peer)}`);
      },
    ],
  ] satisfies [string, (node: TraceNode, directive: Directive) => void][]);

  /** Throws AssertionError where the core does. */
  run(directive: Directive): string {
    const output = this.#output;
    output.clear();
    try {
      this.#handle(directive);
    } catch (error) {
      // What went wrong in the trace is output like any other; a core that stops is not.
      if (!(error instanceof Error) || error.constructor !== Error) throw error;
      return output.isQuiet ? error.message : output.text + error.message;
    }
    return output.text === "" ? "ok" : output.text;
  }

  #handle(directive: Directive): void {
    const { command, args } = directive;
    const work = this.#commands.get(command);
    if (work !== undefined) {
      work(directive);
      return;
    }
    const workOfNode = this.#nodeCommands.get(command);
    if (workOfNode === undefined) throw new Error(`unknown command ${command}`);
    workOfNode(this.#node(args[0]?.key ?? ""), directive);
  }

  #node(id: string | bigint): TraceNode {
    const node = this.#nodes[Number(id) - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  #setLevel(text: string): void {
    this.#output.level = parseLevel(text);
  }

  #addNodes(directive: Directive): void {
    const { count, snapshot, config } = readAddition(directive.args);
    for (let i = 0; i < count; i++) {
      this.#nodes.push(new TraceNode(this.#nodes.length + 1, snapshot, config, this.#output.logger));
    }
  }

  #tick(node: TraceNode, count: number): void {
    for (let i = 0; i < count; i++) node.raw.tick();
  }

  /** One node: its output alone; several: each under a header. */
  #forEach({ args }: Directive, header: string, work: (node: TraceNode) => void): void {
    const nodes = args.map(({ key }) => this.#node(key));
    for (const node of nodes) {
      if (nodes.length === 1) work(node);
      else this.#section(node, header, () => work(node));
    }
  }

  #section(node: TraceNode, header: string, work: () => void): void {
    this.#output.line(`> ${node.id} ${header}`);
    this.#output.indented(work);
  }

  readonly #processReady = (node: TraceNode): void => {
    const ready = node.raw.ready();
    this.#output.print(printReady(ready));
    if (!node.isAsync) {
      node.append(ready.hardState, ready.entries, ready.snapshot);
      node.apply(ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (message.to === LOCAL_APPEND) node.appendWork.push(message);
      else if (message.to === LOCAL_APPLY) node.applyWork.push(message);
      else this.#messages.push(message);
    }
    if (!node.isAsync) node.raw.advance();
  };

  readonly #processAppend = (node: TraceNode): void => {
    const message = node.appendWork.shift();
    if (message === undefined) {
      this.#output.print("no append work to perform");
      return;
    }
    this.#processWork(message, () => node.append(message.hardState, message.entries, message.snapshot));
  };

  readonly #processApply = (node: TraceNode): void => {
    const message = node.applyWork.shift();
    if (message === undefined) {
      this.#output.print("no apply work to perform");
      return;
    }
    this.#processWork(message, () => node.apply(message.entries));
  };

  #processWork(message: Message, work: () => void): void {
    const output = this.#output;
    output.line("Processing:");
    output.line(printMessage({ ...message, responses: [] }));
    work();
    output.line("Responses:");
    for (const response of message.responses) output.line(printMessage(response));
    this.#messages.push(...message.responses);
  }

  #deliverMessages({ args }: Directive): void {
    const recipients: Recipient[] = [];
    let type: string | undefined;
    for (const { key, values } of args) {
      if (key === "drop") recipients.push(...values.map((id) => ({ id: BigInt(id), isDropped: true })));
      else if (key === "type") type = values[0];
      else recipients.push({ id: BigInt(key), isDropped: false });
    }
    const matches = (message: Message) => type === undefined || messageType[typeKey(type)] === message.type;
    if (this.#deliver(recipients, matches) === 0) this.#output.line("no messages");
  }

  /** Returns how many messages there were. */
  #deliver(recipients: readonly Recipient[], matches: (message: Message) => boolean): number {
    let count = 0;
    for (const { id, isDropped } of recipients) {
      const taken: Message[] = [];
      const left: Message[] = [];
      for (const message of this.#messages) {
        const isTaken = message.to === id && !(isDropped && isLocal(message)) && matches(message);
        (isTaken ? taken : left).push(message);
      }
      this.#messages = left;
      count += taken.length;
      for (const message of taken) {
        this.#output.line(`${isDropped ? "dropped: " : ""}${printMessage(message)}`);
        if (isDropped) continue;
        const error = this.#node(id).raw.tryStep(message);
        if (error !== undefined) this.#output.line(error);
      }
    }
    return count;
  }

  /** Works until nothing is left to do. */
  #stabilize({ args }: Directive): void {
    const output = this.#output;
    const levelBefore = output.level;
    let nodes: readonly TraceNode[] = this.#nodes;
    for (const { key, values } of args) if (key === "log-level") this.#setLevel(values[0] ?? "");
    const ids = args.filter(({ key }) => key !== "log-level");
    if (ids.length > 0) nodes = ids.map(({ key }) => this.#node(key));
    while (this.#stabilizeOnce(nodes)) {}
    output.level = levelBefore;
  }

  /** False: there was nothing to do. */
  #stabilizeOnce(nodes: readonly TraceNode[]): boolean {
    let hasWorked = false;
    const during = (node: TraceNode, header: string, work: () => void) => {
      hasWorked = true;
      this.#section(node, header, work);
    };
    for (const node of nodes) {
      if (node.raw.hasReady()) during(node, "handling Ready", () => this.#processReady(node));
    }
    for (const node of nodes) {
      const id = BigInt(node.id);
      if (!this.#messages.some((message) => message.to === id)) continue;
      during(node, "receiving messages", () => this.#deliver([{ id, isDropped: false }], () => true));
    }
    for (const node of nodes) {
      if (node.appendWork.length === 0) continue;
      during(node, "processing append thread", () => {
        while (node.appendWork.length > 0) this.#processAppend(node);
      });
    }
    for (const node of nodes) {
      if (node.applyWork.length === 0) continue;
      during(node, "processing apply thread", () => {
        while (node.applyWork.length > 0) this.#processApply(node);
      });
    }
    return hasWorked;
  }

  #sendSnapshot(node: TraceNode, to: bigint): void {
    const snapshot = node.history.at(-1)!;
    const from = BigInt(node.id);
    const message = makeMessage({ type: messageType.snap, to, from, term: node.raw.term, snapshot });
    this.#messages.push(message);
    this.#output.print(printMessage(message));
  }

  #printStates(): void {
    for (const { id, raw } of this.#nodes) {
      const { softState, confState, hardState } = raw.status();
      const isVoter = [...confState.voters, ...confState.votersOutgoing].includes(BigInt(id));
      this.#output.line(
        `${id}: ${describeRole(softState.role)} (${isVoter ? "Voter" : "Non-Voter"}) Term:${hardState.term} Lead:${softState.leader}`,
      );
    }
  }

  #printLog({ storage }: TraceNode): void {
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    if (last < first) {
      this.#output.print(`log is empty: first index=${first}, last index=${last}`);
      return;
    }
    for (const entry of storage.entries(first, last + 1, Number.POSITIVE_INFINITY)) {
      this.#output.line(printEntry(entry));
    }
  }
}

function optionOf({ args }: Directive, key: string): string {
  const value = args.find((argument) => argument.key === key)?.values[0];
  if (value === undefined) throw new Error(`${key} must be given`);
  return value;
}

function refuseDropped(isTaken: boolean): void {
  if (!isTaken) throw new Error(stepError.proposalDropped);
}

/** MsgAppResp is appResp in our table. */
function typeKey(name: string): keyof typeof messageType {
  const key = name.replace(/^Msg(.)/, (_, letter: string) => letter.toLowerCase());
  if (!(key in messageType)) throw new Error(`unknown message type ${name}`);
  return key as keyof typeof messageType;
}

/** Between a member and its own storage: never lost. */
function isLocal({ from, to }: Message): boolean {
  const isThread = (id: bigint) => id === LOCAL_APPEND || id === LOCAL_APPLY;
  return from === to || isThread(from) || isThread(to);
}
