import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type HeaderList, HpackDecoder } from "../../../../../src/server/api/wire/hpack-decoder.ts";
import { ResponseHeaderEncoder } from "../../../../../src/server/api/wire/hpack-encoder.ts";

const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const frame = { headers: 1, settings: 4 } as const;
const flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;
const HEADER_TABLE_SIZE = 1;

/** Writes the answer to the call with this number, and returns its header blocks. */
export type Answer = (encoder: ResponseHeaderEncoder, call: number) => readonly Buffer[];

export interface Exchange {
  readonly request: HeaderList;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders | undefined;
}

export interface NodeClient {
  /** One call after the other. */
  call(headers: OutgoingHttpHeaders): Promise<Exchange>;
  /** Offers the server a table of that size for its answers. */
  settings(headerTableSize: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * A client of node:http2 and a server that knows no more of HTTP/2 than it needs: both compressors of header blocks
 * under test meet another implementation.
 */
export async function connectNodeClient(
  answer: Answer,
  settings: { headerTableSize?: number } = {},
): Promise<NodeClient> {
  const requests: HeaderList[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    sockets.push(socket);
    serve(socket, answer, requests);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { settings });
  return {
    call: (headers) => callOn(session, headers, requests),
    async settings(headerTableSize) {
      session.settings({ headerTableSize });
      await once(session, "localSettings");
    },
    async close() {
      session.destroy();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function callOn(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  requests: readonly HeaderList[],
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: true });
    let received: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders | undefined;
    session.once("error", reject);
    stream.on("error", reject);
    stream.on("response", (headers) => {
      received = headers;
    });
    stream.on("trailers", (headers) => {
      trailers = headers;
    });
    stream.on("close", () => {
      session.off("error", reject);
      resolve({ request: requests.at(-1)!, headers: received, trailers });
    });
    stream.resume();
  });
}

function serve(socket: Socket, answer: Answer, requests: HeaderList[]): void {
  const decoder = new HpackDecoder({ tableBytesMax: 4_096, listBytesMax: 65_536, fieldsMax: 100 });
  const encoder = new ResponseHeaderEncoder();
  let unread = Buffer.alloc(0);
  let isOpen = false;
  socket.on("error", () => {});
  socket.write(frameOf(frame.settings, 0, 0, Buffer.alloc(0)));
  socket.on("data", (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    if (!isOpen) {
      if (unread.length < PREFACE_BYTES) return;
      unread = unread.subarray(PREFACE_BYTES);
      isOpen = true;
    }
    while (unread.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + unread.readUIntBE(0, 3);
      if (unread.length < end) return;
      const [type, flags, stream] = [unread[3]!, unread[4]!, unread.readUInt32BE(5)];
      const payload = unread.subarray(FRAME_HEADER_BYTES, end);
      unread = unread.subarray(end);
      if (type === frame.settings && (flags & flag.ack) === 0) {
        for (let at = 0; at < payload.length; at += 6) {
          if (payload.readUInt16BE(at) === HEADER_TABLE_SIZE)
            encoder.setTableBytesMax(payload.readUInt32BE(at + 2));
        }
        socket.write(frameOf(frame.settings, flag.ack, 0, Buffer.alloc(0)));
      } else if (type === frame.headers) {
        const start = ((flags & flag.padded) === 0 ? 0 : 1) + ((flags & flag.priority) === 0 ? 0 : 5);
        const padding = (flags & flag.padded) === 0 ? 0 : payload[0]!;
        requests.push(decoder.decode(payload, start, payload.length - padding));
        const blocks = answer(encoder, requests.length - 1);
        for (const [i, block] of blocks.entries()) {
          const isLast = i === blocks.length - 1;
          socket.write(
            frameOf(frame.headers, flag.endHeaders | (isLast ? flag.endStream : 0), stream, block),
          );
        }
      }
    }
  });
}

function frameOf(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}
