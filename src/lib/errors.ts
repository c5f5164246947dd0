/** gRPC status codes (grpc.io, "Status codes and their use in gRPC"). */
export const grpcCode = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;
export type GrpcCode = (typeof grpcCode)[keyof typeof grpcCode];

/** "request": the same answer on every member. "unavailable": this member cannot answer now. */
export type ErrorKind = "request" | "unavailable";

interface ErrorRow {
  readonly kind: ErrorKind;
  readonly grpc: GrpcCode;
  readonly text: string;
}

function request(grpc: GrpcCode, text: string): ErrorRow {
  return { kind: "request", grpc, text };
}

function unavailable(grpc: GrpcCode, text: string): ErrorRow {
  return { kind: "unavailable", grpc, text };
}

/**
 * Every error a client can see, with etcd's code and exact text: etcd's clients tell errors apart by the text
 * (etcd rpctypes; errors.md section 1).
 */
export const errorTable = {
  emptyKey: request(grpcCode.invalidArgument, "etcdserver: key is not provided"),
  keyNotFound: request(grpcCode.invalidArgument, "etcdserver: key not found"),
  valueProvided: request(grpcCode.invalidArgument, "etcdserver: value is provided"),
  leaseProvided: request(grpcCode.invalidArgument, "etcdserver: lease is provided"),
  tooManyOps: request(grpcCode.invalidArgument, "etcdserver: too many operations in txn request"),
  duplicateKey: request(grpcCode.invalidArgument, "etcdserver: duplicate key given in txn request"),
  invalidClientApiVersion: request(grpcCode.invalidArgument, "etcdserver: invalid client api version"),
  invalidSortOption: request(grpcCode.invalidArgument, "etcdserver: invalid sort option"),
  compacted: request(grpcCode.outOfRange, "etcdserver: mvcc: required revision has been compacted"),
  futureRevision: request(grpcCode.outOfRange, "etcdserver: mvcc: required revision is a future revision"),
  noSpace: request(grpcCode.resourceExhausted, "etcdserver: mvcc: database space exceeded"),
  leaseNotFound: request(grpcCode.notFound, "etcdserver: requested lease not found"),
  leaseExists: request(grpcCode.failedPrecondition, "etcdserver: lease already exists"),
  leaseTtlTooLarge: request(grpcCode.outOfRange, "etcdserver: too large lease TTL"),
  watchCanceled: request(grpcCode.canceled, "etcdserver: watch canceled"),
  memberNotFound: request(grpcCode.notFound, "etcdserver: member not found"),
  memberExists: request(grpcCode.failedPrecondition, "etcdserver: member ID already exist"),
  peerUrlExists: request(grpcCode.failedPrecondition, "etcdserver: Peer URLs already exists"),
  memberUrlsInvalid: request(grpcCode.invalidArgument, "etcdserver: given member URLs are invalid"),
  memberNotLearner: request(grpcCode.failedPrecondition, "etcdserver: can only promote a learner member"),
  learnerNotReady: request(
    grpcCode.failedPrecondition,
    "etcdserver: can only promote a learner member which is in sync with leader",
  ),
  learnerTooMany: request(grpcCode.failedPrecondition, "etcdserver: too many learner members in cluster"),
  // The code is Unknown on the wire, as for tooManyRequests.
  memberNotEnoughStarted: request(
    grpcCode.unknown,
    "etcdserver: re-configuration failed due to not enough started members",
  ),
  requestTooLarge: request(grpcCode.invalidArgument, "etcdserver: request is too large"),
  learner: request(grpcCode.failedPrecondition, "etcdserver: rpc not supported for learner"),
  corrupt: request(grpcCode.dataLoss, "etcdserver: corrupt cluster"),
  rangeStreamSort: request(grpcCode.unimplemented, "RangeStream does not support custom sort orders"),
  rangeStreamFilter: request(grpcCode.unimplemented, "RangeStream does not support revision filters"),
  // The code is Unknown on the wire, by a quirk of etcd's server that its clients know (errors.md section 1).
  tooManyRequests: unavailable(grpcCode.unknown, "etcdserver: too many requests"),
  noLeader: unavailable(grpcCode.unavailable, "etcdserver: no leader"),
  leaderChanged: unavailable(grpcCode.unavailable, "etcdserver: leader changed"),
  notLeader: unavailable(grpcCode.failedPrecondition, "etcdserver: not leader"),
  stopped: unavailable(grpcCode.unavailable, "etcdserver: server stopped"),
  unhealthy: unavailable(grpcCode.unavailable, "etcdserver: unhealthy cluster"),
  badLeaderTransferee: request(grpcCode.failedPrecondition, "etcdserver: bad leader transferee"),
  leaderTransferTimeout: unavailable(
    grpcCode.unknown,
    "etcdserver: request timed out, leader transfer took too long",
  ),
  timeoutLeaderFailed: unavailable(
    grpcCode.unavailable,
    "etcdserver: request timed out, possibly due to previous leader failure",
  ),
  timeoutConnectionLost: unavailable(
    grpcCode.unavailable,
    "etcdserver: request timed out, possibly due to connection lost",
  ),
  timeout: unavailable(grpcCode.unavailable, "etcdserver: request timed out"),
  timeoutApplied: unavailable(
    grpcCode.unavailable,
    "etcdserver: request timed out, waiting for the applied index took too long",
  ),
  notPrimaryLessor: unavailable(grpcCode.unknown, "not a primary lessor"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorName = keyof typeof errorTable;

/** An error with a row in errorTable; `message` is the row's text. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: ErrorName;

  constructor(code: ErrorName) {
    super(errorTable[code].text);
    this.code = code;
  }

  get grpc(): GrpcCode {
    return errorTable[this.code].grpc;
  }

  get kind(): ErrorKind {
    return errorTable[this.code].kind;
  }
}

/** A gRPC status with a text of its own: unimplemented methods, transport limits. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly grpc: GrpcCode;

  constructor(grpc: GrpcCode, message: string) {
    super(message);
    this.grpc = grpc;
  }
}

/** Bytes from outside that do not decode; the call or record they came in is refused. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/**
 * The disk is wrong: a failed sync, a bad checksum, no space for the log. Fatal to the member: nothing is
 * acknowledged after it and the process ends with exit code 74.
 */
export class StorageFailure extends Error {
  override readonly name = "StorageFailure";
  /** What to do next, for the operator. */
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** The operator is wrong: flags, configuration, arguments. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
