import {
  decodeRangeRequest,
  encodeRangeStreamResponse,
  type RangeRequest,
  type RangeResponse,
} from "../../../codec/index.ts";
import { assert } from "../../../lib/assert.ts";
import type { ByteString } from "../../../lib/bytes.ts";
import { assertValidRangeStream } from "../../mvcc/index.ts";
import { completeHeader } from "../response-header.ts";
import type { MethodHandler, ServerStream } from "../transport.ts";
import type { ServiceContext } from "./service-context.ts";
import { roomOf } from "./stream-room.ts";

const FIRST_CHUNK_KEYS = 10;

/**
 * KV.RangeStream (semantics-kv-mvcc 3.9): the unary answer in chunks, all read at one revision. A chunk is read
 * when the peer has room for it, so a range of any size costs the memory of a few chunks.
 */
export function createRangeStream(context: ServiceContext): MethodHandler {
  const { node, guard } = context;

  const serve = async (bytes: Buffer, stream: ServerStream): Promise<void> => {
    const request = decodeRangeRequest(bytes);
    guard.admit(stream.context, false);
    assertValidRangeStream(request);
    if (!request.serializable) await node.readBarrier();
    if (request.countOnly) {
      const answer = node.kv.range(request);
      const response = answer instanceof Promise ? await answer : answer;
      completeHeader(response, node);
      stream.send(encodeRangeStreamResponse({ rangeResponse: response }));
      return;
    }
    await sendChunks(request, stream, context);
  };

  return {
    kind: "serverStream",
    handle: (bytes, stream) => {
      serve(bytes, stream).then(
        () => stream.end(),
        (error: Error) => stream.end(error),
      );
    },
  };
}

async function sendChunks(
  request: RangeRequest,
  stream: ServerStream,
  context: ServiceContext,
): Promise<void> {
  const { node, requestBytesMax } = context;
  const room = roomOf(stream);
  const keysMax = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
  let chunkKeys = FIRST_CHUNK_KEYS;
  let sentKeys = 0;
  let key = request.key;
  let { revision } = request;
  let firstRevision: number | undefined;
  while (!stream.context.isCancelled) {
    const limit = Math.min(chunkKeys, keysMax - sentKeys);
    const answer = node.kv.range({ ...request, key, revision, limit });
    const read = answer instanceof Promise ? await answer : answer;
    if (stream.context.isCancelled) return;
    if (firstRevision === undefined) {
      completeHeader(read, node);
      firstRevision = read.header?.revision ?? 0;
      if (revision <= 0) revision = firstRevision;
    }
    const readKeys = sentKeys + read.kvs.length;
    const isFinal = !read.more || readKeys >= keysMax;
    const chunk: RangeResponse = isFinal
      ? {
          header: { ...headerOf(read, node), revision: firstRevision },
          kvs: read.kvs,
          more: read.more,
          count: sentKeys + read.count,
        }
      : { header: undefined, kvs: read.kvs, more: false, count: 0 };
    const message = encodeRangeStreamResponse({ rangeResponse: chunk });
    const hasRoom = stream.send(message);
    if (isFinal) return;
    sentKeys = readKeys;
    const last = read.kvs.at(-1);
    assert(last !== undefined, "a chunk with more behind it has keys");
    key = `${last.key}\0` as ByteString;
    if (message.length < requestBytesMax / 2) chunkKeys *= 2;
    else if (message.length > requestBytesMax * 2) chunkKeys = Math.max(1, Math.floor(chunkKeys / 2));
    if (!hasRoom) await room.wait();
  }
}

function headerOf(read: RangeResponse, node: ServiceContext["node"]): NonNullable<RangeResponse["header"]> {
  completeHeader(read, node);
  assert(read.header !== undefined, "completeHeader gives a header");
  return read.header;
}
