import { isUtf8 } from "node:buffer";
import { alarmAction, alarmType } from "../../codec/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { ServerNode } from "../node/index.ts";
import { LeaderMonitor } from "./leader-monitor.ts";
import type { CallContext, ServerStream } from "./transport.ts";

const nothing = (): void => {};

export interface GuardOptions {
  readonly electionTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * What is checked before a request's own content, in etcd's order (errors.md section 2): learner, client API
 * version, leader, then quota for what writes. Credentials will take their place here.
 */
export class Guard {
  readonly #node: ServerNode;
  readonly #log: Log;
  readonly #leaderMonitor: LeaderMonitor;
  #raisingAlarm: Promise<void> | undefined;

  constructor(node: ServerNode, options: GuardOptions) {
    this.#node = node;
    this.#log = options.log;
    this.#leaderMonitor = new LeaderMonitor(node, options.clock, options.electionTimeoutMs);
  }

  /**
   * Whether the call may go on to its content. `isServedByLearner`: Status and serializable ranges.
   * Throws RequestError learner, invalidClientApiVersion or noLeader.
   */
  admit(context: CallContext, isServedByLearner: boolean): void {
    if (this.#node.isLearner && !isServedByLearner) throw new RequestError("learner");
    const { metadata } = context;
    const version = metadata.get("client-api-version");
    if (version !== undefined && !isUtf8Header(version)) throw new RequestError("invalidClientApiVersion");
    if (this.#node.leaderId === 0n && metadata.get("hasleader") === "true") {
      throw new RequestError("noLeader");
    }
  }

  /**
   * The same for a stream. One that requires a leader is ended with noLeader, after `onLost` has run, when there is
   * none for three election timeouts; the answer stops that, and must be called when the stream ends otherwise.
   */
  admitStream(stream: ServerStream, onLost: () => void): () => void {
    this.admit(stream.context, false);
    if (stream.context.metadata.get("hasleader") !== "true") return nothing;
    return this.#leaderMonitor.watch(() => {
      onLost();
      stream.end(new RequestError("noLeader"));
    });
  }

  /**
   * Undefined when `costBytes` more fit in the quota. Otherwise the refusal: it raises the NOSPACE alarm through
   * the log, so that every member refuses from then on, and rejects with noSpace (semantics-kv-mvcc 10).
   */
  refuseByQuota(costBytes: number): Promise<never> | undefined {
    if (costBytes === 0 || this.#node.admits(costBytes)) return undefined;
    return this.#refuse();
  }

  async #refuse(): Promise<never> {
    // One proposal at a time, whatever the number of refused writes.
    this.#raisingAlarm ??= this.#raiseNoSpace().finally(() => {
      this.#raisingAlarm = undefined;
    });
    await this.#raisingAlarm;
    throw new RequestError("noSpace");
  }

  async #raiseNoSpace(): Promise<void> {
    const { memberId } = this.#node;
    const isRaised = this.#node
      .alarms()
      .some((alarm) => alarm.memberId === memberId && alarm.alarm === alarmType.noSpace);
    if (isRaised) return;
    try {
      await this.#node.propose({
        kind: "alarm",
        request: { action: alarmAction.activate, memberId, alarm: alarmType.noSpace },
      });
      this.#log.warn("the storage quota is used up: raised the NOSPACE alarm", {
        quotaBytes: this.#node.quotaBytes,
      });
    } catch (error) {
      // The write is refused all the same; the next one tries again.
      this.#log.error("could not raise the NOSPACE alarm", { error });
    }
  }
}

function isUtf8Header(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    if (value.charCodeAt(i) >= 0x80) return isUtf8(Buffer.from(value, "latin1"));
  }
  return true;
}
