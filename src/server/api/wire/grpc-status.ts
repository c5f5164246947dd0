import { grpcCode } from "../../../lib/errors.ts";
import type { CallStatus } from "../status.ts";

const contentType = ["content-type", "application/grpc"] as const;
/** Printable ASCII without the percent sign; spaces at the ends of a header field do not survive the way. */
const plain = /^(?! )[\x20-\x24\x26-\x7e]*(?<! )$/;

/** Trailers of a call that has sent headers. */
export function trailersOf(status: CallStatus): string[] {
  return ["grpc-status", String(status.code), "grpc-message", percentEncoded(status.text)];
}

/** Headers and trailers in one, of a call that ends before it has sent anything. */
export function trailersOnly(status: CallStatus): string[] {
  return [":status", "200", ...contentType, ...trailersOf(status)];
}

export const deadlineExceeded: CallStatus = {
  code: grpcCode.deadlineExceeded,
  text: "context deadline exceeded",
};

export const unexpectedEnd: CallStatus = { code: grpcCode.internal, text: "unexpected EOF" };

export function oversized(bytes: number, bytesMax: number): CallStatus {
  return {
    code: grpcCode.resourceExhausted,
    text: `grpc: received message larger than max (${bytes} vs. ${bytesMax})`,
  };
}

/** gRPC over HTTP/2, "Status-Message": bytes of UTF-8 outside of printable ASCII, and the percent sign itself; spaces too. */
function percentEncoded(text: string): string {
  if (plain.test(text)) return text;
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    encoded +=
      byte > 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
