import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import fc from "fast-check";
import { createDigest } from "../../../../src/lib/digest.ts";
import { DecodeError } from "../../../../src/lib/errors.ts";
import { FRAME_HEADER_BYTES } from "../../../../src/server/peer/frame.ts";
import { peerLimits } from "../../../../src/server/peer/limits.ts";
import { SnapshotReceiver } from "../../../../src/server/peer/snapshot-receiver.ts";
import { encodeSnapshotRecord } from "../../../../src/server/peer/snapshot-record.ts";
import { SimClock } from "../../../sim/clock.ts";
import { snapshotMessage } from "./peer-world.ts";

const head = encodeSnapshotRecord({ kind: "message", message: snapshotMessage(2n, 1n) });

function bodyOf(chunks: readonly Buffer[]): Buffer {
  const digest = createDigest();
  digest.update(head.subarray(FRAME_HEADER_BYTES));
  for (const chunk of chunks) digest.update(chunk);
  const bytes = chunks.reduce((total, chunk) => total + chunk.length, 0);
  return Buffer.concat([
    head,
    ...chunks.map((chunk) => encodeSnapshotRecord({ kind: "chunk", chunk })),
    encodeSnapshotRecord({ kind: "end", end: { chunks: chunks.length, bytes, sha256: digest.finish() } }),
  ]);
}

function receiverOf(pieces: Iterable<Buffer>): SnapshotReceiver {
  return new SnapshotReceiver({
    // Only its stream is used.
    request: Readable.from(pieces, { objectMode: false }) as unknown as IncomingMessage,
    peer: 2n,
    self: 1n,
    clock: new SimClock(),
    limits: peerLimits,
    onReceived: () => {},
  });
}

async function receive(pieces: Iterable<Buffer>): Promise<Buffer[]> {
  const receiver = receiverOf(pieces);
  await receiver.message();
  const chunks: Buffer[] = [];
  for await (const chunk of receiver.chunks()) chunks.push(Buffer.from(chunk));
  return chunks;
}

describe("A snapshot on its way in", () => {
  const states = fc.array(
    fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 5 },
  );

  it("is the same however its bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        states,
        fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 20 }),
        async (chunks, cuts) => {
          const body = bodyOf(chunks);
          const pieces: Buffer[] = [];
          let at = 0;
          for (const length of [...cuts, body.length]) {
            if (at < body.length) pieces.push(body.subarray(at, at + length));
            at += length;
          }
          assert.deepEqual(await receive(pieces), chunks);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is never taken for whole when a byte is changed, lost or added", async () => {
    await fc.assert(
      fc.asyncProperty(
        states,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(2),
        async (chunks, place, mask, kind) => {
          const body = bodyOf(chunks);
          const at = place % body.length;
          const changed = Buffer.from(body);
          changed[at]! ^= mask;
          const damaged = [
            changed,
            Buffer.concat([body.subarray(0, at), body.subarray(at + 1)]),
            Buffer.concat([body.subarray(0, at), Buffer.from([mask]), body.subarray(at)]),
          ][kind]!;
          // A byte that is added before an equal one, or a longer run, changes nothing but the end.
          if (damaged.equals(body)) return;
          await assert.rejects(receive([damaged]), DecodeError);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("is never taken for whole when it is cut off anywhere", async () => {
    const body = bodyOf([Buffer.from("one"), Buffer.from("two")]);
    for (let length = 0; length < body.length; length++) {
      await assert.rejects(receive(length === 0 ? [] : [body.subarray(0, length)]), DecodeError, `${length}`);
    }
    assert.equal((await receive([body])).length, 2);
  });

  it("is read only as far as it is asked for", async () => {
    let given = 0;
    const body = bodyOf(Array.from({ length: 50 }, () => Buffer.alloc(100_000)));
    const receiver = receiverOf(
      (function* () {
        for (let at = 0; at < body.length; at += 65_536) {
          given++;
          yield body.subarray(at, at + 65_536);
        }
      })(),
    );
    await receiver.message();
    const chunks = receiver.chunks();
    await chunks.next();
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(given < 8, `${given} pieces for the first chunk`);
  });

  it("ends with the reason for which it is given up", async () => {
    const receiver = receiverOf([head]);
    await receiver.message();
    receiver.abort("the sender is no longer a member");
    await assert.rejects(receiver.chunks().next(), /no longer a member/);
    assert.match(String(receiver.problem), /no longer a member/);
  });
});
