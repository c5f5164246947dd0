import { RequestError } from "../../src/lib/errors.ts";
import type { Random } from "./random.ts";
import type { ClientSide } from "./seams.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { WorldMember } from "./world-member.ts";

/** What became of a call as its client knows it. */
export type CallOutcome<T> =
  | { readonly kind: "answered"; readonly value: T }
  /** The state refused it, as all members would. */
  | { readonly kind: "refused"; readonly error: RequestError }
  /** It surely had no effect. */
  | { readonly kind: "failed" }
  | { readonly kind: "unknown" };

/** Errors of a member that took nothing in. */
const harmless = new Set(["tooManyRequests", "notLeader", "learner"]);
const CLIENT_LATENCY_MS = 0.3;
/** From the end of a member until its clients see the connection break. */
const BROKEN_CONNECTION_MS = 5;

/** The way of clients to members: a connection that may break, an answer that may not come. */
export class ClientDoor {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #members: () => readonly WorldMember[];
  /** What is worked on: the run may end only when nothing is. */
  open = 0;

  constructor(time: VirtualTime, random: Random, members: () => readonly WorldMember[]) {
    this.#time = time;
    this.#random = random;
    this.#members = members;
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.#time.after(durationMs, "sleep", resolve));
  }

  /** A member that serves, paused ones too: clients cannot tell. */
  pick(random: Random): WorldMember | undefined {
    const serving = this.#members().filter((member) => member.client !== undefined);
    return serving.length === 0 ? undefined : random.pick(serving);
  }

  call<T>(
    member: WorldMember,
    work: (node: ClientSide) => Promise<T>,
    timeoutMs: number,
  ): Promise<CallOutcome<T>> {
    this.open++;
    return new Promise((resolve) => {
      let isOver = false;
      let isSent = false;
      const end = (outcome: CallOutcome<T>): void => {
        if (isOver) return;
        isOver = true;
        this.open--;
        member.waiting.delete(gone);
        timer.cancel();
        resolve(outcome);
      };
      const gone = (): void => {
        this.#time.after(BROKEN_CONNECTION_MS, "connection broken", () =>
          end({ kind: isSent ? "unknown" : "failed" }),
        );
      };
      const timer = this.#time.after(timeoutMs, "client timeout", () => end({ kind: "unknown" }));
      member.waiting.add(gone);
      this.#time.after(this.#latencyMs(), "client call", () =>
        member.process.run(() => {
          const node = member.client;
          if (node === undefined) {
            end({ kind: "failed" });
            return;
          }
          isSent = true;
          const answered = (outcome: CallOutcome<T>): void => {
            // Nothing leaves a process that is gone, and nothing one that stands still.
            member.process.run(() => {
              this.#time.after(this.#latencyMs(), "client answer", () => end(outcome));
            });
          };
          work(node).then(
            (value) => answered({ kind: "answered", value }),
            (error: unknown) => answered(failureOf(error)),
          );
        }),
      );
    });
  }

  #latencyMs(): number {
    return CLIENT_LATENCY_MS * (0.5 + this.#random.fraction());
  }
}

function failureOf(error: unknown): CallOutcome<never> {
  if (!(error instanceof RequestError)) throw error;
  if (error.kind === "request") return { kind: "refused", error };
  return { kind: harmless.has(error.code) ? "failed" : "unknown" };
}
