import assert from "node:assert/strict";
import fc from "fast-check";
import { limits } from "../../../../../src/lib/limits.ts";
import {
  frameFlag,
  frameType,
  http2Error,
  PREFACE,
  setting,
} from "../../../../../src/server/api/wire/frames.ts";
import {
  callOf,
  contentOf,
  dataFrame,
  FramePeer,
  frameOf,
  headerBlock,
  headersFrame,
  messageOf,
  PeerSocket,
  pingFrame,
  requestFields,
  resetFrame,
  settingsAck,
  settingsFrame,
  uint32,
  windowUpdate,
} from "./frame-peer.ts";

const { initialWindowSize } = setting;
const nothing = Buffer.alloc(0);
const echoed = (stream: number, bytes = 5): string[] => [
  `HEADERS ${stream}`,
  `DATA ${stream} ${bytes}`,
  `HEADERS ${stream} END`,
];
const unknownFrame = (): Buffer => frameOf(0x42, 0, 0, nothing);
const timesOf = (count: number, frame: Buffer): Buffer => Buffer.alloc(count * frame.length, frame);

/** A peer that has said its first words. */
function opened(
  options: ConstructorParameters<typeof FramePeer>[0] = {},
  settings: Parameters<FramePeer["open"]>[0] = [],
): FramePeer {
  const peer = new FramePeer(options);
  peer.open(settings);
  return peer;
}

function assertServes(peer: FramePeer, stream: number): void {
  assert.deepEqual(peer.send(callOf(stream, "Echo", nothing)), echoed(stream));
}

