import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "../../../../src/lib/crc32.ts";
import { createDigest } from "../../../../src/lib/digest.ts";
import { DecodeError } from "../../../../src/lib/errors.ts";
import { FRAME_HEADER_BYTES } from "../../../../src/server/peer/frame.ts";
import { encodeSnapshotRecord } from "../../../../src/server/peer/snapshot-record.ts";
import { messageType } from "../../../../src/server/raft/index.ts";
import {
  memberHeaders,
  message,
  PeerWorld,
  type RawConnection,
  rawConnection,
  snapshotMessage,
  type TestMember,
  until,
} from "./peer-world.ts";

const head = encodeSnapshotRecord({ kind: "message", message: snapshotMessage(2n, 1n) });
const chunkOf = (text: string): Buffer => encodeSnapshotRecord({ kind: "chunk", chunk: Buffer.from(text) });

/** The end record of a snapshot from 2 to 1 of these chunks, with something changed. */
function endOf(
  texts: readonly string[],
  changes: Partial<{ chunks: number; bytes: number; sha256: Buffer }> = {},
): Buffer {
  const digest = createDigest();
  digest.update(head.subarray(FRAME_HEADER_BYTES));
  for (const text of texts) digest.update(Buffer.from(text));
  const end = {
    chunks: texts.length,
    bytes: texts.join("").length,
    sha256: digest.finish(),
    ...changes,
  };
  return encodeSnapshotRecord({ kind: "end", end });
}

