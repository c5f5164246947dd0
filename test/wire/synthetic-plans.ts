import { deflateSync, gzipSync } from "node:zlib";
import { errorTable } from "../../src/lib/errors.ts";
import type { ClientPlan, RawPlan, Step } from "./call-plan.ts";
import type { Draw } from "./draw.ts";
import { type FailureWish, type PourWish, SYNTHETIC } from "./synthetic-methods.ts";

/** What the transports under comparison are told about sizes; plans aim around them. */
export const sizeLimits = { messageBytesMax: 65_536, headerBytesMax: 16_384 } as const;

const CANCEL = 8;
const resetCodes = [0, 1, 2, 5, 7, CANCEL, 11] as const;

export const grpcHeaders = { "content-type": "application/grpc", te: "trailers" } as const;

interface Recipe {
  readonly weight: number;
  readonly name: string;
  make(draw: Draw): Partial<Omit<RawPlan, "name" | "via">> & { readonly steps: readonly Step[] };
}

/** A gRPC message on the wire. */
export function framed(message: Buffer, flag = 0, claimedLength = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(claimedLength, 1);
  return Buffer.concat([head, message]);
}

/** `bytes` cut at random places. */
export function pieces(draw: Draw, bytes: Buffer): Buffer[] {
  const cuts = Array.from({ length: draw.below(4) }, () => draw.below(bytes.length + 1)).sort(
    (a, b) => a - b,
  );
  const ends = [...cuts, bytes.length];
  return ends
    .map((end, at) => bytes.subarray(at === 0 ? 0 : ends[at - 1], end))
    .filter((piece) => piece.length > 0);
}

function anyMessage(draw: Draw): Buffer {
  if (draw.once(12)) return Buffer.alloc(draw.between(1_000, 40_000), draw.below(256));
  return draw.bytes(draw.below(40));
}

/** Everything the call has to say, sent in one of the usual ways. */
function wholeBody(draw: Draw, body: Buffer): Step[] {
  if (draw.once(3)) return [{ do: "finish", bytes: body }];
  return [{ do: "send", pieces: pieces(draw, body) }, { do: "finish" }];
}

const json = (wish: PourWish | FailureWish): Buffer => Buffer.from(JSON.stringify(wish));

const texts = [
  "",
  "plain",
  "100% sure, ü",
  "tab\tand\nline",
  "%41 %zz %",
  "# & ? = + ; ' \" < >",
  "日本語 😀",
  " spaces at both ends ",
  "\u007f\u0001 control",
  "x".repeat(3_000),
];

export function anyFailure(draw: Draw): FailureWish {
  switch (draw.below(4)) {
    case 0:
      return { kind: "row", row: draw.pick(Object.keys(errorTable) as (keyof typeof errorTable)[]) };
    case 1:
      return { kind: "unforeseen", text: draw.pick(texts) };
    case 2:
      return { kind: "thing", text: draw.pick(texts) };
    default:
      return { kind: "status", code: draw.between(1, 16), text: draw.pick(texts) };
  }
}

function anyPour(draw: Draw): PourWish {
  const wish = { count: draw.below(30), bytes: draw.pick([0, 1, 100, 3_000]) };
  return draw.once(4) ? { ...wish, failure: anyFailure(draw) } : wish;
}

const unaryPath = (draw: Draw): string => `${SYNTHETIC}/${draw.pick(["Echo", "EchoLater"])}`;

