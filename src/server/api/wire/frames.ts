/** HTTP/2 on the wire: RFC 9113 sections 4, 6 and 7. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
export const FRAME_HEADER_BYTES = 9;
/** The largest payload that we take, and the least that any peer takes: the initial SETTINGS_MAX_FRAME_SIZE. */
export const FRAME_PAYLOAD_BYTES_MAX = 16_384;
/** What both windows are before anything is said about them. */
export const WINDOW_BYTES_INITIAL = 65_535;
export const WINDOW_BYTES_MAX = 2_147_483_647;
export const STREAM_ID_MAX = 2_147_483_647;

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const http2Error = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;
export type Http2ErrorCode = (typeof http2Error)[keyof typeof http2Error];

/** What ends a whole connection: GOAWAY with `code`. The text is for our log, never for the peer. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: Http2ErrorCode;

  constructor(code: Http2ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Writes the nine bytes before a payload; returns the offset behind them. */
export function writeFrameHeader(
  target: Buffer,
  offset: number,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  target[offset] = payloadBytes >>> 16;
  target[offset + 1] = payloadBytes >>> 8;
  target[offset + 2] = payloadBytes;
  target[offset + 3] = type;
  target[offset + 4] = flags;
  return writeUint32(target, offset + 5, streamId);
}

export function writeUint32(target: Buffer, offset: number, value: number): number {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
  return offset + 4;
}

export function readUint32(source: Buffer, offset: number): number {
  return (
    ((source[offset] as number) * 16_777_216 +
      (((source[offset + 1] as number) << 16) |
        ((source[offset + 2] as number) << 8) |
        (source[offset + 3] as number))) >>>
    0
  );
}

/** 31 bits: the highest one is reserved and has no meaning. */
export function readUint31(source: Buffer, offset: number): number {
  return readUint32(source, offset) & STREAM_ID_MAX;
}