describe("The door for snapshots", () => {
  const world = new PeerWorld();
  afterEach(() => world.close());

  async function listener(limits: Record<string, number> = {}): Promise<TestMember> {
    const member = await world.member(1n, { limits });
    member.network.setPeers([2n, 3n, 4n].map((id) => ({ id, peerUrls: ["http://127.0.0.1:1"] })));
    member.network.start(member.handler);
    return member;
  }

  async function begin(
    member: TestMember,
    from = 2n,
    others: Record<string, string> = {},
  ): Promise<RawConnection> {
    const connection = await rawConnection(member.url);
    const headers = memberHeaders(from, 1n, { "Transfer-Encoding": "chunked", ...others });
    connection.socket.write(`POST /raft/snapshot HTTP/1.1\r\n${headers}\r\n`);
    return connection;
  }

  function write(connection: RawConnection, bytes: Buffer): void {
    connection.socket.write(`${bytes.length.toString(16)}\r\n`);
    connection.socket.write(bytes);
    connection.socket.write("\r\n");
  }

  /** Sends these frames as a whole body; the status and text that come back. */
  async function post(member: TestMember, frames: readonly Buffer[]): Promise<string> {
    const connection = await begin(member);
    for (const frame of frames) write(connection, frame);
    connection.socket.write("0\r\n\r\n");
    await until(() => connection.received.includes("\r\n\r\n"), "an answer");
    await delay(10);
    connection.socket.destroy();
    const answer = connection.received.toString();
    const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
    return `${/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]} ${body}`.trim();
  }

  it("takes a snapshot that is whole", async () => {
    const member = await listener();
    assert.equal(await post(member, [head, chunkOf("one"), chunkOf("two"), endOf(["one", "two"])]), "204");
    assert.deepEqual(member.handler.snapshots[0]?.chunks.map(String), ["one", "two"]);
    assert.equal(member.observer.count("snapshotReceiveEnded true", 2n), 1);
  });

  it("refuses every way in which one is not", async () => {
    const member = await listener();
    const [one, two] = [chunkOf("one"), chunkOf("two")];
    const damaged = Buffer.from(two);
    damaged[damaged.length - 1]! ^= 1;
    const claim = Buffer.alloc(8);
    claim.writeUInt32LE(0xf000_0000);
    const cases: [string, Buffer[], RegExp][] = [
      ["empty", [], /no message/],
      ["no message", [one, endOf(["one"])], /begins with its message/],
      ["two messages", [head, head, endOf([])], /second message/],
      ["no end", [head, one], /cut short/],
      ["half a frame", [head, one.subarray(0, 9)], /cut short/],
      ["wrong digest", [head, one, endOf(["one"], { sha256: Buffer.alloc(32) })], /digest/],
      ["no digest", [head, one, endOf(["one"], { sha256: Buffer.alloc(0) })], /digest/],
      ["chunk changed", [head, one, endOf(["eno"])], /digest/],
      ["chunk lost", [head, one, endOf(["one", "two"])], /2 chunks, 6 bytes came as 1, 3/],
      ["wrong size", [head, one, endOf(["one"], { bytes: 4 })], /bytes came as/],
      ["more after the end", [head, one, endOf(["one"]), two], /follows the end/],
      ["flipped bit", [head, one, damaged, endOf(["one", "two"])], /checksum/],
      ["giant claim", [head, claim], /claims/],
      ["unknown record", [head, encodeUnknown()], /no known kind/],
      [
        "other message",
        [encodeSnapshotRecord({ kind: "message", message: message(messageType.vote, 2n, 1n) })],
        /no snapshot message/,
      ],
      [
        "other sender",
        [encodeSnapshotRecord({ kind: "message", message: snapshotMessage(3n, 1n) })],
        /from 3 to 1/,
      ],
      [
        "other receiver",
        [encodeSnapshotRecord({ kind: "message", message: snapshotMessage(2n, 3n) })],
        /from 2 to 3/,
      ],
    ];
    for (const [what, frames, text] of cases) {
      const answer = await post(member, frames);
      assert.match(answer, /^400 /, what);
      assert.match(answer, text, what);
    }
    assert.equal(member.handler.snapshots.length, 0);
    assert.equal(member.observer.count("snapshotReceiveEnded false", 2n), cases.length);
  });

  it("throws DecodeError in the iteration when the sender goes away", async () => {
    const member = await listener();
    let failure: unknown;
    let taken = 0;
    member.handler.onSnapshot = async (_message, chunks) => {
      try {
        for await (const _ of chunks) taken++;
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    const connection = await begin(member);
    write(connection, head);
    write(connection, chunkOf("one"));
    await until(() => taken === 1, "the first chunk");
    connection.socket.destroy();
    await until(() => failure !== undefined, "the failure");
    assert.ok(failure instanceof DecodeError);
  });

  it("does not wait for a sender that stopped: snapshotStallMs", async () => {
    const member = await listener({ snapshotStallMs: 80 });
    const connection = await begin(member);
    write(connection, head);
    await until(() => connection.isClosed, "closed");
    assert.equal(member.observer.count("snapshotReceiveEnded false", 2n), 1);
  });

  it("lets a newer snapshot of a peer take the place of an older one", async () => {
    const member = await listener();
    const older = await begin(member);
    write(older, head);
    await delay(30);
    assert.equal(await post(member, [head, chunkOf("new"), endOf(["new"])]), "204");
    await until(() => older.isClosed, "the older one closed");
    assert.equal(member.handler.snapshots.length, 1);
  });

  it("takes snapshotReceptionsMax at a time, and asks the others to come again", async () => {
    const member = await listener();
    const [second, third] = [await begin(member, 2n), await begin(member, 3n)];
    await delay(30);
    const refused = await begin(member, 4n);
    await until(() => refused.received.includes("\r\n\r\n"), "an answer");
    assert.match(refused.received.toString(), /^HTTP\/1\.1 503 [\s\S]*try again/);
    for (const connection of [second, third, refused]) connection.socket.destroy();
  });

  it("answers at once, and reads no more, when the member does not need the state", async () => {
    const member = await listener();
    member.handler.onSnapshot = async () => {};
    const connection = await begin(member);
    write(connection, head);
    await until(() => connection.received.includes("\r\n\r\n"), "an answer");
    assert.match(connection.received.toString(), /^HTTP\/1\.1 204 /);
    const feeding = setInterval(() => write(connection, chunkOf("more")), 10);
    await until(() => connection.isClosed, "closed after a while");
    clearInterval(feeding);
  });

  it("invites the body only of those who may send one", async () => {
    const member = await listener();
    const welcome = await begin(member, 2n, { Expect: "100-continue" });
    await until(() => welcome.received.length > 0, "an invitation");
    assert.match(welcome.received.toString(), /^HTTP\/1\.1 100 Continue/);
    const stranger = await begin(member, 9n, { Expect: "100-continue" });
    await until(() => stranger.received.length > 0, "an answer");
    assert.match(stranger.received.toString(), /^HTTP\/1\.1 404 /);
    for (const { socket } of [welcome, stranger]) socket.destroy();
  });

  it("says 500 and no more when the member cannot store it", async () => {
    const member = await listener();
    member.handler.onSnapshot = async () => {
      throw new Error("secret path /var/lib");
    };
    const answer = await post(member, [head, chunkOf("one"), endOf(["one"])]);
    assert.equal(answer, "500 this member could not take the snapshot");
    assert.equal(member.log.count("a snapshot from a peer was not taken"), 1);
  });
});

/** A record with a field that no version of ours has yet. */
function encodeUnknown(): Buffer {
  const frame = encodeSnapshotRecord({ kind: "chunk", chunk: Buffer.from("x") });
  const unknown = Buffer.from(frame);
  unknown[8] = 0x22;
  unknown.writeUInt32LE(crc32(unknown, 0, FRAME_HEADER_BYTES), 4);
  return unknown;
}
