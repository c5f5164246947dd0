import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { CompactedError, connect, type MetaStoreClient, prefix } from "../../../src/client/index.ts";
import {
  decodeWatchRequest,
  type Event,
  encodeWatchResponse,
  type WatchRequest,
  type WatchResponse,
} from "../../../src/codec/index.ts";
import { fromUtf8 } from "../../../src/lib/bytes.ts";
import { grpcCode } from "../../../src/lib/errors.ts";
import { startFakeServer, stopFakeServers, unusedPort } from "./fake-server.ts";

type WatchCall = ServerDuplexStream<Buffer, Buffer>;

function put(key: string, revision: number): Event {
  const kv = { createRevision: revision, modRevision: revision, version: 1, value: fromUtf8("v"), lease: 0n };
  return { type: 0, kv: { key: fromUtf8(key), ...kv }, prevKv: undefined };
}

function answer(call: WatchCall, revision: number, fields: Partial<WatchResponse>): void {
  call.write(
    encodeWatchResponse({
      header: { clusterId: 1n, memberId: 1n, revision, raftTerm: 1 },
      watchId: 0,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: "",
      fragment: false,
      events: [],
      ...fields,
    }),
  );
}

/** A Watch method that records requests and leaves the answers to `onRequest`. */
function scripted(onRequest: (request: WatchRequest, call: WatchCall, callNumber: number) => void) {
  let calls = 0;
  return (call: WatchCall): void => {
    calls += 1;
    const callNumber = calls;
    call.on("data", (bytes: Buffer) => onRequest(decodeWatchRequest(bytes), call, callNumber));
    call.on("error", () => undefined);
    call.on("end", () => call.end());
  };
}

