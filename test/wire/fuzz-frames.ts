import type { Draw } from "./draw.ts";
import {
  data,
  frame,
  frameFlag,
  frameHead,
  frameType,
  grpcMessage,
  headers,
  hpackInteger,
  literal,
  PREFACE,
  requestBlock,
  reset,
  settings,
  settingsAck,
  windowUpdate,
} from "./http2-frames.ts";
import { SYNTHETIC } from "./synthetic-methods.ts";

const FRAMES_MAX = 60;

/** What one connection sends, from a draw; nothing else decides it, so that a number repeats it. */
export interface FuzzScript {
  readonly frames: readonly Buffer[];
  /** The frames as the pieces that are written one by one. */
  readonly pieces: readonly Buffer[];
  readonly isDeaf: boolean;
  readonly ending: "end" | "destroy";
}

export function makeScript(draw: Draw, methods: readonly string[], recorded: readonly Buffer[]): FuzzScript {
  const frames = draw.once(5)
    ? mutatedSession(draw, draw.pick(recorded))
    : new FrameSource(draw, methods).session();
  return {
    frames,
    pieces: inPieces(draw, Buffer.concat(frames)),
    isDeaf: draw.once(12),
    ending: draw.once(3) ? "destroy" : "end",
  };
}

/** Frames that mean something to each other: streams are opened before they are used, mostly. */
class FrameSource {
  readonly #draw: Draw;
  readonly #methods: readonly string[];
  #nextStream = 1;
  readonly #open: number[] = [];

  constructor(draw: Draw, methods: readonly string[]) {
    this.#draw = draw;
    this.#methods = methods;
  }

