import type { ServerHttp2Session } from "node:http2";
import type { Clock, Timer } from "../../../lib/clock.ts";
import { limits } from "../../../lib/limits.ts";

/**
 * Frees connections that are dead without a word. After some protocol errors (a header block that cannot be
 * decoded, say) Node sends GOAWAY and stops reading, but keeps the socket, and without reading it never learns that
 * the peer has left: each such connection would hold a file descriptor for hours.
 */
export class SessionLiveness {
  readonly #clock: Clock;
  readonly #answerMsMax: number;
  readonly #bytesRead = new Map<ServerHttp2Session, number>();
  #sweep: Timer | undefined;

  constructor(clock: Clock, answerMsMax: number) {
    this.#clock = clock;
    this.#answerMsMax = answerMsMax;
  }

  watch(session: ServerHttp2Session): void {
    this.#bytesRead.set(session, -1);
    session.once("close", () => this.#bytesRead.delete(session));
    this.#sweep ??= this.#clock.every(limits.connectionSilenceMsMax, () => this.#checkAll());
  }

  stop(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  #checkAll(): void {
    for (const [session, before] of this.#bytesRead) {
      // It has no socket any more from when it is destroyed, and says so when the socket has ended, which a peer that
      // reads nothing can hold up.
      if (session.destroyed) continue;
      const { bytesRead } = session.socket;
      if (bytesRead === before) this.#demandAnswer(session);
      else this.#bytesRead.set(session, bytesRead);
    }
  }

  #demandAnswer(session: ServerHttp2Session): void {
    const timer = this.#clock.after(this.#answerMsMax, () => session.destroy());
    const isSent = session.ping((error) => {
      timer.cancel();
      if (error) session.destroy();
    });
    if (!isSent) session.destroy();
  }
}
