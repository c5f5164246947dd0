import { createPrng } from "../../../src/lib/prng.ts";
import type { Cluster, Member } from "../harness/index.ts";
import { CALL_TIMEOUT_MS, Connections } from "./connections.ts";
import { execute } from "./execute.ts";
import type { Recorder } from "./recorder.ts";

export interface ProbeOptions {
  readonly members: () => readonly Member[];
  readonly limitMs: number;
  /** A new write is sent this often, whatever became of those before. */
  readonly periodMs?: number;
}

/** Asks from outside whether the cluster takes writes: new ones all the time, none of which waits for another. */
export class Prober {
  readonly #recorder: Recorder;
  readonly #connections: Connections;
  readonly #waiting = new Set<Promise<unknown>>();

  constructor(cluster: Cluster, recorder: Recorder) {
    this.#recorder = recorder;
    this.#connections = new Connections(cluster, createPrng(1));
  }

  /** Milliseconds from now until the first acknowledgement of a write that was sent after now; undefined: none in time. */
  firstAcknowledged(options: ProbeOptions): Promise<number | undefined> {
    const beganMs = performance.now();
    return new Promise((resolve) => {
      let turn = 0;
      let isOver = false;
      const finish = (tookMs: number | undefined): void => {
        isOver = true;
        clearInterval(timer);
        resolve(tookMs);
      };
      const probe = (): void => {
        if (performance.now() - beganMs > options.limitMs) {
          finish(undefined);
          return;
        }
        const members = options.members();
        const member = members[turn % Math.max(1, members.length)];
        turn += 1;
        if (member === undefined) return;
        void this.put(member).then((isAcknowledged) => {
          if (isAcknowledged && !isOver) finish(performance.now() - beganMs);
        });
      };
      const timer = setInterval(probe, options.periodMs ?? 25);
      probe();
    });
  }

  /** One write by one member; whether it was acknowledged. */
  put(member: Member): Promise<boolean> {
    const put = { kind: "put", key: "probe", value: this.#recorder.newValue(), lease: "" } as const;
    const request = { kind: "txn", compares: [], success: [put], failure: [] } as const;
    return this.#send("probe write", member, request).then((revision) => revision !== undefined);
  }

  /** One linearizable read by one member: the revision it answered. */
  read(member: Member, timeoutMs = CALL_TIMEOUT_MS): Promise<number | undefined> {
    const request = { kind: "range", key: "probe", rangeEnd: "", revision: 0 } as const;
    return this.#send("probe read", member, request, timeoutMs);
  }

  /** Every call that is still open has ended. */
  async close(): Promise<void> {
    await Promise.all(this.#waiting);
    this.#connections.close();
  }

  async #send(
    kind: string,
    member: Member,
    request: Parameters<typeof execute>[1],
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<number | undefined> {
    const sent = this.#recorder.perform(kind, this.#recorder.newClient(), request, () =>
      execute(this.#connections.to(member), request, { timeoutMs }),
    );
    this.#waiting.add(sent);
    try {
      const { response } = await sent;
      return response === undefined || response.kind === "refused" ? undefined : response.revision;
    } finally {
      this.#waiting.delete(sent);
    }
  }
}
