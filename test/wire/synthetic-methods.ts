import { type errorTable, type GrpcCode, RequestError, StatusError } from "../../src/lib/errors.ts";
import type { DuplexStream, MethodHandler, MethodTable, ServerStream } from "../../src/server/api/index.ts";

/** How a handler of `Fail` is to fail; its request, as JSON. */
export type FailureWish =
  | { readonly kind: "status"; readonly code: number; readonly text: string }
  | { readonly kind: "row"; readonly row: keyof typeof errorTable }
  | { readonly kind: "unforeseen"; readonly text: string }
  | { readonly kind: "thing"; readonly text: string };

/** What `Pour` and `Flood` are to send; their request, as JSON. */
export interface PourWish {
  readonly count: number;
  readonly bytes: number;
  readonly failure?: FailureWish;
}

export const SYNTHETIC = "/wire.T";

/** Handlers that do one thing each, so that what differs is the transport. */
export const syntheticMethods: MethodTable = new Map<string, MethodHandler>(
  Object.entries({
    Echo: { kind: "unary", handle: (request) => request },
    EchoLater: {
      kind: "unary",
      handle: (request) => new Promise<Buffer>((resolve) => setImmediate(() => resolve(request))),
    },
    Fail: {
      kind: "unary",
      handle: (request) => {
        throw failureOf(request);
      },
    },
    FailLater: { kind: "unary", handle: async (request) => Promise.reject(failureOf(request)) },
    Never: { kind: "unary", handle: () => new Promise<Buffer>(() => {}) },
    Grow: { kind: "unary", handle: (request) => Buffer.alloc(Number(request.toString()), "g") },
    Pour: {
      kind: "serverStream",
      handle: (request, stream) => pour(JSON.parse(request.toString()) as PourWish, stream),
    },
    Flood: {
      kind: "serverStream",
      handle: (request, stream) => {
        const wish = JSON.parse(request.toString()) as PourWish;
        for (let sent = 0; sent < wish.count; sent++) stream.send(Buffer.alloc(wish.bytes, sent));
        stream.end(wish.failure && errorOf(wish.failure));
      },
    },
    Silent: { kind: "serverStream", handle: () => {} },
    Chat: duplex((stream) => {
      stream.onMessage((message) => stream.send(message));
      stream.onHalfClose(() => stream.end());
    }),
    Paced: duplex(pacedEcho),
    Brief: duplex((stream) => {
      stream.onMessage((message) => {
        stream.send(message);
        stream.end(new StatusError(10, "enough"));
        stream.send(Buffer.from("too late"));
        stream.end();
      });
    }),
    Deaf: duplex((stream) => stream.pause()),
    Quiet: duplex((stream) => stream.onMessage(() => {})),
    ThrowAtOpen: duplex(() => {
      throw new RequestError("leaseNotFound");
    }),
    ThrowAtMessage: duplex((stream) =>
      stream.onMessage(() => {
        throw new RequestError("noLeader");
      }),
    ),
    ThrowAtHalfClose: duplex((stream) =>
      stream.onHalfClose(() => {
        throw new TypeError("at the half-close\nwith a second line");
      }),
    ),
    EndAtOpen: duplex((stream) => {
      stream.send(Buffer.from("hello"));
      stream.end();
    }),
  } satisfies Record<string, MethodHandler>).map(([name, handler]) => [`${SYNTHETIC}/${name}`, handler]),
);

function duplex(handle: (stream: DuplexStream) => void): MethodHandler {
  return { kind: "duplex", handle };
}

function failureOf(request: Buffer): unknown {
  return errorOf(JSON.parse(request.toString()) as FailureWish);
}

function errorOf(wish: FailureWish): Error {
  switch (wish.kind) {
    case "status":
      return new StatusError(wish.code as GrpcCode, wish.text);
    case "row":
      return new RequestError(wish.row);
    case "unforeseen":
      return new TypeError(wish.text);
    case "thing":
      // Not an Error at all: code that throws strings exists.
      return wish.text as unknown as Error;
  }
}

function pour(wish: PourWish, stream: ServerStream): void {
  let sent = 0;
  const more = (): void => {
    while (sent < wish.count) {
      if (!stream.send(Buffer.alloc(wish.bytes, sent++))) return;
    }
    stream.end(wish.failure && errorOf(wish.failure));
  };
  stream.onDrain(more);
  more();
}

/** One message at a time: the next is not read before this one is answered. */
function pacedEcho(stream: DuplexStream): void {
  let [waiting, isHalfClosed] = [0, false];
  stream.onMessage((message) => {
    waiting++;
    stream.pause();
    setImmediate(() => {
      waiting--;
      stream.send(message);
      if (waiting === 0 && isHalfClosed) stream.end();
      else stream.resume();
    });
  });
  stream.onHalfClose(() => {
    isHalfClosed = true;
    if (waiting === 0) stream.end();
  });
}
