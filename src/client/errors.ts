import { type ErrorName, errorTable, type GrpcCode, grpcCode } from "../lib/errors.ts";

/** The gRPC status names, as grpc.io writes them. */
const statusNames = {
  [grpcCode.ok]: "OK",
  [grpcCode.canceled]: "CANCELLED",
  [grpcCode.unknown]: "UNKNOWN",
  [grpcCode.invalidArgument]: "INVALID_ARGUMENT",
  [grpcCode.deadlineExceeded]: "DEADLINE_EXCEEDED",
  [grpcCode.notFound]: "NOT_FOUND",
  [grpcCode.alreadyExists]: "ALREADY_EXISTS",
  [grpcCode.permissionDenied]: "PERMISSION_DENIED",
  [grpcCode.resourceExhausted]: "RESOURCE_EXHAUSTED",
  [grpcCode.failedPrecondition]: "FAILED_PRECONDITION",
  [grpcCode.aborted]: "ABORTED",
  [grpcCode.outOfRange]: "OUT_OF_RANGE",
  [grpcCode.unimplemented]: "UNIMPLEMENTED",
  [grpcCode.internal]: "INTERNAL",
  [grpcCode.unavailable]: "UNAVAILABLE",
  [grpcCode.dataLoss]: "DATA_LOSS",
  [grpcCode.unauthenticated]: "UNAUTHENTICATED",
} as const satisfies Record<GrpcCode, string>;
export type StatusName = (typeof statusNames)[GrpcCode];

/**
 * What a failed call left behind. "not-applied": the store did not change. "unknown": the request may have been
 * applied, or may be applied still; read before you write again.
 */
export type Outcome = "not-applied" | "unknown";

export interface MetaStoreErrorFields {
  readonly grpc: number;
  /** The server's text, or what the transport said. */
  readonly message: string;
  readonly endpoint: string;
  readonly outcome: Outcome;
  /** Whether the same call may succeed a moment later. */
  readonly retryable: boolean;
  readonly cause?: unknown;
}

/** Every failure of a call, a watch or a lease. Tell them apart by `etcdCode` where it is set, else by `code`. */
export class MetaStoreError extends Error {
  override readonly name: string = "MetaStoreError";
  /** The gRPC status name. */
  readonly code: StatusName;
  /** The row of the error table that the server's text names; undefined for transport failures and texts of its own. */
  readonly etcdCode: ErrorName | undefined;
  /** host:port of the server that answered or could not be reached. */
  readonly endpoint: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;

  constructor(fields: MetaStoreErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = statusNames[fields.grpc as GrpcCode] ?? "UNKNOWN";
    this.etcdCode = errorNameOf(fields.message);
    this.endpoint = fields.endpoint;
    this.outcome = fields.outcome;
    this.retryable = fields.retryable;
  }
}

/** A watch asked for revisions that compaction has removed: list the range again and watch from there. */
export class CompactedError extends MetaStoreError {
  override readonly name = "CompactedError";
  /** The oldest revision that can still be watched. */
  readonly compactRevision: number;

  constructor(compactRevision: number, endpoint: string) {
    super({
      grpc: errorTable.compacted.grpc,
      message: errorTable.compacted.text,
      endpoint,
      outcome: "not-applied",
      retryable: false,
    });
    this.compactRevision = compactRevision;
  }
}

const namesByText = new Map<string, ErrorName>(
  (Object.keys(errorTable) as ErrorName[]).map((name) => [errorTable[name].text, name]),
);

/** The row whose text `message` is; etcd's clients tell errors apart by the text (errors.md section 1). */
export function errorNameOf(message: string): ErrorName | undefined {
  return namesByText.get(message);
}

const learnerText = "etcdserver: rpc not supported for learner";
const tokenTexts = new Set([
  "etcdserver: invalid auth token",
  "etcdserver: revision of auth store is old",
  "etcdserver: user name is empty",
]);

/** Another member may serve what a learner refuses. */
export function isLearnerRefusal(message: string): boolean {
  return message === learnerText;
}

/** Whether the member behind a failed call may be cut off: the next call does better to begin with another one. */
export function isMemberTrouble(grpc: number): boolean {
  return grpc === grpcCode.unavailable || grpc === grpcCode.deadlineExceeded;
}

/** The token is missing, old or forgotten by the server: authenticating again helps (errors.md section 5). */
export function isTokenRefusal(message: string): boolean {
  return tokenTexts.has(message);
}

/** The server refused before it proposed anything, although its code alone would not say so. */
const refusedByName = new Set<ErrorName>([
  "tooManyRequests",
  "notLeader",
  "noSpace",
  "memberNotEnoughStarted",
  "unhealthy",
]);
/** The server's transport refuses a request above its size limit before any service sees it. */
const oversizedRequest = /received message larger than max/i;
/** Codes that mean "looked at and refused"; the rest (timeouts, lost connections, surprises) leave a doubt. */
const refusalCodes = new Set<number>([
  grpcCode.invalidArgument,
  grpcCode.notFound,
  grpcCode.alreadyExists,
  grpcCode.permissionDenied,
  grpcCode.failedPrecondition,
  grpcCode.outOfRange,
  grpcCode.unimplemented,
  grpcCode.unauthenticated,
]);

/** What an error with this code and text says about a write that was sent. */
export function outcomeOfWrite(grpc: number, message: string): Outcome {
  const name = errorNameOf(message);
  if (name !== undefined && refusedByName.has(name)) return "not-applied";
  if (grpc === grpcCode.resourceExhausted && oversizedRequest.test(message)) return "not-applied";
  return refusalCodes.has(grpc) ? "not-applied" : "unknown";
}

/** Whether a stream (watch, keep-alive) is rebuilt after this code rather than given up (errors.md section 5). */
export function isTransientStreamCode(grpc: number): boolean {
  return grpc === grpcCode.unavailable || grpc === grpcCode.internal;
}

/** Whether trying again may help without any change. */
export function isRetryable(grpc: number, message: string): boolean {
  if (errorNameOf(message) === "tooManyRequests") return true;
  return grpc === grpcCode.unavailable || grpc === grpcCode.deadlineExceeded || grpc === grpcCode.aborted;
}