const recipes: readonly Recipe[] = [
  {
    weight: 20,
    name: "unary echo",
    make: (draw) => ({ path: unaryPath(draw), steps: wholeBody(draw, framed(anyMessage(draw))) }),
  },
  {
    weight: 10,
    name: "unary failure",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Fail", "FailLater"])}`,
      steps: wholeBody(draw, framed(json(anyFailure(draw)))),
    }),
  },
  {
    weight: 4,
    name: "unary with the request side left open",
    make: (draw) => ({
      path: unaryPath(draw),
      steps: [{ do: "send", pieces: pieces(draw, framed(anyMessage(draw))) }],
    }),
  },
  {
    weight: 6,
    name: "server stream",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Pour", "Flood"])}`,
      steps: wholeBody(draw, framed(json(anyPour(draw)))),
    }),
  },
  {
    weight: 8,
    name: "duplex echo",
    make: (draw) => {
      const messages = Array.from({ length: draw.below(12) }, () => framed(anyMessage(draw)));
      const path = `${SYNTHETIC}/${draw.pick(["Chat", "Paced"])}`;
      return { path, steps: wholeBody(draw, Buffer.concat(messages)) };
    },
  },
  {
    weight: 4,
    name: "duplex in turns",
    make: (draw) => {
      const steps: Step[] = [];
      const turns = draw.between(1, 5);
      for (let turn = 1; turn <= turns; turn++) {
        steps.push({ do: "send", pieces: pieces(draw, framed(anyMessage(draw))) });
        steps.push({ do: "await messages", count: turn });
      }
      return { path: `${SYNTHETIC}/${draw.pick(["Chat", "Paced"])}`, steps: [...steps, { do: "finish" }] };
    },
  },
  {
    weight: 4,
    name: "duplex ended by its handler",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Brief", "ThrowAtMessage", "ThrowAtHalfClose"])}`,
      steps: wholeBody(draw, framed(draw.bytes(draw.below(10)))),
    }),
  },
  {
    weight: 2,
    name: "duplex ended by its handler while the caller goes on",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Brief", "ThrowAtMessage"])}`,
      steps: [{ do: "send", pieces: [framed(draw.bytes(5))] }],
    }),
  },
  {
    weight: 2,
    name: "duplex ended as it opens",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["ThrowAtOpen", "EndAtOpen"])}`,
      steps: draw.once(2) ? [] : [{ do: "finish" }],
    }),
  },
  {
    weight: 5,
    name: "message at the size limit",
    make: (draw) => {
      const length = sizeLimits.messageBytesMax + draw.between(-1, 1);
      const path = `${SYNTHETIC}/${draw.pick(["Echo", "EchoLater", "Chat"])}`;
      return { path, isAlone: true, steps: wholeBody(draw, framed(Buffer.alloc(length, draw.below(256)))) };
    },
  },
  {
    weight: 3,
    name: "message that claims more than the limit",
    make: (draw) => {
      const claim = draw.pick([sizeLimits.messageBytesMax + 1, 100_000_000, 0x7fff_ffff, 0xffff_ffff]);
      return {
        path: `${SYNTHETIC}/${draw.pick(["Echo", "Chat", "Pour"])}`,
        steps: [{ do: "send", pieces: pieces(draw, framed(draw.bytes(draw.below(20)), 0, claim)) }],
      };
    },
  },
  {
    weight: 3,
    name: "large answer",
    make: (draw) => ({
      path: `${SYNTHETIC}/Grow`,
      steps: wholeBody(draw, framed(Buffer.from(String(draw.pick([0, 16_384, 65_535, 65_536, 300_000]))))),
    }),
  },
  {
    weight: 3,
    name: "slow reader",
    make: (draw) => ({
      path: `${SYNTHETIC}/Pour`,
      isAlone: true,
      steps: [
        { do: "finish", bytes: framed(json({ count: draw.between(100, 300), bytes: 5_000 })) },
        { do: "await note", starts: "blocked" },
        { do: "read" },
      ],
    }),
  },
  {
    weight: 8,
    name: "unknown path",
    make: (draw) => ({
      path: draw.pick([
        `${SYNTHETIC}/Missing`,
        `${SYNTHETIC}/echo`,
        `${SYNTHETIC}/Echo/`,
        `${SYNTHETIC}/Echo?x=1`,
        `${SYNTHETIC}/`,
        `${SYNTHETIC}`,
        "/no.Such/Thing",
        "/",
        "//",
        "/x",
        "no-slash",
        "no/slash/first",
        "*",
        "/wire.T/%45cho",
        "/wire.T/\u00fcber",
        "/a/b/c",
        "/__proto__/constructor",
        `/${"long".repeat(500)}/X`,
      ]),
      steps: wholeBody(draw, framed(anyMessage(draw))),
    }),
  },
  {
    weight: 8,
    name: "content-type",
    make: (draw) => {
      const type = draw.pick([
        "application/grpc+proto",
        "application/grpc+json",
        "application/grpc;charset=utf-8",
        "application/grpc; x=1",
        "application/grpcx",
        "application/grpc-web",
        "application/grpc-web+proto",
        "Application/GRPC",
        "APPLICATION/GRPC+PROTO",
        "application/json",
        "text/plain",
        "",
        "none",
      ]);
      const headers = type === "none" ? { te: "trailers" } : { ...grpcHeaders, "content-type": type };
      const path = draw.once(4) ? "/no.Such/Thing" : unaryPath(draw);
      return { path, headers, steps: wholeBody(draw, framed(anyMessage(draw))) };
    },
  },
  {
    weight: 3,
    name: "te",
    make: (draw) => ({
      path: unaryPath(draw),
      headers: { "content-type": "application/grpc", ...(draw.once(2) ? { te: "trailers, deflate" } : {}) },
      steps: wholeBody(draw, framed(anyMessage(draw))),
    }),
  },
  {
    weight: 3,
    name: "method",
    make: (draw) => ({
      path: unaryPath(draw),
      headers: { ...grpcHeaders, ":method": draw.pick(["GET", "PUT", "DELETE", "OPTIONS", "post", "HEAD"]) },
      steps: wholeBody(draw, framed(anyMessage(draw))),
    }),
  },
  {
    weight: 8,
    name: "timeout that is far away or none",
    make: (draw) => ({
      path: unaryPath(draw),
      headers: {
        ...grpcHeaders,
        "grpc-timeout": draw.pick([
          "10S",
          "10000m",
          "99999999H",
          "99999999S",
          "2592000S",
          "2147483647m",
          "99999999M",
          "60000000u",
          "1H",
          "1M",
        ]),
      },
      steps: wholeBody(draw, framed(anyMessage(draw))),
    }),
  },
  {
    weight: 6,
    name: "timeout that is none",
    make: (draw) => ({
      path: unaryPath(draw),
      headers: {
        ...grpcHeaders,
        "grpc-timeout": draw.pick([
          "",
          "S",
          "10",
          "-1S",
          "1.5S",
          "1e3S",
          "100000000S",
          "10s",
          "10 S",
          " 10S",
          "10S ",
          "+10S",
          "abc",
          "10X",
          "0x10S",
          "10SS",
        ]),
      },
      steps: wholeBody(draw, framed(anyMessage(draw))),
    }),
  },
  {
    weight: 2,
    name: "timeout of zero",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Never", "Deaf", "Silent", "Quiet"])}`,
      isRace: true,
      headers: {
        ...grpcHeaders,
        "grpc-timeout": draw.pick(["0S", "0m", "0n", "1n", "999u", "1u", "00000000H"]),
      },
      steps: wholeBody(draw, framed(draw.bytes(3))),
    }),
  },
  {
    weight: 5,
    name: "deadline that passes",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Never", "Deaf", "Silent", "Quiet"])}`,
      headers: { ...grpcHeaders, "grpc-timeout": draw.pick(["60m", "90000u", "70000000n"]) },
      steps: draw.once(2)
        ? [{ do: "send", pieces: [framed(draw.bytes(3))] }]
        : [{ do: "finish", bytes: framed(draw.bytes(3)) }],
    }),
  },
  {
    weight: 2,
    name: "deadline that passes before the request is whole",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Echo", "Pour", "Chat"])}`,
      headers: { ...grpcHeaders, "grpc-timeout": "60m" },
      steps: draw.once(2)
        ? []
        : [{ do: "send", pieces: [framed(draw.bytes(9)).subarray(0, draw.between(1, 13))] }],
    }),
  },
  {
    weight: 12,
    name: "compressed message",
    make: (draw) => {
      const plain = draw.once(5)
        ? Buffer.alloc(draw.pick([60_000, 65_536, 65_537, 900_000]))
        : anyMessage(draw);
      const [gzip, deflate] = [gzipSync(plain), deflateSync(plain)];
      const content = draw.pick([
        gzip,
        gzip,
        deflate,
        deflate,
        plain,
        gzip.subarray(0, draw.below(gzip.length)),
        Buffer.concat([gzip, Buffer.from("garbage")]),
        Buffer.concat([gzip, gzip]),
        Buffer.concat([deflate, Buffer.from("garbage")]),
        Buffer.alloc(0),
      ]);
      const encoding = draw.pick([
        "gzip",
        "gzip",
        "deflate",
        "deflate",
        "identity",
        "snappy",
        "",
        "GZIP",
        "gzip, deflate",
        "none",
      ]);
      const headers = encoding === "none" ? grpcHeaders : { ...grpcHeaders, "grpc-encoding": encoding };
      return {
        path: `${SYNTHETIC}/${draw.pick(["Echo", "EchoLater", "Chat"])}`,
        headers,
        isAlone: true,
        steps: wholeBody(draw, framed(content, draw.pick([1, 1, 1, 0]))),
      };
    },
  },
  {
    weight: 3,
    name: "compressed and plain messages in turn",
    make: (draw) => {
      const encoding = draw.pick(["gzip", "deflate"]);
      const pack = encoding === "gzip" ? gzipSync : deflateSync;
      const messages = Array.from({ length: draw.between(1, 6) }, () => {
        const plain = anyMessage(draw);
        return draw.once(2) ? framed(pack(plain), 1) : framed(plain);
      });
      return {
        path: `${SYNTHETIC}/${draw.pick(["Chat", "Paced"])}`,
        headers: { ...grpcHeaders, "grpc-encoding": encoding },
        steps: wholeBody(draw, Buffer.concat(messages)),
      };
    },
  },
  {
    weight: 2,
    name: "flag that is neither compressed nor plain",
    make: (draw) => ({
      path: unaryPath(draw),
      steps: wholeBody(draw, framed(anyMessage(draw), draw.pick([2, 3, 0x80, 0xff]))),
    }),
  },
  {
    weight: 5,
    name: "more than one message for one",
    make: (draw) => {
      const messages = Array.from({ length: draw.between(2, 4) }, () => framed(draw.bytes(draw.below(20))));
      // In one frame: of two frames, the second may come when the call is over.
      return { path: unaryPath(draw), steps: [{ do: "finish", bytes: Buffer.concat(messages) }] };
    },
  },
  {
    weight: 3,
    name: "more than one message for a server stream",
    make: (draw) => {
      const wish = framed(json({ count: draw.below(3), bytes: 10 }));
      return {
        path: `${SYNTHETIC}/${draw.pick(["Pour", "Pour", "Pour", "Pour", "Silent"])}`,
        steps: [{ do: "finish", bytes: Buffer.concat([wish, wish]) }],
      };
    },
  },
  {
    weight: 4,
    name: "no message at all",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Echo", "EchoLater", "Never", "Pour", "Chat"])}`,
      steps: draw.once(2) ? [] : [{ do: "finish" }],
    }),
  },
  {
    weight: 5,
    name: "half a message at the end",
    make: (draw) => {
      const whole = framed(draw.bytes(draw.between(1, 20)));
      const half = whole.subarray(0, draw.between(1, whole.length - 1));
      return {
        path: `${SYNTHETIC}/${draw.pick(["Echo", "EchoLater", "Pour", "Chat", "Paced"])}`,
        steps: wholeBody(draw, half),
      };
    },
  },
  {
    weight: 4,
    name: "garbage behind the message",
    make: (draw) => {
      const wish = json({ count: 1, bytes: 3 });
      const body = Buffer.concat([framed(wish), Buffer.alloc(draw.between(1, 4), draw.below(256))]);
      return {
        path: `${SYNTHETIC}/${draw.pick(["Echo", "EchoLater", "Pour", "Chat"])}`,
        steps: [{ do: "finish", bytes: body }],
      };
    },
  },
  {
    weight: 10,
    name: "metadata",
    make: (draw) => {
      const headers: Record<string, string | string[]> = { ...grpcHeaders };
      for (let count = draw.between(1, 4); count > 0; count--)
        Object.assign(headers, draw.pick(oddHeaders)(draw));
      return { path: unaryPath(draw), headers, steps: wholeBody(draw, framed(anyMessage(draw))) };
    },
  },
  {
    // One that is wrong is a race between answer and reset: test:fuzz-frames sends those.
    weight: 2,
    name: "content-length",
    make: (draw) => {
      const body = framed(anyMessage(draw));
      return {
        path: unaryPath(draw),
        headers: { ...grpcHeaders, "content-length": String(body.length) },
        steps: wholeBody(draw, body),
      };
    },
  },
  {
    weight: 2,
    name: "metadata around the limit",
    make: (draw) => ({
      path: unaryPath(draw),
      headers: { ...grpcHeaders, "x-huge": "h".repeat(draw.pick([8_000, 15_000, 17_000, 40_000])) },
      isAlone: true,
      steps: [{ do: "finish", bytes: framed(draw.bytes(3)) }],
    }),
  },
  {
    weight: 4,
    name: "reset while the handler works",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Never", "Quiet", "Silent"])}`,
      steps: [
        draw.once(2)
          ? { do: "send", pieces: [framed(draw.bytes(5))] }
          : { do: "finish", bytes: framed(draw.bytes(5)) },
        { do: "await note", starts: "message" },
        { do: "reset", code: draw.pick(resetCodes) },
      ],
    }),
  },
  {
    weight: 3,
    name: "reset at once",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Never", "Deaf", "Quiet", "Silent"])}`,
      isRace: true,
      steps: [
        ...(draw.once(2) ? [] : [{ do: "send" as const, pieces: [framed(draw.bytes(5))] }]),
        { do: "reset", code: draw.pick(resetCodes) },
      ],
    }),
  },
  {
    weight: 3,
    name: "reset after an answer of a stream",
    make: (draw) => ({
      path: `${SYNTHETIC}/${draw.pick(["Chat", "Paced"])}`,
      steps: [
        { do: "send", pieces: [framed(draw.bytes(5))] },
        { do: "await messages", count: 1 },
        { do: "reset", code: draw.pick(resetCodes) },
      ],
    }),
  },
  {
    weight: 2,
    name: "reset of a stream that is not read",
    make: (draw) => ({
      path: `${SYNTHETIC}/Pour`,
      isAlone: true,
      steps: [
        { do: "finish", bytes: framed(json({ count: 300, bytes: 5_000 })) },
        { do: "await note", starts: "blocked" },
        { do: "reset", code: draw.pick(resetCodes) },
        { do: "read" },
      ],
    }),
  },
];

