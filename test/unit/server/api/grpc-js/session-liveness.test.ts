import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { ServerHttp2Session } from "node:http2";
import { limits } from "../../../../../src/lib/limits.ts";
import { SessionLiveness } from "../../../../../src/server/api/grpc-js/session-liveness.ts";
import { SimClock } from "../../../../sim/clock.ts";

const ANSWER_MS = 20_000;

/** What liveness sees of a session: the bytes read, pings that are answered when the test says so. */
class FakeSession extends EventEmitter {
  destroyed = false;
  readonly #socket = { bytesRead: 0 };
  readonly pings: ((error: Error | null) => void)[] = [];
  isDestroyed = false;
  canPing = true;

  get socket(): { bytesRead: number } {
    if (this.destroyed) throw new TypeError("a destroyed session has no socket");
    return this.#socket;
  }

  ping(answered: (error: Error | null) => void): boolean {
    if (this.canPing) this.pings.push(answered);
    return this.canPing;
  }

  destroy(): void {
    this.isDestroyed = true;
    this.emit("close");
  }
}

describe("SessionLiveness", () => {
  let clock: SimClock;
  let liveness: SessionLiveness;
  let session: FakeSession;

  beforeEach(() => {
    clock = new SimClock();
    liveness = new SessionLiveness(clock, ANSWER_MS);
    session = new FakeSession();
    liveness.watch(session as unknown as ServerHttp2Session);
  });

  /** Until nothing was read for connectionSilenceMsMax: the second look finds what the first has seen. */
  const fallSilent = (): void => clock.advance(2 * limits.connectionSilenceMsMax);

  it("asks a connection that was silent for connectionSilenceMsMax, and cuts it when no answer comes", () => {
    fallSilent();
    assert.equal(session.pings.length, 1);
    clock.advance(ANSWER_MS - 1);
    assert.equal(session.isDestroyed, false);
    clock.advance(1);
    assert.equal(session.isDestroyed, true);
    fallSilent();
    assert.equal(session.pings.length, 1, "a closed session is not asked again");
  });

  it("lets a connection be from which something was read", () => {
    for (let i = 0; i < 5; i++) {
      session.socket.bytesRead++;
      clock.advance(limits.connectionSilenceMsMax);
    }
    assert.equal(session.pings.length, 0);
  });

  it("passes over a session that is destroyed and whose socket has not ended yet", () => {
    session.destroyed = true;
    fallSilent();
    assert.equal(session.pings.length, 0);
    session.emit("close");
    fallSilent();
    assert.equal(session.pings.length, 0);
  });

  it("keeps a silent connection that answers, and cuts one whose ping fails", () => {
    fallSilent();
    session.pings[0]?.(null);
    clock.advance(ANSWER_MS);
    assert.equal(session.isDestroyed, false);
    clock.advance(limits.connectionSilenceMsMax);
    session.pings[1]?.(new Error("gone"));
    assert.equal(session.isDestroyed, true);
  });

  it("cuts a silent connection that takes no ping", () => {
    session.canPing = false;
    fallSilent();
    assert.equal(session.isDestroyed, true);
  });

  it("looks no more after it was stopped, and again for the next connection", () => {
    liveness.stop();
    fallSilent();
    assert.equal(session.pings.length, 0);
    liveness.watch(new FakeSession() as unknown as ServerHttp2Session);
    fallSilent();
    assert.equal(session.pings.length, 1);
  });
});
