import assert from "node:assert/strict";
import { ConnectionError, http2Error, setting } from "../../../../../src/server/api/wire/frames.ts";
import { readSettings } from "../../../../../src/server/api/wire/peer-settings.ts";
import { settingsFrame } from "./frame-peer.ts";

type Setting = readonly [id: number, value: number];

function read(...settings: Setting[]): Setting[] {
  const frame = settingsFrame(settings);
  const found: Setting[] = [];
  readSettings(frame, 9, frame.length, (id, value) => found.push([id, value]));
  return found;
}

const refuses = (code: number, ...settings: Setting[]) =>
  assert.throws(
    () => read(...settings),
    (error) => error instanceof ConnectionError && error.code === code,
  );

describe("readSettings", () => {
  it("hands on each setting in order, known or not", () => {
    const settings: Setting[] = [
      ...([
        [setting.headerTableSize, 0],
        [setting.enablePush, 1],
        [setting.enablePush, 0],
      ] as const),
      ...([
        [setting.initialWindowSize, 2_147_483_647],
        [setting.initialWindowSize, 0],
      ] as const),
      ...([
        [setting.maxFrameSize, 16_384],
        [setting.maxFrameSize, 16_777_215],
      ] as const),
      ...([
        [setting.maxConcurrentStreams, 4_294_967_295],
        [0xffff, 7],
        [0, 0],
      ] as const),
    ];
    assert.deepEqual(read(...settings), settings);
    assert.deepEqual(read(), []);
  });

  it("refuses values that are none, each with its code", () => {
    refuses(http2Error.protocolError, [setting.enablePush, 2]);
    refuses(http2Error.flowControlError, [setting.initialWindowSize, 2_147_483_648]);
    refuses(http2Error.flowControlError, [setting.initialWindowSize, 4_294_967_295]);
    refuses(http2Error.protocolError, [setting.maxFrameSize, 16_383]);
    refuses(http2Error.protocolError, [setting.maxFrameSize, 16_777_216]);
  });

  it("refuses a payload that ends in the middle of a setting, and applies none of it", () => {
    const frame = settingsFrame([[setting.enablePush, 0]]);
    for (let end = 10; end < frame.length; end++) {
      assert.throws(
        () => readSettings(frame, 9, end, () => assert.fail()),
        (error) => error instanceof ConnectionError && error.code === http2Error.frameSizeError,
      );
    }
  });
});
