import type { CallPlan } from "./call-plan.ts";
import type { Difference } from "./outcome.ts";

/**
 * A difference from @grpc/grpc-js that is meant. It covers one field of the outcome, for calls of the names it
 * matches, and only with these two values (as JSON): anything else about the same call still counts as a failure.
 */
export interface HonestDifference {
  readonly reason: string;
  readonly plan: RegExp;
  readonly field: string;
  /** Of the reference. */
  readonly left: RegExp;
  /** Of the transport under test. */
  readonly right: RegExp;
}

export const honestDifferences: readonly HonestDifference[] = [
  {
    reason: "etcd answers application/grpc; grpc-js has no other answer than application/grpc+proto",
    plan: /./,
    field: "caller.contentType",
    left: /^"application\/grpc\+proto"$/,
    right: /^"application\/grpc"$/,
  },
  {
    reason: "etcd announces no encodings, and answers are never compressed",
    plan: /./,
    field: "caller.headers",
    left: /^\["grpc-accept-encoding: identity,deflate,gzip","grpc-encoding: identity"\]$/,
    right: /^undefined$|^\(nothing\)$|^\[\]$/,
  },
  {
    reason: "a caller that goes on sending is let go when its answer is complete, as grpc-go does",
    plan: /./,
    field: "caller.isLetGo",
    left: /^false$/,
    right: /^true$/,
  },
  {
    reason: "the same: RST_STREAM without an error",
    plan: /./,
    field: "caller.resetCode",
    left: /^\(nothing\)$/,
    right: /^0$/,
  },
  {
    reason: "grpc-go's words, which etcd's users know",
    plan: /compressed/,
    field: "caller.grpcMessage",
    left: /^"Received message compressed with unsupported encoding |^"Received message that decompresses to a size |^"Failed to decompress message"$/,
    right:
      /^"grpc: Decompressor is not installed for grpc-encoding |^"grpc: message after decompression larger |^"grpc: failed to decompress the received message"$/,
  },
  {
    reason: "bytes that are no message are an error, as in grpc-go; grpc-js forgets them",
    plan: /^garbage behind/,
    field: "caller.grpcStatus",
    left: /^"0"$/,
    right: /^"13"$/,
  },
  {
    reason: "bytes that are no message are an error, as in grpc-go; grpc-js forgets them",
    plan: /^garbage behind/,
    field: "caller.grpcMessage",
    left: /^""$/,
    right: /^"unexpected EOF"$/,
  },
  {
    reason: "bytes that are no message are an error, as in grpc-go; grpc-js forgets them",
    plan: /^garbage behind/,
    field: "handler.events",
    left: /"half-closed"/,
    right: /"told of the cancel"/,
  },
  {
    reason: "a path without a slash has grpc-go's answer; Node resets the stream",
    plan: /^unknown path$/,
    field: "caller.resetCode",
    left: /^1$/,
    right: /^0$/,
  },
  {
    reason: "a path without a slash has grpc-go's answer; Node resets the stream",
    plan: /^unknown path$/,
    field: "caller.status",
    left: /^\(nothing\)$/,
    right: /^200$/,
  },
  {
    reason: "a path without a slash has grpc-go's answer; Node resets the stream",
    plan: /^unknown path$/,
    field: "caller.contentType",
    left: /^\(nothing\)$/,
    right: /^"application\/grpc"$/,
  },
  {
    reason: "a path without a slash has grpc-go's answer; Node resets the stream",
    plan: /^unknown path$/,
    field: "caller.grpcStatus",
    left: /^\(nothing\)$/,
    right: /^"12"$/,
  },
  {
    reason: "a path without a slash has grpc-go's answer; Node resets the stream",
    plan: /^unknown path$/,
    field: "caller.grpcMessage",
    left: /^\(nothing\)$/,
    right: /^"malformed method name: /,
  },
  {
    reason: "a path without a slash has grpc-go's answer; Node resets the stream",
    plan: /^unknown path$/,
    field: "caller.isTrailersOnly",
    left: /^\(nothing\)$/,
    right: /^true$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "caller.status",
    left: /^200$/,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "caller.contentType",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "caller.headers",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "caller.grpcStatus",
    left: /^"0"$/,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "caller.grpcMessage",
    left: /^""$/,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "caller.messages",
    left: /./,
    right: /^\[\]$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "caller.resetCode",
    left: /^0$/,
    right: /^11$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "handler.metadata",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "handler.timeout",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "handler.isPeerNamed",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "handler.events",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "headers above the limit are refused from the first byte on; Node counts otherwise",
    plan: /^metadata around the limit$/,
    field: "handler",
    left: /^\(nothing\)$/,
    right: /^not called$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "caller.grpcStatus",
    left: /./,
    right: /^"13"$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "caller.grpcMessage",
    left: /./,
    right: /^"Invalid grpc-timeout value /,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "caller.messages",
    left: /./,
    right: /^\[\]$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "caller.headers",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "handler.metadata",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "handler.timeout",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "handler.isPeerNamed",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "handler.events",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "caller.isTrailersOnly",
    left: /^\(nothing\)$/,
    right: /^true$/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "handler",
    left: /^\(nothing\)$/,
    right: /^not called$/,
  },
  {
    reason: "the interface promises the first value of a key; Node joins them",
    plan: /./,
    field: "handler.metadata",
    left: /(: [^,]*.*, |cookie: a=1; b=2)/,
    right: /: /,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "caller.grpcStatus",
    left: /^"0"$/,
    right: /^"13"$/,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "caller.grpcMessage",
    left: /^""$/,
    right: /^"grpc: compressed flag set with identity or empty encoding"$/,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "caller.isTrailersOnly",
    left: /^\(nothing\)$/,
    right: /^true$/,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "caller.messages",
    left: /./,
    right: /^\[\]$/,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "handler.events",
    left: /message/,
    right: /^\["told of the cancel"\]$|^\(nothing\)$/,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "handler.metadata",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "handler.timeout",
    left: /^"none"$/,
    right: /^\(nothing\)$/,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "handler.isPeerNamed",
    left: /^true$/,
    right: /^\(nothing\)$/,
  },
  {
    reason: "a message marked as compressed without an encoding is refused, as in grpc-go",
    plan: /^compressed/,
    field: "handler",
    left: /^\(nothing\)$/,
    right: /^not called$/,
  },
  {
    reason: "a beginning that never ends is an error, as in grpc-go; grpc-js forgets it",
    plan: /^half a message/,
    field: "caller.grpcStatus",
    left: /^"0"$/,
    right: /^"13"$/,
  },
  {
    reason: "a beginning that never ends is an error, as in grpc-go; grpc-js forgets it",
    plan: /^half a message/,
    field: "caller.grpcMessage",
    left: /^""$/,
    right: /^"unexpected EOF"$/,
  },
  {
    reason: "a beginning that never ends is an error, as in grpc-go; grpc-js forgets it",
    plan: /^half a message/,
    field: "handler.events",
    left: /"half-closed"/,
    right: /"told of the cancel"/,
  },
  {
    reason: "a timeout that is none is refused, as in grpc-go; grpc-js reads what it can of it",
    plan: /^timeout that is (far away or )?none$/,
    field: "handler.timeout",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "HEAD is a method like any other to gRPC, as in grpc-go; Node sends no body to it",
    plan: /^method$/,
    field: "caller.isTrailersOnly",
    left: /^true$/,
    right: /^\(nothing\)$/,
  },
  {
    reason: "the same: the caller, Node, takes the body for an error",
    plan: /^method$/,
    field: "caller.resetCode",
    left: /^0$/,
    right: /^1$/,
  },
  {
    reason: "a refusal that crosses its caller's reset: grpc-js is a turn of the loop later with it",
    plan: /^\/etcdserverpb\.Watch\/Watch$/,
    field: "caller.status",
    left: /^\(nothing\)$/,
    right: /^200$/,
  },
  {
    reason: "a refusal that crosses its caller's reset: grpc-js is a turn of the loop later with it",
    plan: /^\/etcdserverpb\.Watch\/Watch$/,
    field: "caller.contentType",
    left: /^\(nothing\)$/,
    right: /^"application\/grpc"$/,
  },
  {
    reason: "a refusal that crosses its caller's reset: grpc-js is a turn of the loop later with it",
    plan: /^\/etcdserverpb\.Watch\/Watch$/,
    field: "caller.grpcStatus",
    left: /^\(nothing\)$/,
    right: /^"3"$/,
  },
  {
    reason: "a refusal that crosses its caller's reset: grpc-js is a turn of the loop later with it",
    plan: /^\/etcdserverpb\.Watch\/Watch$/,
    field: "caller.grpcMessage",
    left: /^\(nothing\)$/,
    right: /^"etcdserver: invalid client api version"$/,
  },
  {
    reason: "a refusal that crosses its caller's reset: grpc-js is a turn of the loop later with it",
    plan: /^\/etcdserverpb\.Watch\/Watch$/,
    field: "caller.isTrailersOnly",
    left: /^\(nothing\)$/,
    right: /^true$/,
  },
  {
    reason: "grpc-js may call the handler of a stream that is reset already, and never tell it",
    plan: /^reset at once$/,
    field: "handler",
    left: /^\(nothing\)$/,
    right: /^not called, or told of the cancel$/,
  },
  {
    reason: "grpc-js may call the handler of a stream that is reset already, and never tell it",
    plan: /^reset at once$/,
    field: "handler.timeout",
    left: /^"none"$/,
    right: /^\(nothing\)$/,
  },
  {
    reason: "grpc-js may call the handler of a stream that is reset already, and never tell it",
    plan: /^reset at once$/,
    field: "handler.metadata",
    left: /./,
    right: /^\(nothing\)$/,
  },
  {
    reason: "grpc-js may call the handler of a stream that is reset already, and never tell it",
    plan: /^reset at once$/,
    field: "handler.isPeerNamed",
    left: /^true$/,
    right: /^\(nothing\)$/,
  },
  {
    reason: "grpc-js may call the handler of a stream that is reset already, and never tell it",
    plan: /^reset at once$/,
    field: "handler.events",
    left: /"never ended"/,
    right: /^\(nothing\)$/,
  },
];

/** The entry that covers `difference`, or undefined. */
export function coverOf(
  plan: CallPlan,
  difference: Difference,
  table: readonly HonestDifference[] = honestDifferences,
): HonestDifference | undefined {
  return table.find(
    (entry) =>
      entry.field === difference.field &&
      entry.plan.test(plan.name) &&
      entry.left.test(difference.left) &&
      entry.right.test(difference.right),
  );
}
