import assert from "node:assert/strict";
import { connect, type MetaStoreClient, MetaStoreError } from "../../../src/client/index.ts";
import { encodeSnapshotResponse } from "../../../src/codec/index.ts";
import { grpcCode } from "../../../src/lib/errors.ts";
import { type ReadScript, startFakeServer, stopFakeServers, unusedPort } from "./fake-server.ts";

function message(text: string, remainingBytes: number): Buffer {
  return encodeSnapshotResponse({
    header: undefined,
    remainingBytes,
    blob: Buffer.from(text),
    version: "3.6.0",
  });
}

/** Sends the pieces and ends with OK. */
function sending(...pieces: string[]): ReadScript {
  return (call) => {
    for (const [i, piece] of pieces.entries()) call.write(message(piece, pieces.length - 1 - i));
    call.end();
  };
}

const refusing =
  (code: number, details: string): ReadScript =>
  (call) =>
    void call.emit("error", { code, details });

describe("A snapshot on its way to a client", () => {
  const clients: MetaStoreClient[] = [];
  const open = (endpoints: string, timeoutMs = 5_000): MetaStoreClient => {
    const client = connect({ endpoints, timeoutMs, connectTimeoutMs: 1_000 });
    clients.push(client);
    return client;
  };
  const start = async (script: ReadScript): Promise<string> =>
    (await startFakeServer({ read: { "Maintenance/Snapshot": script } })).endpoint;
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    stopFakeServers();
  });

  async function read(download: AsyncIterable<Buffer>): Promise<string> {
    const pieces: Buffer[] = [];
    for await (const bytes of download) pieces.push(bytes);
    return Buffer.concat(pieces).toString();
  }

  async function failure(work: Promise<unknown>): Promise<MetaStoreError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof MetaStoreError, String(error));
    return error;
  }

  it("comes as bytes, with what is known of it", async () => {
    const endpoint = await start(sending("one", "two", "", "three"));
    const download = open(endpoint).maintenance.snapshot();
    assert.deepEqual(
      [download.endpoint, download.version, download.remainingBytes],
      [endpoint, "", undefined],
    );
    assert.equal(await read(download), "onetwothree");
    assert.deepEqual([download.receivedBytes, download.remainingBytes, download.version], [11, 0, "3.6.0"]);
  });

  it("comes from the next endpoint when one cannot be reached, and from the one that is named only", async () => {
    const endpoint = await start(sending("here"));
    const dead = `127.0.0.1:${await unusedPort()}`;
    const client = open(`${dead},${endpoint}`);
    const download = client.maintenance.snapshot();
    assert.equal(await read(download), "here");
    assert.equal(download.endpoint, endpoint);
    const error = await failure(read(client.maintenance.snapshot({ endpointIndex: 0 })));
    assert.deepEqual([error.code, error.endpoint], ["UNAVAILABLE", dead]);
  });

  it("is not begun anew once bytes have come: the reader would get them twice", async () => {
    let calls = 0;
    const script: ReadScript = (call) => {
      calls++;
      call.write(message("half", 4));
      setTimeout(() => refusing(grpcCode.unavailable, "going down")(call), 50);
    };
    const endpoints = [await start(script), await start(script)].join(",");
    const error = await failure(read(open(endpoints).maintenance.snapshot()));
    assert.deepEqual(
      [error.code, error.message, error.outcome],
      ["UNAVAILABLE", "going down", "not-applied"],
    );
    assert.equal(calls, 1);
  });

  it("fails with what the server refused it for", async () => {
    const endpoint = await start(refusing(grpcCode.permissionDenied, "etcdserver: permission denied"));
    const error = await failure(read(open(endpoint).maintenance.snapshot()));
    assert.deepEqual([error.code, error.message], ["PERMISSION_DENIED", "etcdserver: permission denied"]);
  });

  it("fails when nothing comes for the time-out, which a reader that takes its time does not spend", async () => {
    const endpoint = await start((call) => {
      call.write(message("a", 2));
      call.write(message("b", 1));
    });
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const bytes of open(endpoint, 300).maintenance.snapshot()) {
        pieces.push(bytes.toString());
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    })();
    const error = await failure(reading);
    assert.deepEqual([error.code, error.message], ["DEADLINE_EXCEEDED", "nothing came for 300 ms"]);
    assert.deepEqual(pieces, ["a", "b"]);
  });

  it("is cancelled by its signal, and when its reader leaves", async () => {
    let cancelled = 0;
    const endpoint = await start((call) => {
      call.on("cancelled", () => cancelled++);
      call.write(message("a", 1));
    });
    const client = open(endpoint);
    const abort = new AbortController();
    const error = await failure(
      (async () => {
        for await (const _ of client.maintenance.snapshot({ signal: abort.signal })) abort.abort();
      })(),
    );
    assert.equal(error.code, "CANCELLED");
    for await (const _ of client.maintenance.snapshot()) break;
    while (cancelled < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const early = new AbortController();
    const reading = failure(read(open(endpoint).maintenance.snapshot({ signal: early.signal })));
    // While the connection is made.
    early.abort();
    assert.equal((await reading).code, "CANCELLED");
    const late = await failure(read(client.maintenance.snapshot({ signal: abort.signal })));
    assert.equal(late.code, "CANCELLED");
  });

  it("fails when what comes is no message", async () => {
    const endpoint = await start((call) => {
      call.write(Buffer.from([0x1a, 0x05, 0x00]));
      call.end();
    });
    const error = await failure(read(open(endpoint).maintenance.snapshot()));
    assert.equal(error.code, "INTERNAL");
  });
});
