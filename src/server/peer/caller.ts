import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Clock } from "../../lib/clock.ts";
import { type ErrorName, errorTable, RequestError } from "../../lib/errors.ts";
import type { Dialer } from "./dialer.ts";
import { ERROR_HEADER, paths } from "./headers.ts";
import type { PeerLimits } from "./limits.ts";

/** Nobody was asked: the connection could not be made, or the peer refused at its door. */
const surelyNotReceived = (): RequestError => new RequestError("timeoutConnectionLost");
/** The peer may have done what it was asked for. */
const unknownOutcome = (): RequestError => new RequestError("timeout");

const methodPattern = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;

export interface CallOptions {
  readonly urls: readonly string[];
  readonly headers: OutgoingHttpHeaders;
  readonly method: string;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
}

export function isCallMethod(method: string): boolean {
  return methodPattern.test(method);
}

/** Asks other members, over connections that are kept. All rejections are RequestError. */
export class Caller {
  readonly #dialer: Dialer;
  readonly #clock: Clock;
  readonly #limits: PeerLimits;
  readonly #running = new Set<() => void>();
  #isClosed = false;

  constructor(dialer: Dialer, clock: Clock, limits: PeerLimits) {
    this.#dialer = dialer;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * The peer's answer. Rejects with the RequestError that it answered; with timeoutConnectionLost when it surely was
   * not asked, requestTooLarge for a body beyond callBytesMax, stopped when this member closes, else timeout.
   */
  async call(options: CallOptions): Promise<Uint8Array> {
    if (options.body.length > this.#limits.callBytesMax) throw new RequestError("requestTooLarge");
    const deadlineMs = this.#clock.nowMs() + options.timeoutMs;
    for (const url of options.urls) {
      if (this.#isClosed) throw new RequestError("stopped");
      const remainingMs = deadlineMs - this.#clock.nowMs();
      if (remainingMs <= 0) break;
      const answer = await this.#attempt(url, options, remainingMs);
      if (answer !== undefined) return answer;
    }
    if (this.#isClosed) throw new RequestError("stopped");
    throw surelyNotReceived();
  }

  /** Ends all calls that wait. */
  close(): void {
    this.#isClosed = true;
    for (const stop of this.#running) stop();
  }

  /** Undefined: this URL was not reached, so another may be tried. */
  #attempt(url: string, options: CallOptions, timeoutMs: number): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      let request: ClientRequest;
      try {
        request = this.#dialer.request({
          url,
          method: "POST",
          path: paths.call + options.method,
          headers: {
            ...options.headers,
            "Content-Type": "application/octet-stream",
            "Content-Length": options.body.length,
          },
          isShared: true,
        });
      } catch {
        resolve(undefined);
        return;
      }
      let isConnected = false;
      let isAnswered = false;
      const settle = (outcome: Uint8Array | RequestError | undefined): void => {
        timer.cancel();
        this.#running.delete(stop);
        if (outcome instanceof RequestError) reject(outcome);
        else resolve(outcome);
      };
      const stop = (): void => {
        settle(new RequestError("stopped"));
        request.destroy();
      };
      const timer = this.#clock.after(timeoutMs, () => {
        settle(isConnected ? unknownOutcome() : undefined);
        request.destroy();
      });
      this.#running.add(stop);
      request.on("socket", (socket) => {
        // A connection that is kept was made before; over TLS nothing leaves before the handshake is done.
        if (request.reusedSocket || !socket.connecting) isConnected = true;
        else socket.once(url.startsWith("https:") ? "secureConnect" : "connect", () => (isConnected = true));
      });
      request.on("error", () => settle(isConnected ? unknownOutcome() : undefined));
      request.on("close", () => {
        // A connection may be done with before its answer is read.
        if (!isAnswered) settle(isConnected ? unknownOutcome() : undefined);
      });
      request.on("response", (response) => {
        isAnswered = true;
        this.#read(response).then(
          (answer) => settle(answer),
          () => {
            settle(unknownOutcome());
            request.destroy();
          },
        );
      });
      request.end(options.body);
    });
  }

  async #read(response: IncomingMessage): Promise<Uint8Array | RequestError> {
    const body = await readBody(response, this.#limits.callBytesMax);
    const status = response.statusCode ?? 0;
    if (status === 200) return body;
    const name = response.headers[ERROR_HEADER];
    if (typeof name === "string" && isErrorName(name)) return new RequestError(name);
    // Every other refusal but 500 comes before the member is asked.
    return (status >= 400 && status < 500) || status === 503 ? surelyNotReceived() : unknownOutcome();
  }
}

/** Rejects when the body is longer than `bytesMax` or breaks off. */
export async function readBody(message: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  // Not destroyed when it is too long: its sender is still to be answered.
  for await (const part of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw new RequestError("requestTooLarge");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function isErrorName(name: string): name is ErrorName {
  return Object.hasOwn(errorTable, name);
}
