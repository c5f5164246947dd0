import { type GrpcCode, grpcCode } from "../../../lib/errors.ts";
import type { CallStatus } from "../status.ts";

const tooLarge = /^Received message larger than max \((\d+) vs\.? (\d+)\)$/;

/**
 * The statuses that @grpc/grpc-js makes by itself, in the words of grpc-go, because etcd's clients and their users
 * know those. What has no counterpart keeps its text.
 */
export function inGoWords(code: number, details: string): CallStatus {
  const size = tooLarge.exec(details);
  if (size) {
    return {
      code: grpcCode.resourceExhausted,
      text: `grpc: received message larger than max (${size[1]} vs. ${size[2]})`,
    };
  }
  if (code === grpcCode.deadlineExceeded) {
    return { code: grpcCode.deadlineExceeded, text: "context deadline exceeded" };
  }
  return { code: isGrpcCode(code) ? code : grpcCode.unknown, text: details };
}

function isGrpcCode(code: number): code is GrpcCode {
  return Number.isInteger(code) && code >= 0 && code <= grpcCode.unauthenticated;
}