const oddHeaders: readonly ((draw: Draw) => Record<string, string | string[]>)[] = [
  (draw) => ({ "x-bytes-bin": draw.bytes(draw.below(20)).toString("base64") }),
  () => ({ "x-bytes-bin": "not base64 !!!" }),
  () => ({ "x-bytes-bin": ["AQID", "BAUG"] }),
  (draw) => ({ "x-many": [draw.text(5), draw.text(5), draw.text(5)] }),
  () => ({ "x-many": ["", ""] }),
  () => ({ "x-empty": "" }),
  () => ({ "x-latin1": "\u00ff\u00fe caf\u00e9" }),
  () => ({ cookie: ["a=1", "b=2"] }),
  (draw) => ({ [`x-${draw.below(1_000)}`]: draw.text(60) }),
  () => ({ "grpc-accept-encoding": "gzip,identity" }),
  () => ({ "user-agent": "grpc-go/1.71.1" }),
  () => ({ "user-agent": "" }),
  () => ({ hasleader: "true" }),
  () => ({ "grpc-internal-secret": "x" }),
  () => ({ "grpc-status": "7" }),
  () => ({ "grpc-tags-bin": "AAE=" }),
  () => ({ __proto__x: "1" }),
  () => ({ constructor: "x" }),
  () => ({ "x_under.score-9": "ok" }),
  () => ({ age: ["1", "2"] }),
  () => ({ "set-cookie": ["a", "b"] }),
  () => ({ expect: "100-continue" }),
];

