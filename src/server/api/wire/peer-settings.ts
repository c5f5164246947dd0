import {
  ConnectionError,
  FRAME_PAYLOAD_BYTES_MAX,
  http2Error,
  readUint32,
  setting,
  WINDOW_BYTES_MAX,
} from "./frames.ts";

const SETTING_BYTES = 6;
const FRAME_BYTES_MAX_MAX = 16_777_215;

/** Hands on each setting of a SETTINGS payload (RFC 9113 section 6.5.2). Throws ConnectionError for values that are none. */
export function readSettings(
  source: Buffer,
  start: number,
  end: number,
  apply: (id: number, value: number) => void,
): void {
  if ((end - start) % SETTING_BYTES !== 0)
    throw new ConnectionError(http2Error.frameSizeError, "SETTINGS that end in the middle of one");
  for (let at = start; at < end; at += SETTING_BYTES) {
    const id = source.readUInt16BE(at);
    const value = readUint32(source, at + 2);
    if (id === setting.enablePush && value > 1)
      throw new ConnectionError(http2Error.protocolError, `SETTINGS_ENABLE_PUSH ${value}`);
    if (id === setting.initialWindowSize && value > WINDOW_BYTES_MAX)
      throw new ConnectionError(http2Error.flowControlError, `SETTINGS_INITIAL_WINDOW_SIZE ${value}`);
    if (id === setting.maxFrameSize && (value < FRAME_PAYLOAD_BYTES_MAX || value > FRAME_BYTES_MAX_MAX))
      throw new ConnectionError(http2Error.protocolError, `SETTINGS_MAX_FRAME_SIZE ${value}`);
    apply(id, value);
  }
}
