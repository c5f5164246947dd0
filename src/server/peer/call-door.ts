import type { IncomingMessage, ServerResponse } from "node:http";
import { AssertionError } from "../../lib/assert.ts";
import type { Clock } from "../../lib/clock.ts";
import { DecodeError, RequestError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { PeerHandler } from "../node/index.ts";
import { isCallMethod, readBody } from "./caller.ts";
import { ERROR_HEADER, hexId } from "./headers.ts";
import { type Answer, send, textAnswer } from "./http-answers.ts";
import type { PeerLimits } from "./limits.ts";

/** Answers what peers ask with POST /raft/call/METHOD: small bodies, a bounded number at a time per peer. */
export class CallDoor {
  readonly #clock: Clock;
  readonly #limits: PeerLimits;
  readonly #log: Log;
  readonly #inFlight = new Map<bigint, number>();

  constructor(clock: Clock, limits: PeerLimits, log: Log) {
    this.#clock = clock;
    this.#limits = limits;
    this.#log = log;
  }

  async serve(
    handler: PeerHandler,
    peer: bigint,
    method: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const refuse = (answer: Answer): void => send(request, response, answer, this.#clock);
    const before = this.#inFlight.get(peer) ?? 0;
    if (!isCallMethod(method)) {
      refuse(textAnswer(404, "there is no such call"));
      return;
    }
    if (before >= this.#limits.callsInFlightMax) {
      refuse(errorAnswer(new RequestError("tooManyRequests")));
      return;
    }
    this.#inFlight.set(peer, before + 1);
    try {
      const body = await this.#body(request);
      if (body === undefined) {
        refuse(textAnswer(413, "the body of a call is too long, or took too long to come"));
        return;
      }
      const answer = await handler.answer(peer, method, body);
      if (answer.length > this.#limits.callBytesMax) throw new RequestError("requestTooLarge");
      response.writeHead(200, {
        "Content-Type": "application/octet-stream",
        "Content-Length": answer.length,
      });
      response.end(answer);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      if (error instanceof RequestError) refuse(errorAnswer(error));
      // Not read means not done: the caller may take it so.
      else if (error instanceof DecodeError) refuse(textAnswer(400, error.message));
      else {
        this.#log.error("answering a call of a peer failed", { peer: hexId(peer), method, error });
        refuse(textAnswer(500, "the call failed"));
      }
    } finally {
      const now = (this.#inFlight.get(peer) ?? 1) - 1;
      if (now === 0) this.#inFlight.delete(peer);
      else this.#inFlight.set(peer, now);
    }
  }

  /** Undefined when it is too long, breaks off or does not come in time. */
  async #body(request: IncomingMessage): Promise<Buffer | undefined> {
    const timer = this.#clock.after(this.#limits.callBodyTimeoutMs, () => request.destroy());
    try {
      return await readBody(request, this.#limits.callBytesMax);
    } catch {
      return undefined;
    } finally {
      timer.cancel();
    }
  }
}

/** The name of the error travels; its text is the same everywhere. */
function errorAnswer(error: RequestError): Answer {
  return textAnswer(409, error.message, { [ERROR_HEADER]: error.code });
}
