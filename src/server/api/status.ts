import { AssertionError } from "../../lib/assert.ts";
import {
  DecodeError,
  errorTable,
  type GrpcCode,
  grpcCode,
  RequestError,
  StatusError,
  StorageFailure,
} from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";

/** How a call ended: a gRPC code and the text of `grpc-message`. */
export interface CallStatus {
  readonly code: GrpcCode;
  readonly text: string;
}

export const okStatus: CallStatus = { code: grpcCode.ok, text: "" };

/**
 * The one place where errors become answers (errors.md section 1). What has no row is code Unknown with its own
 * message; its stack goes to the log only. A failing disk answers "server stopped": the member is about to be.
 *
 * Throws AssertionError through: a broken invariant ends the process, it is not an answer.
 */
export function toStatus(error: unknown, log: Log): CallStatus {
  if (error instanceof RequestError) return { code: error.grpc, text: error.message };
  if (error instanceof StatusError) return { code: error.grpc, text: error.message };
  if (error instanceof DecodeError) {
    return { code: grpcCode.internal, text: `grpc: error unmarshalling request: ${error.message}` };
  }
  if (error instanceof AssertionError) throw error;
  if (error instanceof StorageFailure) {
    return { code: errorTable.stopped.grpc, text: errorTable.stopped.text };
  }
  log.error("request failed for an unforeseen reason", { error });
  const message = error instanceof Error ? error.message : String(error);
  return { code: grpcCode.unknown, text: firstLineOf(message) };
}

/** One line, and well-formed: a lone surrogate has no percent encoding. */
function firstLineOf(message: string): string {
  const line = message.split(/[\r\n]/, 1)[0] ?? "";
  return Buffer.from(line, "utf8").toString("utf8");
}