export function makeSyntheticPlan(draw: Draw): RawPlan {
  const recipe = draw.weighted(recipes);
  const made = recipe.make(draw);
  return {
    via: "http2",
    name: recipe.name,
    path: `${SYNTHETIC}/Echo`,
    headers: grpcHeaders,
    isAlone: false,
    isClocked: false,
    isRace: false,
    isOfStore: false,
    ...made,
  };
}

/** A call as the users of @grpc/grpc-js make it. */
export function makeClientPlan(draw: Draw): ClientPlan {
  const kind = draw.pick(["unary", "serverStream", "duplex"] as const);
  const base = {
    via: "grpc-js" as const,
    kind,
    isRace: false,
    isOfStore: false,
    metadata: clientMetadata(draw),
    deadlineMs: draw.once(3) ? 60_000 : undefined,
    cancelAt: undefined,
  };
  const at = (method: string): string => `${SYNTHETIC}/${method}`;
  if (draw.once(8)) {
    const method = { unary: "Never", serverStream: "Silent", duplex: "Quiet" }[kind];
    const isCancelled = draw.once(2);
    return {
      ...base,
      name: isCancelled ? "client that cancels" : "client whose deadline passes",
      path: at(method),
      messages: [draw.bytes(3)],
      deadlineMs: isCancelled ? undefined : 60,
      cancelAt: isCancelled ? "message" : undefined,
      // The client's own clock may send the reset before the server's deadline has passed: both tell of a cancel.
      isRace: !isCancelled,
    };
  }
  if (draw.once(8))
    return { ...base, name: "client and unknown method", path: at("Nothing"), messages: [draw.bytes(3)] };
  if (kind === "unary") {
    if (draw.once(3)) {
      const path = at(draw.pick(["Fail", "FailLater"]));
      return { ...base, name: "client and failure", path, messages: [json(anyFailure(draw))] };
    }
    return {
      ...base,
      name: "client and echo",
      path: at(draw.pick(["Echo", "EchoLater"])),
      messages: [anyMessage(draw)],
    };
  }
  if (kind === "serverStream") {
    return { ...base, name: "client and server stream", path: at("Pour"), messages: [json(anyPour(draw))] };
  }
  const messages = Array.from({ length: draw.below(20) }, () => anyMessage(draw));
  return { ...base, name: "client and duplex", path: at(draw.pick(["Chat", "Paced"])), messages };
}

function clientMetadata(draw: Draw): [string, string][] {
  return Array.from({ length: draw.below(4) }, (): [string, string] =>
    draw.pick([
      ["x-text", draw.text(20)],
      ["x-bytes-bin", draw.bytes(draw.below(12)).toString("latin1")],
      ["hasleader", "true"],
      ["X-Upper", "Case"],
    ]),
  );
}