describe("watches", () => {
  const clients: MetaStoreClient[] = [];
  const open = (endpoints: string | string[]): MetaStoreClient => {
    const client = connect({ endpoints });
    clients.push(client);
    return client;
  };
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    stopFakeServers();
  });

  it("share one call and get each its own events", async () => {
    let calls = 0;
    const ids = new Map<string, number>();
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call, callNumber) => {
          calls = callNumber;
          if (request.case !== "create") return;
          const id = ids.size;
          ids.set(request.request.key, id);
          answer(call, 4, { watchId: id, created: true });
          answer(call, 5 + id, { watchId: id, events: [put(request.request.key, 5 + id)] });
        }),
      },
    });
    const client = open(server.endpoint);
    const watchers = ["a", "b", "c"].map((key) => client.watch(key));
    for (const [index, watcher] of watchers.entries()) {
      assert.equal(await watcher.created, 4);
      for await (const event of watcher) {
        assert.equal(event.kv.keyString(), "abc"[index]);
        assert.equal(event.revision, 5 + index);
        break;
      }
    }
    assert.equal(calls, 1);
  });

  it("resume after the last event when the connection breaks, without gap or repetition", async () => {
    const starts: number[] = [];
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call, callNumber) => {
          if (request.case !== "create") return;
          starts.push(request.request.startRevision);
          answer(call, 10, { created: true });
          if (callNumber === 1) {
            answer(call, 12, { events: [put("a", 11), put("a", 12)] });
            setTimeout(() => call.emit("error", { code: grpcCode.unavailable, details: "going down" }), 20);
          } else answer(call, 13, { events: [put("a", 13)] });
        }),
      },
    });
    const revisions: number[] = [];
    for await (const event of open(server.endpoint).watch("a")) {
      revisions.push(event.revision);
      if (event.revision === 13) break;
    }
    assert.deepEqual(revisions, [11, 12, 13]);
    assert.deepEqual(starts, [0, 13]);
  });

  it("resume from where they were created when nothing happened before the break", async () => {
    const starts: number[] = [];
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call, callNumber) => {
          if (request.case !== "create") return;
          starts.push(request.request.startRevision);
          answer(call, 10, { created: true });
          if (callNumber === 1) call.emit("error", { code: grpcCode.unavailable, details: "x" });
        }),
      },
    });
    const watcher = open(server.endpoint).watch("a");
    await once(watcher, "disconnected");
    await once(watcher, "created");
    assert.deepEqual(starts, [0, 11]);
  });

  it("move to the next endpoint when theirs dies", async () => {
    const first = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call) => {
          if (request.case === "create") answer(call, 1, { created: true });
        }),
      },
    });
    const second = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call) => {
          if (request.case !== "create") return;
          answer(call, 2, { created: true });
          answer(call, 2, { events: [put("a", 2)] });
        }),
      },
    });
    const watcher = open([first.endpoint, second.endpoint]).watch("a");
    await watcher.created;
    first.kill();
    for await (const event of watcher) {
      assert.equal(event.revision, 2);
      break;
    }
  });

  it("end with CompactedError when their history is gone", async () => {
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call) => {
          if (request.case !== "create") return;
          answer(call, 9, { created: true });
          answer(call, 9, { canceled: true, compactRevision: 7 });
        }),
      },
    });
    const watcher = open(server.endpoint).watch("a", { startRevision: 2 });
    await assert.rejects(
      async () => {
        for await (const event of watcher) assert.fail(`unexpected ${event.type}`);
      },
      (error: unknown) => error instanceof CompactedError && error.compactRevision === 7,
    );
  });

  it("end with the reason when the server refuses them", async () => {
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call) => {
          if (request.case !== "create") return;
          answer(call, 9, {
            watchId: -1,
            created: true,
            canceled: true,
            cancelReason: "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
          });
        }),
      },
    });
    await assert.rejects(open(server.endpoint).watch("a").created, {
      code: "PERMISSION_DENIED",
      message: "etcdserver: permission denied",
    });
  });

  it("put a split revision together before they deliver it", async () => {
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call) => {
          if (request.case !== "create") return;
          assert.equal(request.request.fragment, true);
          answer(call, 3, { created: true });
          answer(call, 4, { fragment: true, events: [put("a", 4)] });
          answer(call, 4, { events: [put("b", 4)] });
        }),
      },
    });
    const keys: string[] = [];
    for await (const event of open(server.endpoint).watch(prefix(""), { fragment: true })) {
      keys.push(event.kv.keyString());
      if (keys.length === 2) break;
    }
    assert.deepEqual(keys, ["a", "b"]);
  });

  it("report progress only after the events before it were taken", async () => {
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call) => {
          if (request.case === "create") {
            answer(call, 3, { created: true });
            answer(call, 4, { events: [put("a", 4)] });
            answer(call, 8, {});
          } else if (request.case === "progress") answer(call, 9, { watchId: -1 });
        }),
      },
    });
    const watcher = open(server.endpoint).watch("a");
    const seen: string[] = [];
    watcher.on("progress", (revision) => {
      seen.push(`progress ${revision}`);
      if (revision === 8) watcher.requestProgress();
      else watcher.cancel();
    });
    await watcher.created;
    await sleep(50);
    assert.equal(seen.length, 0);
    for await (const event of watcher) seen.push(`event ${event.revision}`);
    assert.deepEqual(seen, ["event 4", "progress 8", "progress 9"]);
  });

  it("cancel on the server when the iteration is left, and close the call with the last of them", async () => {
    const requests: WatchRequest[] = [];
    let isCallOver = false;
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": (call) => {
          let id = 0;
          call.on("cancelled", () => {
            isCallOver = true;
          });
          call.on("data", (bytes: Buffer) => {
            const request = decodeWatchRequest(bytes);
            requests.push(request);
            if (request.case === "create") answer(call, 3, { created: true, watchId: id++ });
          });
        },
      },
    });
    const client = open(server.endpoint);
    const [first, second] = [client.watch("a"), client.watch("b")];
    await second.created;
    first.cancel();
    await sleep(50);
    assert.deepEqual(requests.at(-1), { case: "cancel", watchId: 0 });
    assert.equal(isCallOver, false);
    second.cancel();
    await sleep(50);
    assert.equal(isCallOver, true);
    for await (const event of second) assert.fail(`unexpected ${event.type}`);
  });

  it("hold back the server when nobody takes the events", async function () {
    this.timeout(10_000);
    const value = "x".repeat(1_024);
    let written = 0;
    let isStopped = false;
    const server = await startFakeServer({
      duplex: {
        "Watch/Watch": scripted((request, call) => {
          if (request.case !== "create") return;
          answer(call, 3, { created: true });
          const pump = (): void => {
            while (!isStopped && written < 200_000) {
              written += 1;
              const event = put("a", written + 3);
              event.kv.value = fromUtf8(value);
              const message = encodeWatchResponse({
                header: { clusterId: 1n, memberId: 1n, revision: written + 3, raftTerm: 1 },
                watchId: 0,
                created: false,
                canceled: false,
                compactRevision: 0,
                cancelReason: "",
                fragment: false,
                events: [event],
              });
              if (!call.write(message)) {
                call.once("drain", pump);
                return;
              }
            }
          };
          pump();
        }),
      },
    });
    const watcher = open(server.endpoint).watch("a");
    await watcher.created;
    await sleep(700);
    const stalled = written;
    assert.ok(stalled < 50_000, `${stalled} events were sent to a reader that takes none`);
    let taken = 0;
    for await (const event of watcher) {
      taken += 1;
      assert.equal(event.revision, taken + 3);
      if (taken === 10_000) break;
    }
    isStopped = true;
  });

  it("say so when no server answers, and go on trying", async () => {
    const port = await unusedPort();
    const watcher = open(`127.0.0.1:${port}`).watch("a");
    const [error] = await once(watcher, "disconnected");
    assert.match(String(error), /ECONNREFUSED/);
    await startFakeServer(
      {
        duplex: {
          "Watch/Watch": scripted((request, call) => {
            if (request.case === "create") answer(call, 6, { created: true });
          }),
        },
      },
      port,
    );
    assert.equal(await watcher.created, 6);
  });
});
