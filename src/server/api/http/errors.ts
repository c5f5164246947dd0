import type { IncomingMessage, ServerResponse } from "node:http";
import { type GrpcCode, grpcCode, RequestError, StatusError, StorageFailure } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";

/** An answer of the plain key API that is not a success. `message` says what happened, `hint` what to do. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  /** A gRPC status name ("NOT_FOUND"), as the CLI's JSON errors have it. */
  readonly code: string;
  readonly hint: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(details: {
    status: number;
    code: string;
    message: string;
    hint: string;
    headers?: Readonly<Record<string, string>>;
    cause?: unknown;
  }) {
    super(details.message, details.cause === undefined ? {} : { cause: details.cause });
    this.status = details.status;
    this.code = details.code;
    this.hint = details.hint;
    this.headers = details.headers ?? {};
  }
}

export function badRequest(message: string, hint: string): HttpError {
  return new HttpError({ status: 400, code: "INVALID_ARGUMENT", message, hint });
}

/** HTTP status by gRPC code (grpc-gateway's table; etcd http.md section 3.4). */
const statusByCode: Record<GrpcCode, number> = {
  [grpcCode.ok]: 200,
  [grpcCode.canceled]: 499,
  [grpcCode.unknown]: 500,
  [grpcCode.invalidArgument]: 400,
  [grpcCode.deadlineExceeded]: 504,
  [grpcCode.notFound]: 404,
  [grpcCode.alreadyExists]: 409,
  [grpcCode.permissionDenied]: 403,
  [grpcCode.resourceExhausted]: 429,
  [grpcCode.failedPrecondition]: 400,
  [grpcCode.aborted]: 409,
  [grpcCode.outOfRange]: 400,
  [grpcCode.unimplemented]: 501,
  [grpcCode.internal]: 500,
  [grpcCode.unavailable]: 503,
  [grpcCode.dataLoss]: 500,
  [grpcCode.unauthenticated]: 401,
};

/** Where HTTP has a better word than the code's. */
const statusByError: Partial<Record<RequestError["code"], number>> = {
  requestTooLarge: 413,
  memberExists: 409,
  peerUrlExists: 409,
  learnerTooMany: 409,
  memberNotEnoughStarted: 409,
};

const codeNames = new Map<GrpcCode, string>(
  Object.entries(grpcCode).map(([name, code]) => [code, name.replace(/[A-Z]/g, "_$&").toUpperCase()]),
);

const hints: Partial<Record<RequestError["code"], string>> = {
  compacted: "that revision is gone; leave ?revision= out to read the present",
  futureRevision: "that revision does not exist yet; leave ?revision= out to read the present",
  noSpace: "compact and delete old data, then disarm the alarm: metastore compact REVISION",
  requestTooLarge: "store a smaller value, or start the server with a larger --max-request-bytes",
  timeout: "a write may or may not have been applied: read the key before you try again",
  timeoutApplied: "the server is behind; try again in a moment",
  tooManyRequests: "the server is overloaded; try again in a moment",
  noLeader: "the cluster has no leader now; try again in a moment, or read with ?serializable=true",
  leaderChanged: "a write may or may not have been applied: read the key before you try again",
  stopped: "the server is shutting down; use another member or try again after its restart",
  memberNotFound: "GET /members on a peer URL, or metastore member list, shows the members",
  peerUrlExists: "another member has that peer URL: metastore member list",
  memberUrlsInvalid: "write http://HOST:PORT, without a path",
  learnerTooMany: "promote or remove a learner first",
  memberNotEnoughStarted:
    "start the members that metastore member list shows as unstarted, or remove those first",
  unhealthy: "all members must have been connected for 5 seconds; try again then",
  learner: "a learner serves no such request: ask another member",
  corrupt: "the data of a member is damaged: see GET /readyz?verbose and the server's log",
};

/**
 * The HTTP answer for any error. What has no text for clients is logged and answered without details. A failing
 * disk answers "server stopped": the member is about to be.
 */
export function toHttpError(error: unknown, log: Log): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof RequestError) {
    const hint = hints[error.code] ?? "see GET /readyz?verbose for the state of this member";
    if (error.kind === "unavailable") {
      return new HttpError({
        status: 503,
        code: "UNAVAILABLE",
        message: error.message,
        hint,
        headers: { "Retry-After": "1" },
      });
    }
    const status = statusByError[error.code] ?? statusByCode[error.grpc];
    return new HttpError({
      status,
      code: codeNames.get(error.grpc) ?? "UNKNOWN",
      message: error.message,
      hint,
    });
  }
  if (error instanceof StatusError) {
    return new HttpError({
      status: statusByCode[error.grpc],
      code: codeNames.get(error.grpc) ?? "UNKNOWN",
      message: error.message,
      hint: "see GET /readyz?verbose for the state of this member",
    });
  }
  if (error instanceof StorageFailure) return toHttpError(new RequestError("stopped"), log);
  log.error("an HTTP request failed unexpectedly", { error });
  return new HttpError({
    status: 500,
    code: "INTERNAL",
    message: "the server failed to answer this request",
    hint: "the cause is in the server's log",
    cause: error,
  });
}

/** Writes `error` as text, or as {"error":{code,message,hint}} when the request accepts JSON by name. */
export function sendError(req: IncomingMessage, res: ServerResponse, error: HttpError): void {
  if (res.headersSent) {
    // The status is out already: a cut connection is the only sign of failure that is left.
    res.destroy();
    return;
  }
  const { status, code, message, hint } = error;
  res.statusCode = status;
  for (const [name, value] of Object.entries(error.headers)) res.setHeader(name, value);
  res.setHeader("X-Content-Type-Options", "nosniff");
  if (acceptsJson(req)) {
    sendBody(res, "application/json", `${JSON.stringify({ error: { code, message, hint } })}\n`);
  } else {
    sendBody(res, "text/plain; charset=utf-8", `${message}\n${hint}\n`);
  }
}

export function acceptsJson(req: IncomingMessage): boolean {
  return /\bapplication\/json\b/i.test(req.headers.accept ?? "");
}

/** Sends a whole body with its length. */
export function sendBody(res: ServerResponse, contentType: string, body: string | Buffer): void {
  res.setHeader("Content-Type", contentType);
  res.setHeader("Content-Length", Buffer.byteLength(body));
  res.end(body);
}

/** Answers as Go's http.Error does: the text, a newline, and no sniffing (etcd http.md section 2.2). */
export function sendPlainError(res: ServerResponse, status: number, text: string): void {
  res.statusCode = status;
  res.setHeader("X-Content-Type-Options", "nosniff");
  sendBody(res, "text/plain; charset=utf-8", `${text}\n`);
}
