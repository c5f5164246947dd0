import assert from "node:assert/strict";
import fc from "fast-check";
import { Output } from "../../../../../src/server/api/wire/output.ts";
import { contentOf, PeerSocket } from "./frame-peer.ts";

function write(output: Output, bytes: Buffer): void {
  const at = output.reserve(bytes.length);
  assert.ok(output.chunk.length - at >= bytes.length);
  bytes.copy(output.chunk, at);
  output.offset = at + bytes.length;
}

describe("Output", () => {
  it("writes small bytes and references in their order, over any flushes and a socket that is stuck at times", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("write" as const), bytes: fc.oneof(fc.nat(50), fc.nat(16_384)) }),
      fc.record({ kind: fc.constant("reference" as const), bytes: fc.oneof(fc.nat(50), fc.nat(40_000)) }),
      fc.constantFrom("flush" as const, "stick" as const, "release" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const socket = new PeerSocket();
        const output = new Output(socket);
        const model: Buffer[] = [];
        const total = (buffers: readonly Buffer[]) => buffers.reduce((sum, { length }) => sum + length, 0);
        let turn = 0;
        for (const step of steps) {
          if (step === "flush") output.flush();
          else if (step === "stick") socket.isStuck = true;
          else if (step === "release") socket.release();
          else {
            const bytes = Buffer.alloc(step.bytes, turn++);
            model.push(bytes);
            if (step.kind === "write") write(output, bytes);
            else output.reference(bytes);
          }
          assert.equal(output.waitingBytes, total(model) - total(socket.written));
        }
        output.flush();
        socket.release();
        assert.ok(Buffer.concat(socket.written).equals(Buffer.concat(model)));
        assert.equal(output.waitingBytes, 0);
      }),
      { numRuns: 200 },
    );
  });

  it("uses a chunk again when its bytes were taken", () => {
    const output = new Output(new PeerSocket());
    write(output, contentOf(10));
    const { chunk } = output;
    output.flush();
    write(output, contentOf(10));
    assert.equal(output.chunk, chunk);
  });

  it("uses no chunk again that the socket still holds, not even for another connection", () => {
    const stuck = new PeerSocket();
    stuck.isStuck = true;
    const output = new Output(stuck);
    for (let i = 0; i < 5; i++) write(output, Buffer.alloc(10_000, "a"));
    output.flush();
    write(output, Buffer.alloc(100, "b"));
    output.flush();
    const others = Array.from({ length: 20 }, () => {
      const other = new Output(new PeerSocket());
      for (let i = 0; i < 5; i++) write(other, Buffer.alloc(10_000, "x"));
      return other;
    });
    for (const other of others) other.flush();
    stuck.release();
    assert.equal(Buffer.concat(stuck.written).toString(), "a".repeat(50_000) + "b".repeat(100));
  });

  it("writes nothing when there is nothing, and nothing that was discarded", () => {
    const socket = new PeerSocket();
    const output = new Output(socket);
    output.flush();
    write(output, contentOf(10));
    output.reference(contentOf(10_000));
    write(output, contentOf(10));
    output.discard();
    output.flush();
    assert.deepEqual(socket.written, []);
    assert.equal(output.waitingBytes, 0);
  });

  it("is congested when more than a mebibyte waits, in it or in its socket", () => {
    const socket = new PeerSocket();
    socket.isStuck = true;
    const output = new Output(socket);
    output.reference(contentOf(1_048_576));
    assert.equal(output.isCongested, false);
    output.flush();
    assert.equal(output.isCongested, false);
    write(output, contentOf(1));
    assert.equal(output.isCongested, true);
    output.flush();
    assert.equal(output.isCongested, true);
    socket.release();
    assert.equal(output.isCongested, false);
  });
});