  session(): Buffer[] {
    const draw = this.#draw;
    const frames = [draw.once(40) ? mutated(draw, PREFACE) : PREFACE];
    if (!draw.once(30)) frames.push(settings(...this.#settingPairs()));
    for (let count = draw.between(1, FRAMES_MAX); count > 0; count--) frames.push(...this.#next());
    // One in six is damaged somewhere; what stands before it is sound, so that it is come to.
    return frames.map((bytes, at) => (at > 1 && draw.once(6 * FRAMES_MAX) ? mutated(draw, bytes) : bytes));
  }

  #next(): Buffer[] {
    const draw = this.#draw;
    switch (draw.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return [this.#opened(this.#block())];
      case 4:
      case 5:
        return this.#wholeCall();
      case 6:
      case 7:
      case 8:
        return [data(this.#stream(), this.#message(), draw.once(3))];
      case 9:
        return [data(this.#stream(), draw.bytes(draw.below(20)), draw.once(4))];
      case 10:
        return [reset(this.#stream(), draw.pick([0, 1, 2, 7, 8, 0xffff_ffff]))];
      case 11:
        return [windowUpdate(draw.once(2) ? 0 : this.#stream(), draw.pick([1, 100, 65_535, 1_000_000]))];
      case 12:
        return [draw.once(2) ? settingsAck : settings(...this.#settingPairs())];
      case 13:
        return [frame(frameType.ping, draw.once(2) ? frameFlag.ack : 0, 0, draw.bytes(8))];
      case 14:
        return this.#split(this.#block());
      case 15:
        return [frame(frameType.priority, 0, this.#stream(), draw.bytes(5))];
      case 16:
        return [this.#padded()];
      case 17:
        // A frame of a type that nobody knows is to be passed over.
        return [frame(draw.between(10, 255), draw.below(256), draw.below(10), draw.bytes(draw.below(30)))];
      case 18:
        return draw.once(4) ? [this.#anything()] : [data(this.#stream(), Buffer.alloc(0), draw.once(5))];
      default:
        return draw.once(6) ? [this.#illegal()] : [headers(this.#stream(), literal("trailer", "x"), 5)];
    }
  }

  #settingPairs(): [number, number][] {
    const draw = this.#draw;
    return Array.from({ length: draw.below(4) }, (): [number, number] =>
      draw.pick<[number, number]>([
        [1, draw.pick([0, 1, 4_096, 65_536])],
        [2, 0],
        [3, draw.pick([0, 1, 100])],
        [4, draw.pick([0, 1, 65_535, 0x7fff_ffff])],
        [5, draw.pick([16_384, 16_777_215])],
        [6, draw.pick([0, 100, 65_536])],
        [draw.below(0x1_0000), draw.below(0x1_0000)],
      ]),
    );
  }

  /** A stream that was opened, mostly. */
  #stream(): number {
    const draw = this.#draw;
    if (this.#open.length === 0 || draw.once(60))
      return draw.pick([0, 1, 2, 99, 0x7fff_ffff, this.#nextStream]);
    return draw.pick(this.#open);
  }

  #newStream(): number {
    const streamId = this.#nextStream;
    this.#nextStream += 2 * this.#draw.pick([1, 1, 1, 1, 5]);
    this.#open.push(streamId);
    if (this.#open.length > 8) this.#open.shift();
    return streamId;
  }

  #opened(block: Buffer): Buffer {
    return headers(
      this.#newStream(),
      block,
      frameFlag.endHeaders | (this.#draw.once(8) ? frameFlag.endStream : 0),
    );
  }

  #path(): string {
    const draw = this.#draw;
    if (draw.once(10))
      return draw.pick(["/", "", "*", "/no.Such/Thing", `${SYNTHETIC}/Nothing`, draw.text(40)]);
    return `${SYNTHETIC}/${draw.pick(this.#methods)}`;
  }

  #block(): Buffer {
    const draw = this.#draw;
    if (draw.once(120)) return draw.bytes(draw.below(60));
    const more: [string, string][] = [];
    if (draw.once(4)) {
      more.push(["grpc-timeout", draw.pick(["1m", "5m", "0S", "10S", "99999999H", "x", "", "1", "-1S"])]);
    }
    if (draw.once(6)) more.push(["grpc-encoding", draw.pick(["gzip", "deflate", "identity", "snappy", ""])]);
    if (draw.once(6)) more.push([draw.pick(["x-a", "x-b-bin", "cookie", "hasleader"]), draw.text(30)]);
    if (draw.once(30)) more.push(["content-length", draw.pick(["0", "5", "7", "999999", "x", "-1"])]);
    if (draw.once(60)) {
      more.push(
        draw.pick<[string, string]>([
          ["Upper", "case"],
          ["connection", "close"],
          ["te", "gzip"],
          [":path", "/again"],
          [":unknown", "x"],
          ["", "empty name"],
          ["x", "line\r\nbreak"],
          ["x", "nul\0"],
          ["transfer-encoding", "chunked"],
        ]),
      );
    }
    const block = requestBlock(this.#path(), more);
    const parts: Buffer[] = [];
    // A change of the table's size stands first, and an entry of the table last.
    if (draw.once(10)) parts.push(hpackInteger(0x20, 5, draw.pick([0, 100, 4_096])));
    parts.push(block);
    if (draw.once(4)) parts.push(literal(`x-${draw.below(5)}`, draw.text(200), true));
    if (draw.once(20)) parts.push(hpackInteger(0x80, 7, draw.pick([2, 15, 61, 62, 62, 63, 70, 1_000])));
    const whole = Buffer.concat(parts);
    return draw.once(120) ? mutated(draw, whole) : whole;
  }

  #message(): Buffer {
    const draw = this.#draw;
    const request = draw.pick([
      draw.bytes(draw.below(30)),
      Buffer.from('{"count":3,"bytes":50}'),
      Buffer.from('{"kind":"row","row":"compacted"}'),
      Buffer.alloc(draw.pick([0, 1_000, 8_000]), "m"),
    ]);
    const flag = draw.once(8) ? draw.pick([1, 1, 2, 255]) : 0;
    const claim = draw.once(12) ? draw.pick([0, 1, request.length + 1, 4_097, 0xffff_ffff]) : request.length;
    const message = grpcMessage(request, flag, claim);
    if (draw.once(4)) return Buffer.concat([message, grpcMessage(draw.bytes(draw.below(10)))]);
    return draw.once(8) ? message.subarray(0, draw.below(message.length)) : message;
  }

  #wholeCall(): Buffer[] {
    const opening = headers(this.#newStream(), this.#block());
    const streamId = this.#open.at(-1) ?? 1;
    return [opening, data(streamId, this.#message(), !this.#draw.once(4))];
  }

  /** A header block over several frames, at times with something in between that must not be. */
  #split(block: Buffer): Buffer[] {
    const draw = this.#draw;
    const streamId = this.#newStream();
    const cut = draw.below(block.length + 1);
    const frames = [headers(streamId, block.subarray(0, cut), draw.once(6) ? frameFlag.endStream : 0)];
    if (draw.once(60)) frames.push(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
    const rest = block.subarray(cut);
    const second = draw.below(rest.length + 1);
    frames.push(frame(frameType.continuation, 0, streamId, rest.subarray(0, second)));
    if (!draw.once(60)) {
      frames.push(frame(frameType.continuation, frameFlag.endHeaders, streamId, rest.subarray(second)));
    }
    return frames;
  }

  #padded(): Buffer {
    const draw = this.#draw;
    const content = draw.once(2) ? this.#message().subarray(0, 1_000) : draw.bytes(draw.below(10));
    const padding = draw.below(40);
    const claimed = draw.once(40) ? draw.below(256) : padding;
    const payload = Buffer.concat([Buffer.from([claimed]), content, Buffer.alloc(padding)]);
    return frame(frameType.data, frameFlag.padded | (draw.once(4) ? 1 : 0), this.#stream(), payload);
  }

  /** Any head over any content. */
  #anything(): Buffer {
    const draw = this.#draw;
    const payload = draw.bytes(draw.below(40));
    if (!draw.once(10)) return frame(draw.below(11), draw.below(256), this.#stream(), payload);
    return Buffer.concat([
      frameHead(draw.below(0x100_0000), draw.below(11), draw.below(256), this.#stream()),
      payload,
    ]);
  }

  /** What ends a connection. */
  #illegal(): Buffer {
    const draw = this.#draw;
    return draw.pick([
      data(0, Buffer.alloc(1)),
      headers(0, this.#block()),
      headers(2, this.#block()),
      headers(1, this.#block()),
      windowUpdate(0, 0),
      windowUpdate(0, 0x7fff_ffff),
      windowUpdate(this.#stream(), 0x7fff_ffff),
      frame(frameType.settings, 0, 0, Buffer.alloc(5)),
      frame(frameType.settings, 1, 0, Buffer.alloc(6)),
      settings([4, 0xffff_ffff]),
      frame(frameType.pushPromise, 4, 1, Buffer.alloc(4)),
      frame(frameType.continuation, 4, this.#stream(), Buffer.alloc(4)),
      frame(frameType.goaway, 0, 0, Buffer.concat([Buffer.alloc(8), draw.bytes(draw.below(10))])),
      frame(frameType.ping, 0, 0, Buffer.alloc(7)),
    ]);
  }
}

/** Damage of one of the usual kinds: a bit, a byte, a piece lost, doubled or put in. */
export function mutated(draw: Draw, bytes: Buffer): Buffer {
  if (bytes.length === 0) return draw.bytes(draw.between(1, 4));
  const at = draw.below(bytes.length);
  const end = Math.min(bytes.length, at + draw.between(1, 12));
  switch (draw.below(5)) {
    case 0: {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ (1 << draw.below(8));
      return copy;
    }
    case 1: {
      const copy = Buffer.from(bytes);
      copy[at] = draw.pick([0, 1, 0x7f, 0x80, 0xff]);
      return copy;
    }
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), draw.bytes(draw.between(1, 12)), bytes.subarray(at)]);
  }
}

/** A recorded session with some damage, as one piece: its frames are no longer certain. */
function mutatedSession(draw: Draw, session: Buffer): Buffer[] {
  let bytes = session;
  for (let count = draw.below(4); count > 0; count--) {
    // The preface is spared mostly: behind a broken one nothing is read.
    const spared = draw.once(10) ? 0 : PREFACE.length;
    bytes = Buffer.concat([bytes.subarray(0, spared), mutated(draw, bytes.subarray(spared))]);
  }
  return [bytes];
}

function inPieces(draw: Draw, bytes: Buffer): Buffer[] {
  const size = draw.pick([1, 7, 100, 5_000, 1_000_000]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    // Byte by byte for a stretch only: thousands of turns of the loop test no more than a hundred.
    const length = pieces.length > 100 ? bytes.length : draw.between(1, size);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

/** The heads of frames, for the report of a failure. */
export function describeFrames(frames: readonly Buffer[]): string {
  return frames
    .map((bytes) =>
      bytes.length > 40 ? `${bytes.toString("hex", 0, 40)}… (${bytes.length})` : bytes.toString("hex"),
    )
    .join("\n    ");
}