describe("Connection", () => {
  describe("at its beginning", () => {
    it("says its settings and its window before it is asked", () => {
      const peer = new FramePeer();
      assert.deepEqual(peer.read(), ["SETTINGS", "WINDOW_UPDATE 0 4128769"]);
      assert.deepEqual(peer.open(), ["SETTINGS ACK"]);
      assertServes(peer, 1);
    });

    it("goes away from a peer whose first frame is not SETTINGS", () => {
      for (const frame of [pingFrame(), settingsAck(), callOf(1, "Echo", nothing)]) {
        const peer = new FramePeer();
        peer.read();
        assert.deepEqual(peer.send(PREFACE, frame), ["GOAWAY 0 PROTOCOL_ERROR"]);
        assert.equal(peer.isOver, true);
      }
    });
  });

  describe("settings", () => {
    it("are acknowledged before anything that they allow is written", () => {
      const peer = opened({}, [[initialWindowSize, 0]]);
      assert.deepEqual(peer.send(callOf(1, "Echo", contentOf(10))), ["HEADERS 1"]);
      assert.deepEqual(peer.send(settingsFrame([[initialWindowSize, 100]])), [
        "SETTINGS ACK",
        "DATA 1 15",
        "HEADERS 1 END",
      ]);
    });

    it("that take a window below zero while its stream waits for the connection's keep it silent until it is positive", () => {
      const peer = opened({}, [[initialWindowSize, 200_000]]);
      assert.deepEqual(peer.send(callOf(1, "Pour", uint32(100_000))), [
        "HEADERS 1",
        ...["DATA 1 16384", "DATA 1 16384", "DATA 1 16384", "DATA 1 16383"],
      ]);
      assert.deepEqual(peer.send(settingsFrame([[initialWindowSize, 1_000]])), ["SETTINGS ACK"]);
      assert.deepEqual(peer.send(windowUpdate(0, 1_000_000)), []);
      assert.deepEqual(peer.send(windowUpdate(1, 64_535)), []);
      assert.deepEqual(peer.send(windowUpdate(1, 1)), ["DATA 1 1"]);
      assertServes(peer, 3);
      assert.deepEqual(peer.send(windowUpdate(1, 100_000)), [
        ...["DATA 1 16384", "DATA 1 16384", "DATA 1 1701"],
        "HEADERS 1 END",
      ]);
    });

    it("that overflow a stream's window end the connection", () => {
      const peer = opened();
      peer.send(callOf(1, "Never", nothing), windowUpdate(1, 2_147_483_647 - 65_535));
      assert.deepEqual(peer.send(settingsFrame([[initialWindowSize, 65_536]])), [
        "GOAWAY 1 FLOW_CONTROL_ERROR",
      ]);
    });
  });

  describe("a frame on a closed stream", () => {
    it("behind the peer's own reset is answered with STREAM_CLOSED, and the connection goes on", () => {
      const peer = opened();
      peer.send(callOf(1, "Never", nothing, 0), resetFrame(1));
      assert.deepEqual(peer.send(dataFrame(1, contentOf(10))), ["RST_STREAM 1 STREAM_CLOSED"]);
      assert.deepEqual(peer.send(headersFrame(1, ["x", "y"], frameFlag.endStream)), [
        "RST_STREAM 1 STREAM_CLOSED",
      ]);
      assertServes(peer, 3);
    });

    it("behind END_STREAM on both sides ends the connection", () => {
      for (const frame of [dataFrame(1, nothing), headersFrame(1, ["x", "y"], frameFlag.endStream)]) {
        const peer = opened();
        assertServes(peer, 1);
        assert.deepEqual(peer.send(frame), ["GOAWAY 1 STREAM_CLOSED"]);
        assert.equal(peer.isOver, true);
      }
    });

    it("behind our own reset is ignored", () => {
      const peer = opened();
      const short = headersFrame(1, requestFields("/t.T/Echo", "content-length", "3"));
      assert.deepEqual(peer.send(short, dataFrame(1, contentOf(4))), ["RST_STREAM 1 PROTOCOL_ERROR"]);
      assert.deepEqual(peer.send(dataFrame(1, contentOf(10))), []);
      assert.deepEqual(peer.send(headersFrame(1, ["x", "y"], frameFlag.endStream)), []);
      assertServes(peer, 3);
    });

    it("behind the peer's END_STREAM, while the answer is open, is an error of the stream", () => {
      const peer = opened();
      peer.send(callOf(1, "Never", nothing));
      assert.deepEqual(peer.send(dataFrame(1, nothing)), ["RST_STREAM 1 STREAM_CLOSED"]);
      assertServes(peer, 3);
    });

    it("that was never open is an error of the connection", () => {
      for (const frame of [dataFrame(5, nothing), resetFrame(5), windowUpdate(5, 1), dataFrame(2, nothing)]) {
        const peer = opened();
        assertServes(peer, 3);
        assert.deepEqual(peer.send(frame), ["GOAWAY 3 PROTOCOL_ERROR"]);
      }
    });

    it("gives its bytes back to the connection's window", () => {
      const peer = opened();
      peer.send(callOf(1, "Never", nothing, 0), resetFrame(1));
      const given = Array.from({ length: 600 }, () => peer.send(dataFrame(1, contentOf(16_384)))).flat();
      const credit = given
        .filter((name) => name.startsWith("WINDOW_UPDATE 0 "))
        .reduce((sum, name) => sum + Number(name.split(" ")[2]), 0);
      assert.ok(credit >= 600 * 16_384 - 4_194_304 / 2, `${credit}`);
      assertServes(peer, 3);
    });
  });

  describe("refuses", () => {
    it("streams beyond concurrentStreamsMax, and takes more when one has ended", () => {
      const peer = opened({ concurrentStreamsMax: 3 });
      for (const id of [1, 3, 5]) assert.deepEqual(peer.send(callOf(id, "Never", nothing)), []);
      assert.deepEqual(peer.send(callOf(7, "Echo", nothing)), ["RST_STREAM 7 REFUSED_STREAM"]);
      assert.deepEqual(peer.send(resetFrame(3)), []);
      assertServes(peer, 9);
      assertServes(peer, 11);
    });

    it("headers above the limit, and goes on", () => {
      const peer = opened({ headerBytesMax: 1_000 });
      const large = headersFrame(1, requestFields("/t.T/Echo", "x", "y".repeat(1_000)));
      assert.deepEqual(peer.send(large), ["RST_STREAM 1 ENHANCE_YOUR_CALM"]);
      assertServes(peer, 3);
    });

    it("a malformed request, and goes on", () => {
      const peer = opened();
      assert.deepEqual(peer.send(headersFrame(1, [":method", "GET"], frameFlag.endStream)), [
        "RST_STREAM 1 PROTOCOL_ERROR",
      ]);
      assertServes(peer, 3);
    });
  });

  describe("a request", () => {
    const block = headerBlock(requestFields("/t.T/Echo"));
    const message = dataFrame(1, messageOf(nothing), frameFlag.endStream);

    it("may come with padding and with a priority", () => {
      for (const padding of [0, 1, 255]) {
        const peer = opened();
        const [length, zeros] = [Buffer.from([padding]), Buffer.alloc(padding)];
        const flags = frameFlag.padded | frameFlag.priority | frameFlag.endHeaders;
        const priority = Buffer.from([0x80, 0, 0, 0, 15]);
        const headers = frameOf(frameType.headers, flags, 1, Buffer.concat([length, priority, block, zeros]));
        const content = Buffer.concat([length, messageOf(contentOf(10)), zeros]);
        const data = dataFrame(1, content, frameFlag.padded | frameFlag.endStream);
        assert.deepEqual(peer.send(headers, data), echoed(1, 15));
      }
    });

    it("may have its headers in CONTINUATION frames, cut anywhere", () => {
      for (let cut = 0; cut <= block.length; cut++) {
        const peer = opened();
        const parts = [
          frameOf(frameType.headers, 0, 1, block.subarray(0, cut)),
          frameOf(frameType.continuation, 0, 1, block.subarray(cut, cut + 3)),
          frameOf(frameType.continuation, frameFlag.endHeaders, 1, block.subarray(cut + 3)),
        ];
        assert.deepEqual(peer.send(...parts, message), echoed(1), `${cut}`);
      }
    });

    it("may end with trailers, which have no pseudo-header fields and an END_STREAM", () => {
      const trailers = (fields: string[], flags: number = frameFlag.endStream) =>
        headersFrame(1, fields, flags);
      const chat = callOf(1, "Chat", nothing, 0);
      const peer = opened();
      assert.deepEqual(peer.send(chat, trailers(["x", "y"])), [...echoed(1)]);
      for (const bad of [trailers([":path", "/"]), trailers(["x", "y"], 0), trailers(["X", "y"])]) {
        const other = opened();
        assert.deepEqual(other.send(chat, bad).at(-1), "RST_STREAM 1 PROTOCOL_ERROR");
        assertServes(other, 3);
      }
    });

    it("has as many bytes as its content-length says, or is broken off", () => {
      const headers = (length: number, flags = 0) =>
        headersFrame(1, requestFields("/t.T/Never", "content-length", String(length)), flags);
      const { endStream } = frameFlag;
      assert.deepEqual(opened().send(headers(5), message), []);
      const wrong = [
        [headers(5, endStream)],
        [headers(6), message],
        [headers(4), dataFrame(1, contentOf(5))],
        [headers(5), dataFrame(1, contentOf(4), endStream)],
        [headers(5), dataFrame(1, contentOf(4)), headersFrame(1, ["x", "y"], endStream)],
      ];
      for (const frames of wrong) {
        const peer = opened();
        assert.deepEqual(peer.send(...frames), ["RST_STREAM 1 PROTOCOL_ERROR"]);
        assertServes(peer, 3);
      }
    });

    it("that depends on itself is refused, and so is a stream that is told to", () => {
      const flags = frameFlag.priority | frameFlag.endHeaders;
      const own = Buffer.from([0, 0, 0, 1, 0]);
      const peer = opened();
      assert.deepEqual(peer.send(frameOf(frameType.headers, flags, 1, Buffer.concat([own, block]))), [
        "RST_STREAM 1 PROTOCOL_ERROR",
      ]);
      peer.send(callOf(3, "Never", nothing));
      assert.deepEqual(peer.send(frameOf(frameType.priority, 0, 3, Buffer.from([0, 0, 0, 3, 0]))), [
        "RST_STREAM 3 PROTOCOL_ERROR",
      ]);
      assertServes(peer, 5);
    });
  });

  describe("limits", () => {
    const floods: [name: string, before: number, burst: number, perSecond: number, frames: Buffer[]][] = [
      ["http2ResetBurst and http2ResetsPerSecond", 0, 10_000, 1_000, [resetFrame(1)]],
      ["http2SettingsBurst and http2SettingsPerSecond", 1, 200, 10, [settingsFrame(), settingsAck()]],
      [
        "http2IdleFrameBurst and http2IdleFramesPerSecond",
        0,
        20_000,
        5_000,
        [unknownFrame(), frameOf(frameType.priority, 0, 3, Buffer.alloc(5)), dataFrame(3, nothing)],
      ],
    ];
    for (const [name, before, burst, perSecond, frames] of floods) {
      it(`let through ${name}, and no more`, () => {
        for (const frame of frames) {
          const peer = opened();
          peer.send(callOf(1, "Never", nothing, 0), callOf(3, "Chat", nothing, 0));
          const counts = [burst - before, perSecond, perSecond];
          for (const count of counts) {
            const answers = peer.send(timesOf(count, frame));
            assert.ok(answers.every((answer) => answer === "SETTINGS ACK"));
            assert.equal(peer.isOver, false);
            peer.clock.advance(1_000);
          }
          assert.deepEqual(
            peer.send(timesOf(perSecond + 1, frame)).filter((answer) => answer !== "SETTINGS ACK"),
            ["GOAWAY 3 ENHANCE_YOUR_CALM"],
          );
          assert.equal(peer.isOver, true);
        }
      });
    }

    it("are those that the floods above are made of", () => {
      assert.deepEqual(
        [
          ...[limits.http2ResetBurst, limits.http2ResetsPerSecond, limits.http2SettingsBurst],
          ...[limits.http2SettingsPerSecond, limits.http2IdleFrameBurst, limits.http2IdleFramesPerSecond],
        ],
        floods.flatMap(([, , burst, perSecond]) => [burst, perSecond]),
      );
    });

    it("count the streams that are refused into http2ResetBurst", () => {
      const peer = opened({ concurrentStreamsMax: 1 });
      peer.send(callOf(1, "Never", nothing));
      let answers: string[] = [];
      for (let i = 1; i <= limits.http2ResetBurst; i++) {
        answers = peer.send(headersFrame(1 + 2 * i, requestFields("/t.T/Echo"), frameFlag.endStream));
        assert.equal(peer.isOver, false);
      }
      assert.deepEqual(answers, [`RST_STREAM ${1 + 2 * limits.http2ResetBurst} REFUSED_STREAM`]);
      const last = 3 + 2 * limits.http2ResetBurst;
      assert.deepEqual(peer.send(headersFrame(last, requestFields("/t.T/Echo"), frameFlag.endStream)), [
        `GOAWAY ${last} ENHANCE_YOUR_CALM`,
      ]);
    });

    it("close a connection whose peer asks, never reads and exceeds http2ControlBytesMax", () => {
      const peer = opened({ keepalive: { minTimeMs: 0, intervalMs: 7_200_000, timeoutMs: 20_000 } });
      peer.send(callOf(1, "Never", nothing));
      peer.socket.isStuck = true;
      const batch = timesOf(10_000, pingFrame());
      let sent = 0;
      for (; sent + batch.length <= limits.http2ControlBytesMax; sent += batch.length) {
        peer.send(batch);
        assert.equal(peer.isOver, false);
        assert.equal(peer.socket.writableLength, sent + batch.length);
      }
      peer.send(batch);
      assert.equal(peer.socket.destroyed, true);
    });

    it("refuse the message with which http2KeptBytesMax is exceeded, and it alone", () => {
      const peer = opened({ messageBytesMax: 8_388_608 });
      const piece = contentOf(16_384);
      const sent = 7_340_032;
      const begin = (id: number) => {
        const names = peer.send(
          headersFrame(id, requestFields("/t.T/Never")),
          dataFrame(id, Buffer.concat([Buffer.from([0]), uint32(8_388_603)])),
        );
        for (let bytes = 0; bytes < sent; bytes += piece.length)
          names.push(...peer.send(dataFrame(id, piece)));
        return names.filter((name) => !name.startsWith("WINDOW_UPDATE"));
      };
      const count = Math.floor(limits.http2KeptBytesMax / 8_388_608);
      for (let i = 0; i < count; i++) assert.deepEqual(begin(1 + 2 * i), []);
      const refused = 1 + 2 * count;
      assert.deepEqual(begin(refused), [`HEADERS ${refused} END`, `RST_STREAM ${refused} NO_ERROR`]);
      assertServes(peer, refused + 2);
      // What is over is not counted any more.
      peer.send(resetFrame(1), resetFrame(3));
      assert.deepEqual(begin(refused + 4), []);
      peer.socket.destroy();
    });

    it("goes on with requests that waited once the peer has given up the answer before them", () => {
      const peer = opened({ messageBytesMax: 100_000_000 }, [[initialWindowSize, 0]]);
      peer.send(callOf(1, "Pour", uint32(limits.http2QueuedBytesMax - 5)));
      peer.send(callOf(3, "Echo", nothing));
      assert.deepEqual(peer.send(callOf(5, "Echo", nothing)), []);
      assert.deepEqual(peer.send(resetFrame(1)), ["HEADERS 5"]);
    });

    it("hold requests back while http2QueuedBytesMax is exceeded, until the peer takes some of it", () => {
      const peer = opened({ messageBytesMax: 100_000_000 }, [[initialWindowSize, 0]]);
      const most = limits.http2QueuedBytesMax;
      peer.send(callOf(1, "Pour", uint32(most - 5)));
      assert.deepEqual(peer.send(callOf(3, "Echo", nothing)), ["HEADERS 3"]);
      // One message beyond: now the next ones wait.
      assert.deepEqual(peer.send(callOf(5, "Echo", nothing)), []);
      assert.deepEqual(peer.send(headersFrame(7, requestFields("/t.T/Chat"))), []);
      assert.deepEqual(peer.send(dataFrame(7, messageOf(nothing))), []);
      const names = peer.send(windowUpdate(0, 100_000), windowUpdate(1, 100_000));
      assert.deepEqual(
        names.filter((name) => name.startsWith("HEADERS")),
        ["HEADERS 5", "HEADERS 7"],
      );
      assert.deepEqual(peer.send(windowUpdate(5, 5), windowUpdate(7, 5)), [
        ...["DATA 5 5", "HEADERS 5 END", "DATA 7 5"],
      ]);
    });

    it("refuse plain requests beyond http2PlainRequestsMax at a time", () => {
      const peer = opened({ onHttp1: () => {} });
      const get = (i: number) =>
        peer.send(
          headersFrame(
            1 + 2 * i,
            [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "peer"],
            frameFlag.endStream,
          ),
        );
      const max = limits.http2PlainRequestsMax;
      for (let i = 0; i < max; i++) assert.deepEqual(get(i), []);
      assert.deepEqual(get(max), [`RST_STREAM ${1 + 2 * max} REFUSED_STREAM`]);
      assertServes(peer, 3 + 2 * max);
      peer.send(resetFrame(7));
      assert.deepEqual(get(max + 2), []);
      assert.deepEqual(get(max + 3), [`RST_STREAM ${7 + 2 * max} REFUSED_STREAM`]);
      peer.socket.destroy();
    });

    it("let go of a peer that takes nothing of what waits for http2StallMsMax, though it answers", () => {
      const peer = opened({}, [[initialWindowSize, 0]]);
      peer.send(callOf(1, "Pour", uint32(1_000)));
      const startMs = peer.clock.nowMs();
      while (!peer.isOver) {
        peer.clock.advance(60_000);
        if (peer.isOver) break;
        assert.ok(peer.clock.nowMs() - startMs <= limits.http2StallMsMax + 120_000);
        peer.send(unknownFrame());
      }
      assert.ok(peer.clock.nowMs() - startMs > limits.http2StallMsMax);
      assert.deepEqual(peer.read(), ["GOAWAY 1 ENHANCE_YOUR_CALM stalled"]);
    });

    it("leave alone a peer that takes a byte a minute, and one for which nothing waits, beyond http2StallMsMax", () => {
      const slow = opened({}, [[initialWindowSize, 0]]);
      slow.send(callOf(1, "Pour", uint32(1_000)));
      const idle = opened();
      idle.send(callOf(1, "Never", nothing));
      for (let minute = 0; minute < 60; minute++) {
        slow.clock.advance(60_000);
        idle.clock.advance(60_000);
        assert.deepEqual(slow.send(windowUpdate(1, 1)), ["DATA 1 1"]);
        assert.deepEqual(idle.send(unknownFrame()), []);
      }
    });
  });

  describe("flow control", () => {
    it("sends no more than both windows allow, and all of it in order in the end", () => {
      const windowOf = fc.oneof(fc.nat(100), fc.nat(70_000));
      const step = fc.oneof(
        fc.record({
          kind: fc.constant("stream" as const),
          at: fc.nat(5),
          bytes: fc.integer({ min: 1, max: 30_000 }),
        }),
        fc.record({ kind: fc.constant("connection" as const), bytes: fc.integer({ min: 1, max: 60_000 }) }),
        fc.record({ kind: fc.constant("settings" as const), bytes: windowOf }),
        fc.record({ kind: fc.constant("call" as const), bytes: fc.oneof(fc.nat(50), fc.nat(60_000)) }),
      );
      fc.assert(
        fc.property(windowOf, fc.array(step, { minLength: 1, maxLength: 30 }), (initial, steps) => {
          let streamWindow = initial;
          let connectionCredit = 65_535;
          const streams = new Map<
            number,
            { credit: number; bytes: number; received: Buffer[]; isEnded: boolean }
          >();
          const peer = opened({}, [[initialWindowSize, initial]]);
          const take = (...sent: Buffer[]) => {
            peer.socket.emit("data", Buffer.concat(sent));
            for (const { type, flags, stream, payload } of peer.frames()) {
              const state = streams.get(stream);
              if (state === undefined) continue;
              assert.equal(state.isEnded, false);
              if ((flags & frameFlag.endStream) !== 0) state.isEnded = true;
              if (type !== frameType.data) continue;
              state.credit -= payload.length;
              connectionCredit -= payload.length;
              assert.ok(payload.length <= 16_384 && state.credit >= 0 && connectionCredit >= 0);
              state.received.push(payload);
            }
          };
          const raiseWindow = (change: number) => {
            streamWindow += change;
            for (const state of streams.values()) state.credit += change;
            take(settingsFrame([[initialWindowSize, streamWindow]]));
          };
          for (const step of steps) {
            if (step.kind === "call") {
              const id = 1 + 2 * streams.size;
              streams.set(id, { credit: streamWindow, bytes: step.bytes, received: [], isEnded: false });
              take(callOf(id, "Pour", uint32(step.bytes)));
            } else if (step.kind === "settings") raiseWindow(step.bytes - streamWindow);
            else if (step.kind === "connection") {
              connectionCredit += step.bytes;
              take(windowUpdate(0, step.bytes));
            } else {
              const id = 1 + 2 * step.at;
              const state = streams.get(id);
              if (state === undefined) continue;
              state.credit += step.bytes;
              take(windowUpdate(id, step.bytes));
            }
          }
          connectionCredit += 3_000_000;
          take(windowUpdate(0, 3_000_000));
          raiseWindow(2_000_000);
          for (const { bytes, received, isEnded } of streams.values()) {
            assert.deepEqual(Buffer.concat(received), messageOf(contentOf(bytes)));
            assert.equal(isEnded, true);
          }
        }),
        { numRuns: 150 },
      );
    });

    it("lets streams that wait take turns", () => {
      const peer = opened({}, [[initialWindowSize, 1_000_000]]);
      peer.send(callOf(1, "Pour", uint32(65_530)));
      for (const id of [3, 5, 7]) peer.send(callOf(id, "Pour", uint32(40_000)));
      const turn = ["DATA 3 16384", "DATA 5 16384", "DATA 7 16384"];
      assert.deepEqual(peer.send(windowUpdate(0, 6 * 16_384)), [...turn, ...turn]);
    });

    it("gives credit for what was consumed, to the stream and to the connection", () => {
      const peer = opened();
      peer.send(headersFrame(1, requestFields("/t.T/Never")), dataFrame(1, Buffer.from([0, 0, 0x3f, 0, 0])));
      const given: string[] = [];
      for (let i = 0; i < 130; i++) given.push(...peer.send(dataFrame(1, contentOf(16_384))));
      const creditOf = (id: number) =>
        given
          .map((name) => name.split(" "))
          .filter(([type, stream]) => type === "WINDOW_UPDATE" && stream === String(id))
          .reduce((sum, [, , bytes]) => sum + Number(bytes), 0);
      const sent = 130 * 16_384 + 5;
      assert.ok(creditOf(1) > sent - 131_072 && creditOf(1) <= sent);
      assert.ok(creditOf(0) > sent - 2_097_152 && creditOf(0) <= sent);
    });

    it("gives no credit while the handler has paused, and refuses more than the window", () => {
      const peer = opened();
      peer.send(headersFrame(1, requestFields("/t.T/Chat")), windowUpdate(0, 1_000_000));
      peer.chats[0]!.pause();
      const piece = messageOf(contentOf(16_379));
      for (let i = 0; i < 16; i++) assert.deepEqual(peer.send(dataFrame(1, piece)), []);
      peer.chats[0]!.resume();
      const answers = peer.read();
      assert.ok(answers.includes("WINDOW_UPDATE 1 262144"), answers.join());
      peer.chats[0]!.pause();
      for (let i = 0; i < 16; i++) peer.send(dataFrame(1, piece));
      assert.deepEqual(peer.send(dataFrame(1, contentOf(1))), ["RST_STREAM 1 FLOW_CONTROL_ERROR"]);
      assertServes(peer, 3);
    });

    it("gives the connection back what a pause has held of a stream that is over", () => {
      const peer = opened();
      const piece = messageOf(contentOf(16_379));
      const given: string[] = [];
      for (let i = 0; i < 40; i++) {
        peer.send(headersFrame(1 + 2 * i, requestFields("/t.T/Chat")));
        peer.chats.at(-1)!.pause();
        for (let j = 0; j < 16; j++) given.push(...peer.send(dataFrame(1 + 2 * i, piece)));
        given.push(...peer.send(resetFrame(1 + 2 * i)));
      }
      assert.deepEqual(given, [
        ...["WINDOW_UPDATE 0 2097152", "WINDOW_UPDATE 0 2097152"],
        ...["WINDOW_UPDATE 0 2097152", "WINDOW_UPDATE 0 2097152", "WINDOW_UPDATE 0 2097152"],
      ]);
    });

    it("ends the connection at a window that overflows, and a stream at its own", () => {
      const peer = opened();
      peer.send(callOf(1, "Never", nothing));
      assert.deepEqual(peer.send(windowUpdate(1, 2_147_483_647)), ["RST_STREAM 1 FLOW_CONTROL_ERROR"]);
      assert.deepEqual(peer.send(windowUpdate(0, 2_147_483_647)), ["GOAWAY 1 FLOW_CONTROL_ERROR"]);
    });
  });

  it("is written to before others of the same turn when an answer to a call is on it", () => {
    const watching = opened();
    assert.deepEqual(watching.send(callOf(1, "Chat", nothing, 0)), ["HEADERS 1", "DATA 1 5"]);
    const calling = new PeerSocket();
    watching.transport.connect(calling, "peer:2");
    calling.emit("data", Buffer.concat([PREFACE, settingsFrame()]));
    watching.clock.runDeferred();
    const order: string[] = [];
    watching.socket.written.push = () => order.push("events");
    calling.written.push = () => order.push("answer");
    watching.chats[0]!.send(nothing);
    calling.emit("data", callOf(1, "Echo", nothing));
    watching.clock.runDeferred();
    assert.deepEqual(order, ["answer", "events"]);
  });

  describe("the answer to a PING", () => {
    it("comes within a millisecond, also to a peer that has no call open", () => {
      const peer = opened();
      assert.deepEqual(peer.send(pingFrame()), []);
      peer.clock.advance(1);
      assert.deepEqual(peer.read(), ["PING ACK"]);
      assert.deepEqual(peer.send(callOf(1, "Never", nothing), pingFrame()), []);
      peer.clock.advance(1);
      assert.deepEqual(peer.read(), ["PING ACK"]);
    });

    it("leaves with the answer to a call that comes before that, and only once", () => {
      const peer = opened();
      assert.deepEqual(peer.send(pingFrame()), []);
      assert.deepEqual(peer.send(callOf(1, "Echo", nothing)), ["PING ACK", ...echoed(1)]);
      peer.clock.advance(5);
      assert.deepEqual(peer.read(), []);
    });

    it("does not wait when there are many of them", () => {
      const peer = opened();
      const [first, ...rest] = peer.send(callOf(1, "Never", nothing), timesOf(100, pingFrame()));
      assert.equal(first, "PING ACK");
      assert.ok(rest.length > 0);
    });
  });

  describe("the end", () => {
    it("leaves a peer that did wrong time to read so, and takes a mebibyte of what it still sends", () => {
      const peer = opened();
      assert.deepEqual(peer.send(windowUpdate(0, 2_147_483_647)), ["GOAWAY 0 FLOW_CONTROL_ERROR"]);
      const half = Buffer.alloc(524_288);
      assert.deepEqual(peer.send(half), []);
      assert.deepEqual(peer.send(half), []);
      assert.equal(peer.socket.destroyed, false);
      peer.send(Buffer.alloc(1));
      assert.equal(peer.socket.destroyed, true);
    });

    it("is graceful: streams that run are served, later ones refused, then the socket closes", async () => {
      const peer = opened();
      peer.send(headersFrame(1, requestFields("/t.T/Chat")));
      const closed = peer.transport.close(60_000);
      assert.deepEqual(peer.read(), ["GOAWAY 1 NO_ERROR"]);
      assert.deepEqual(peer.send(callOf(3, "Echo", nothing)), ["RST_STREAM 3 REFUSED_STREAM"]);
      assert.deepEqual(peer.send(dataFrame(1, messageOf(contentOf(3)))), ["HEADERS 1", "DATA 1 8"]);
      assert.equal(peer.isOver, false);
      assert.deepEqual(peer.send(dataFrame(1, nothing, frameFlag.endStream)), ["HEADERS 1 END"]);
      assert.equal(peer.socket.writableEnded, true);
      await closed;
      peer.clock.advance(1_000);
      assert.equal(peer.socket.destroyed, true);
    });

    it("tells the handlers of all streams when the connection is lost", () => {
      const peer = opened();
      peer.send(callOf(1, "Chat", nothing, 0), callOf(3, "Stream", nothing));
      let told = 0;
      peer.chats[0]!.context.onCancel(() => told++);
      peer.streams[0]!.context.onCancel(() => told++);
      peer.socket.emit("end");
      assert.equal(told, 2);
      assert.equal(peer.socket.destroyed, true);
    });

    it("comes to a silent peer that leaves a ping unanswered for timeoutMs", () => {
      const peer = opened({ keepalive: { minTimeMs: 0, intervalMs: 1_000, timeoutMs: 500 } });
      peer.clock.advance(1_000);
      assert.deepEqual(peer.read(), []);
      peer.clock.advance(1_000);
      assert.deepEqual(peer.read(), ["PING"]);
      peer.clock.advance(499);
      assert.equal(peer.isOver, false);
      peer.clock.advance(1);
      assert.equal(peer.socket.destroyed, true);
    });

    it("does not come to a peer that answers its pings", () => {
      const peer = opened({ keepalive: { minTimeMs: 0, intervalMs: 1_000, timeoutMs: 500 } });
      let pings = 0;
      for (let i = 0; i < 20; i++) {
        peer.clock.advance(1_000);
        if (!peer.read().includes("PING")) continue;
        pings++;
        assert.deepEqual(peer.send(pingFrame(frameFlag.ack)), []);
      }
      assert.ok(pings >= 9);
      assertServes(peer, 1);
    });

    it("of a request that is answered before it is complete is a reset without error", () => {
      const peer = opened();
      assert.deepEqual(peer.send(callOf(1, "Echo", nothing, 0)), [...echoed(1), "RST_STREAM 1 NO_ERROR"]);
      assert.deepEqual(peer.send(dataFrame(1, nothing, frameFlag.endStream)), []);
      assertServes(peer, 3);
    });

    it("of a request whose END_STREAM comes in the same turn is no reset", () => {
      const peer = opened();
      assert.deepEqual(
        peer.send(callOf(1, "Echo", nothing, 0), dataFrame(1, nothing, frameFlag.endStream)),
        echoed(1),
      );
      assert.deepEqual(peer.send(dataFrame(1, nothing)), ["GOAWAY 1 STREAM_CLOSED"]);
    });

    it("is told to a peer that pings too often", () => {
      const peer = opened();
      assert.deepEqual(peer.send(pingFrame(), pingFrame(), pingFrame()), []);
      peer.clock.advance(1);
      assert.deepEqual(peer.read(), ["PING ACK", "PING ACK", "PING ACK"]);
      assert.deepEqual(peer.send(pingFrame()), ["PING ACK", "GOAWAY 0 ENHANCE_YOUR_CALM too_many_pings"]);
    });

    it("comes to a bad PRIORITY of a stream that has been answered, which resets one that has not", () => {
      const bad: [Buffer, string][] = [
        [frameOf(frameType.priority, 0, 1, Buffer.alloc(4)), "FRAME_SIZE_ERROR"],
        [frameOf(frameType.priority, 0, 1, Buffer.from([0, 0, 0, 1, 0])), "PROTOCOL_ERROR"],
      ];
      for (const [frame, code] of bad) {
        const answered = opened();
        assert.deepEqual(answered.send(callOf(1, "Echo", nothing)), echoed(1));
        assert.deepEqual(answered.send(frame), [`GOAWAY 1 ${code}`]);
        const waiting = opened();
        assert.deepEqual(waiting.send(callOf(1, "Never", nothing), frame), [`RST_STREAM 1 ${code}`]);
        assertServes(waiting, 3);
      }
    });

    it("comes to frames of a wrong size, and on a wrong stream", () => {
      const frames: [Buffer, string][] = [
        [frameOf(frameType.ping, 0, 0, Buffer.alloc(7)), "FRAME_SIZE_ERROR"],
        [frameOf(frameType.ping, 0, 1, Buffer.alloc(8)), "PROTOCOL_ERROR"],
        [frameOf(frameType.settings, 0, 1), "PROTOCOL_ERROR"],
        [frameOf(frameType.settings, frameFlag.ack, 0, Buffer.alloc(6)), "FRAME_SIZE_ERROR"],
        [frameOf(frameType.rstStream, 0, 0, uint32(http2Error.cancel)), "PROTOCOL_ERROR"],
        [frameOf(frameType.rstStream, 0, 1, Buffer.alloc(3)), "FRAME_SIZE_ERROR"],
        [frameOf(frameType.windowUpdate, 0, 0, Buffer.alloc(3)), "FRAME_SIZE_ERROR"],
        [windowUpdate(0, 0), "PROTOCOL_ERROR"],
        [frameOf(frameType.goaway, 0, 1, Buffer.alloc(8)), "PROTOCOL_ERROR"],
        [frameOf(frameType.goaway, 0, 0, Buffer.alloc(7)), "FRAME_SIZE_ERROR"],
        [frameOf(frameType.pushPromise, 0, 1, Buffer.alloc(8)), "PROTOCOL_ERROR"],
        [frameOf(frameType.continuation, 0, 1), "PROTOCOL_ERROR"],
        [frameOf(frameType.priority, 0, 0, Buffer.alloc(5)), "PROTOCOL_ERROR"],
        [frameOf(frameType.priority, 0, 3, Buffer.alloc(4)), "FRAME_SIZE_ERROR"],
        [dataFrame(0, nothing), "PROTOCOL_ERROR"],
        [dataFrame(1, Buffer.from([1]), frameFlag.padded), "PROTOCOL_ERROR"],
        [headersFrame(0, requestFields("/t.T/Echo")), "PROTOCOL_ERROR"],
        [headersFrame(2, requestFields("/t.T/Echo")), "PROTOCOL_ERROR"],
        [frameOf(frameType.headers, frameFlag.endHeaders, 3, Buffer.from([0x80])), "COMPRESSION_ERROR"],
        [Buffer.concat([frameOf(frameType.headers, 0, 3), pingFrame()]), "PROTOCOL_ERROR"],
      ];
      for (const [frame, code] of frames) {
        const peer = opened();
        peer.send(callOf(1, "Never", nothing, 0));
        const names = peer.send(frame);
        assert.match(names.at(-1)!, new RegExp(`^GOAWAY \\d ${code}$`), frame.toString("hex"));
        assert.equal(peer.isOver, true);
      }
    });
  });
});
