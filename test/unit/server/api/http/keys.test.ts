import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { alarmType } from "../../../../../src/codec/index.ts";
import { fromBytes } from "../../../../../src/lib/bytes.ts";
import { RequestError, StorageFailure } from "../../../../../src/lib/errors.ts";
import { limits } from "../../../../../src/lib/limits.ts";
import { HttpWorld } from "./http-world.ts";

describe("The plain key API", () => {
  let world: HttpWorld;
  beforeEach(async () => {
    world = await HttpWorld.start({ requestBytesMax: 100_000 });
  });
  afterEach(() => world.stop());

  const put = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    world.call("PUT", path, { body, headers });

  describe("PUT, GET and DELETE", () => {
    it("store, answer and remove the body as it is", async () => {
      const stored = await put("/my-key", "value");
      assert.equal(stored.status, 204);
      assert.equal(stored.headers["x-metastore-revision"], "2");
      assert.equal(stored.headers.etag, '"2"');
      const read = await world.call("GET", "/my-key");
      assert.equal(read.status, 200);
      assert.equal(read.text, "value");
      assert.equal(read.headers["content-type"], "application/octet-stream");
      assert.equal(read.headers["x-content-type-options"], "nosniff");
      assert.equal(read.headers["x-metastore-revision"], "2");
      assert.equal(read.headers["x-metastore-create-revision"], "2");
      assert.equal(read.headers["x-metastore-mod-revision"], "2");
      assert.equal(read.headers["x-metastore-version"], "1");
      assert.equal(read.headers.etag, '"2"');
      const removed = await world.call("DELETE", "/my-key");
      assert.equal(removed.status, 204);
      assert.equal(removed.headers["x-metastore-revision"], "3");
      assert.equal((await world.call("GET", "/my-key")).status, 404);
    });

    it("take the body of a form as bytes, as curl -d sends it", async () => {
      await put("/k", "a=1&b=%20", { "content-type": "application/x-www-form-urlencoded" });
      assert.equal((await world.call("GET", "/k")).text, "a=1&b=%20");
    });

    it("keep JSON, chunked and empty bodies as they are", async () => {
      await put("/json", '{ "a" : 1 }', { "content-type": "application/json" });
      assert.equal((await world.call("GET", "/json")).text, '{ "a" : 1 }');
      await put("/chunked", "abc", { "transfer-encoding": "chunked" });
      assert.equal((await world.call("GET", "/chunked")).text, "abc");
      await put("/empty", "");
      const empty = await world.call("GET", "/empty");
      assert.deepEqual([empty.status, empty.body.length], [200, 0]);
    });

    it("keep every byte of keys and values", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ minLength: 1, maxLength: 40 }),
          fc.uint8Array({ maxLength: 200 }),
          async (key, value) => {
            const path = `/v1/keys/${[...key].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")}`;
            assert.equal((await put(path, Buffer.from(value))).status, 204);
            const record = world.node.kv.stats();
            assert.ok(record.liveKeys > 0);
            assert.deepEqual((await world.call("GET", path)).body, Buffer.from(value));
            const request = world.node.commands.at(-1);
            assert.equal(request?.kind === "put" && request.request.key, fromBytes(key));
          },
        ),
        { numRuns: 40 },
      );
    });

    it("hold keys with slashes, dots and escapes literally", async () => {
      for (const path of ["/a/b/c", "/a//b", "/a/../b", "/a%2Fb%3Fc", "/a+b", "/a.b;c=d,e"]) {
        assert.equal((await put(path, path)).status, 204);
      }
      assert.equal((await world.call("GET", "/a/b/c")).text, "/a/b/c");
      assert.equal((await world.call("GET", "/a/../b")).text, "/a/../b");
      const keys = world.node.commands.map((command) => command.kind === "put" && command.request.key);
      assert.deepEqual(keys, ["a/b/c", "a//b", "a/../b", "a/b?c", "a+b", "a.b;c=d,e"]);
    });

    it("reach keys named like an endpoint under /v1/keys/, and by an escape", async () => {
      for (const name of ["health", "version", "metrics", "v3/kv", "v1/keys/x", "readyz"]) {
        assert.equal((await put(`/v1/keys/${name}`, name)).status, 204);
        assert.equal((await world.call("GET", `/v1/keys/${name}`)).text, name);
      }
      assert.equal((await world.call("GET", "/%68ealth")).text, "health");
    });

    it("are the same keys with and without /v1/keys/", async () => {
      await put("/x/y", "1");
      assert.equal((await world.call("GET", "/v1/keys/x/y")).text, "1");
    });

    it("answer HEAD like GET without the body", async () => {
      await put("/k", "value");
      const head = await world.call("HEAD", "/k");
      assert.equal(head.status, 200);
      assert.equal(head.headers["content-length"], "5");
      assert.equal(head.body.length, 0);
      assert.equal((await world.call("HEAD", "/none")).status, 404);
    });

    it("say clearly that a key is not there", async () => {
      for (const method of ["GET", "DELETE"]) {
        const answer = await world.call(method, "/no%20key");
        assert.equal(answer.status, 404);
        assert.match(answer.text, /there is no key "no key" at revision 1\n/);
        assert.equal(answer.headers["x-metastore-revision"], "1");
      }
    });

    it("explain themselves when no key is named", async () => {
      for (const [method, path] of [
        ["GET", "/"],
        ["PUT", "/"],
        ["DELETE", "/v1/keys/"],
      ] as const) {
        const answer = await world.call(method, path, method === "PUT" ? { body: "v" } : {});
        assert.equal(answer.status, 400);
        assert.match(answer.text, /PUT \/KEY stores/);
      }
    });

    it("refuse invalid escapes with 400", async () => {
      const answer = await put("/a%zz", "v");
      assert.equal(answer.status, 400);
      assert.match(answer.text, /%25/);
    });

    it("refuse other methods and say which there are", async () => {
      const answer = await world.call("POST", "/k", { body: "v" });
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.allow, "GET, HEAD, PUT, DELETE");
    });
  });

  describe("reads", () => {
    it("are linearizable unless serializable is asked for", async () => {
      await put("/k", "v");
      await world.call("GET", "/k");
      assert.equal(world.node.barriers, 1);
      await world.call("GET", "/k?serializable=true");
      assert.equal(world.node.barriers, 1);
    });

    it("reach the past by revision, and say what is compacted or future", async () => {
      await put("/k", "one");
      await put("/k", "two");
      assert.equal((await world.call("GET", "/k?revision=2")).text, "one");
      const future = await world.call("GET", "/k?revision=99");
      assert.equal(future.status, 400);
      assert.match(future.text, /future revision/);
      world.node.kv.compact(3);
      const compacted = await world.call("GET", "/k?revision=2");
      assert.equal(compacted.status, 400);
      assert.match(compacted.text, /required revision has been compacted\n.*leave \?revision/);
    });

    it("refuse revisions that are no whole number", async () => {
      for (const revision of ["-1", "0", "x", "1e3", "", "99999999999999999999"]) {
        assert.equal((await world.call("GET", `/k?revision=${revision}`)).status, 400, revision);
      }
    });

    it("show the lease of a key in hexadecimal", async () => {
      await world.node.leaseGrant(0xabcn, 60);
      world.node.kv.put({
        key: fromBytes(Buffer.from("k")),
        value: fromBytes(Buffer.from("v")),
        lease: 0xabcn,
        prevKv: false,
        ignoreValue: false,
        ignoreLease: false,
      });
      assert.equal((await world.call("GET", "/k")).headers["x-metastore-lease"], "abc");
    });

    it("answer 304 when the client has the value already", async () => {
      await put("/k", "v");
      for (const tag of ['"2"', "*", '"1", W/"2"']) {
        const answer = await world.call("GET", "/k", { headers: { "if-none-match": tag } });
        assert.equal(answer.status, 304, tag);
        assert.equal(answer.body.length, 0);
      }
      const stale = await world.call("GET", "/k", { headers: { "if-none-match": '"1"' } });
      assert.equal(stale.status, 200);
    });
  });

  describe("listings", () => {
    beforeEach(async () => {
      await put("/dir/a", "1");
      await put("/dir/b", "2");
      await put("/dir/%ff", Buffer.from([0xfe]));
      await put("/other", "3");
    });

    const keysOf = (text: string): unknown[] =>
      text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const record = JSON.parse(line) as Record<string, unknown>;
          return record["key"] ?? record["keyB64"];
        });

    it("give one record per line, bytes that are no text as base64", async () => {
      const answer = await world.call("GET", "/dir/?prefix");
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], "application/x-ndjson; charset=utf-8");
      assert.deepEqual(answer.text.split("\n").slice(0, 3), [
        '{"type":"put","key":"dir/a","value":"1","createRevision":2,"modRevision":2,"version":1,"lease":"0"}',
        '{"type":"put","key":"dir/b","value":"2","createRevision":3,"modRevision":3,"version":1,"lease":"0"}',
        '{"type":"put","keyB64":"ZGlyL/8=","valueB64":"/g==","createRevision":4,"modRevision":4,"version":1,"lease":"0"}',
      ]);
      assert.equal(answer.headers["x-metastore-count"], "3");
      assert.equal(answer.headers["x-metastore-more"], "false");
      assert.equal(answer.headers["x-metastore-revision"], "5");
    });

    it("are one JSON object for those who accept JSON", async () => {
      const answer = await world.call("GET", "/dir/?prefix&keysOnly&limit=2", {
        headers: { accept: "application/json" },
      });
      assert.equal(answer.headers["content-type"], "application/json");
      const { revision, count, more, kvs } = JSON.parse(answer.text) as {
        revision: number;
        count: number;
        more: boolean;
        kvs: Record<string, unknown>[];
      };
      assert.deepEqual([revision, count, more, kvs.length], [5, 3, true, 2]);
      assert.deepEqual(Object.keys(kvs[0]!), [
        "type",
        "key",
        "createRevision",
        "modRevision",
        "version",
        "lease",
      ]);
    });

    it("hold all keys for the empty prefix", async () => {
      assert.deepEqual(keysOf((await world.call("GET", "/?prefix")).text), [
        "dir/a",
        "dir/b",
        "ZGlyL/8=",
        "other",
      ]);
    });

    it("go on after a key, page by page", async () => {
      const seen: unknown[] = [];
      let after = "";
      for (;;) {
        const page = await world.call("GET", `/?prefix&limit=1${after}`);
        seen.push(...keysOf(page.text));
        if (page.headers["x-metastore-more"] === "false") break;
        const last = JSON.parse(page.text) as { key?: string; keyB64?: string };
        const bytes = last.key === undefined ? Buffer.from(last.keyB64!, "base64") : Buffer.from(last.key);
        after = `&after=${[...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")}`;
      }
      assert.deepEqual(seen, ["dir/a", "dir/b", "ZGlyL/8=", "other"]);
    });

    it("start at the prefix when after lies before it, and are empty when it lies behind", async () => {
      assert.equal(keysOf((await world.call("GET", "/dir/?prefix&after=a")).text).length, 3);
      assert.equal(keysOf((await world.call("GET", "/dir/?prefix&after=z")).text).length, 0);
    });

    it("never hold more than httpListKeysMax keys", async () => {
      for (let i = 0; i < limits.httpListKeysMax + 5; i++) {
        world.node.kv.put({
          key: fromBytes(Buffer.from(`many/${i}`)),
          value: fromBytes(Buffer.from("v")),
          lease: 0n,
          prevKv: false,
          ignoreValue: false,
          ignoreLease: false,
        });
      }
      for (const limit of ["", "&limit=5000"]) {
        const answer = await world.call("GET", `/many/?prefix${limit}`);
        assert.equal(keysOf(answer.text).length, limits.httpListKeysMax);
        assert.equal(answer.headers["x-metastore-more"], "true");
      }
    });

    it("reach the past too", async () => {
      assert.deepEqual(keysOf((await world.call("GET", "/?prefix&revision=3")).text), ["dir/a", "dir/b"]);
    });

    it("refuse options that are misspelt, out of place or no number", async () => {
      for (const query of [
        "prefx",
        "keysOnly",
        "limit=3",
        "prefix&limit=0",
        "prefix=maybe",
        "prefix&after=%zz",
      ]) {
        assert.equal((await world.call("GET", `/dir/?${query}`)).status, 400, query);
      }
      assert.equal((await put("/k?ttl=3", "v")).status, 400);
      assert.equal((await world.call("DELETE", "/dir/?prefix")).status, 400);
      assert.equal(world.node.kv.stats().liveKeys, 4);
    });
  });

  describe("conditional writes", () => {
    it("create only with If-None-Match: *", async () => {
      assert.equal((await put("/k", "1", { "if-none-match": "*" })).status, 204);
      const second = await put("/k", "2", { "if-none-match": "*" });
      assert.equal(second.status, 412);
      assert.equal((await world.call("GET", "/k")).text, "1");
    });

    it("replace only the value whose tag is given", async () => {
      const { headers } = await put("/k", "1");
      const tag = headers.etag!;
      const replaced = await put("/k", "2", { "if-match": tag });
      assert.equal(replaced.status, 204);
      assert.equal(replaced.headers["x-metastore-revision"], "3");
      assert.equal((await put("/k", "3", { "if-match": tag })).status, 412);
      assert.equal((await put("/k", "3", { "if-match": replaced.headers.etag! })).status, 204);
    });

    it("need the key to exist with If-Match: *", async () => {
      assert.equal((await put("/k", "1", { "if-match": "*" })).status, 412);
      await put("/k", "1");
      assert.equal((await put("/k", "2", { "if-match": "*" })).status, 204);
    });

    it("delete only the value whose tag is given", async () => {
      const { headers } = await put("/k", "1");
      const wrong = await world.call("DELETE", "/k", { headers: { "if-match": '"99"' } });
      assert.equal(wrong.status, 412);
      const right = await world.call("DELETE", "/k", { headers: { "if-match": headers.etag! } });
      assert.equal(right.status, 204);
      const gone = await world.call("DELETE", "/k", { headers: { "if-match": "*" } });
      assert.equal(gone.status, 412);
    });

    it("let exactly one of many competing creations win", async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => put("/lock", String(i), { "if-none-match": "*" })),
      );
      assert.equal(answers.filter(({ status }) => status === 204).length, 1);
      assert.equal(answers.filter(({ status }) => status === 412).length, 19);
    });

    it("refuse a tag that is none before anything is stored", async () => {
      assert.equal((await put("/k", "1", { "if-match": "2" })).status, 400);
      assert.equal((await put("/k", "1", { "if-match": '"1", "2"' })).status, 400);
      assert.equal((await put("/k", "1", { "if-match": 'W/"2"' })).status, 412);
      assert.equal((await put("/k", "1", { "if-match": '"abc"' })).status, 412);
      assert.equal(world.node.commands.length, 0);
    });
  });

  describe("errors", () => {
    it("are text, or JSON for those who accept JSON", async () => {
      const text = await world.call("GET", "/none");
      assert.equal(text.headers["content-type"], "text/plain; charset=utf-8");
      const json = await world.call("GET", "/none", { headers: { accept: "application/json" } });
      assert.equal(json.headers["content-type"], "application/json");
      const { error } = JSON.parse(json.text) as { error: { code: string; message: string; hint: string } };
      assert.equal(error.code, "NOT_FOUND");
      assert.match(error.message, /there is no key/);
      assert.match(error.hint, /lists the keys/);
    });

    it("are 503 with Retry-After when the member cannot answer now", async () => {
      for (const code of ["timeout", "tooManyRequests", "stopped", "noLeader"] as const) {
        world.node.proposeError = new RequestError(code);
        const answer = await put("/k", "v");
        assert.equal(answer.status, 503, code);
        assert.equal(answer.headers["retry-after"], "1");
      }
      world.node.barrierError = new RequestError("timeout");
      assert.equal((await world.call("GET", "/k")).status, 503);
    });

    it("say that a timed-out write may have happened", async () => {
      world.node.proposeError = new RequestError("timeout");
      assert.match((await put("/k", "v")).text, /may or may not have been applied/);
    });

    it("name the way out of a full store, and raise its alarm", async () => {
      world.node.quotaBytes = 10;
      const answer = await put("/k", "a value that does not fit");
      assert.equal(answer.status, 429);
      assert.match(answer.text, /database space exceeded\n.*compact/);
      assert.equal(world.node.activeAlarms[0]?.alarm, alarmType.noSpace);
    });

    it("are 413 for a command that is too large, 503 for a failing disk", async () => {
      world.node.proposeError = new RequestError("requestTooLarge");
      assert.equal((await put("/k", "v")).status, 413);
      world.node.proposeError = new StorageFailure("sync failed", "replace the disk");
      assert.equal((await put("/k", "v")).status, 503);
    });

    it("keep what is unforeseen in the log", async () => {
      world.node.proposeError = new Error("secret detail");
      const answer = await put("/k", "v");
      assert.equal(answer.status, 500);
      assert.ok(!answer.text.includes("secret"));
      assert.ok(world.lines.some(({ level }) => level === "error"));
    });
  });

  describe("sizes", () => {
    // "k", once for the put and once for its condition.
    const bytesMax = 100_000 - limits.httpWriteOverheadBytes - 1;

    it("accept a body of exactly the limit and refuse one byte more", async () => {
      const value = randomBytes(bytesMax);
      assert.equal((await put("/k", value)).status, 204);
      assert.deepEqual((await world.call("GET", "/k")).body, value);
      const answer = await put("/k", Buffer.alloc(bytesMax + 1));
      assert.equal(answer.status, 413);
      assert.match(answer.text, new RegExp(`larger than ${bytesMax} bytes`));
      assert.equal(answer.headers.connection, "close");
    });

    it("count the key in each place where the command holds it", async () => {
      const ifNew = { "if-none-match": "*" };
      assert.equal((await put("/k", Buffer.alloc(bytesMax), ifNew)).status, 413);
      assert.equal((await put("/k", Buffer.alloc(bytesMax - 1), ifNew)).status, 204);
      assert.equal((await put(`/${"k".repeat(1_001)}`, Buffer.alloc(bytesMax - 999))).status, 413);
      assert.equal((await put(`/${"k".repeat(1_001)}`, Buffer.alloc(bytesMax - 1_000))).status, 204);
    });

    it("refuse a key that leaves no room, without reading the body", async () => {
      const answer = await put(`/${"k".repeat(60_000)}`, "v", { "if-match": '"1"' });
      assert.equal(answer.status, 413);
      assert.match(answer.text, /request is too large/);
    });

    it("refuse a chunked body as soon as it passes the limit", async () => {
      const answer = await put("/k", Buffer.alloc(150_000), { "transfer-encoding": "chunked" });
      assert.equal(answer.status, 413);
      assert.equal(world.node.commands.length, 0);
    });
  });
});
