import { constants, type ServerHttp2Session } from "node:http2";
import type { Clock } from "../../../lib/clock.ts";

/** Bytes that acknowledging one PING costs on the wire: a frame header of 9 and a payload of 8. */
const PING_ACK_BYTES = 17;
const STRIKES_MAX = 2;
/** A client without open calls may ping this often (grpc-go's rule). */
const IDLE_PING_MIN_MS = 7_200_000;
const tooManyPings = Buffer.from("too_many_pings");

/**
 * Closes sessions whose clients ping too much, by grpc-go's rules: a PING sooner than `minTimeMs` after the last
 * one (two hours when no call is open) is a strike, anything the server has sent in between forgives all strikes,
 * and the third strike ends the session with GOAWAY ENHANCE_YOUR_CALM. Source: errors.md section 4.
 */
export function enforcePingPolicy(session: ServerHttp2Session, minTimeMs: number, clock: Clock): void {
  let strikes = 0;
  let lastPingMs = Number.NEGATIVE_INFINITY;
  let sentBytesAtLastPing = 0;
  let openCalls = 0;
  session.on("stream", (stream) => {
    openCalls++;
    stream.once("close", () => {
      openCalls--;
    });
  });
  session.on("ping", () => {
    const nowMs = clock.nowMs();
    const sentBytes = session.socket.bytesWritten;
    if (sentBytes - sentBytesAtLastPing > PING_ACK_BYTES) strikes = 0;
    else if (nowMs - lastPingMs < (openCalls > 0 ? minTimeMs : IDLE_PING_MIN_MS)) strikes++;
    sentBytesAtLastPing = sentBytes;
    lastPingMs = nowMs;
    if (strikes <= STRIKES_MAX || session.destroyed) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, tooManyPings);
    session.close();
  });
}
