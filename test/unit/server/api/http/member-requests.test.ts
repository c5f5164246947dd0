import assert from "node:assert/strict";
import { EMPTY } from "../../../../../src/lib/bytes.ts";
import { RequestError } from "../../../../../src/lib/errors.ts";
import { HttpWorld } from "./http-world.ts";

const json = { accept: "application/json" };

describe("Members over plain HTTP", () => {
  let world: HttpWorld;
  beforeEach(async () => {
    world = await HttpWorld.start();
    world.node.memberList = [
      member(0x62b0a90d1dbf05en, "1"),
      member(0x9cdbedab9482b298n, "2"),
      member(0xf726241696771d39n, "n3"),
    ];
  });
  afterEach(() => world.stop());

  function member(id: bigint, name: string) {
    const peerUrls = [`http://10.0.0.${name.replace("n", "")}:2380`];
    return { id, name, peerUrls, clientUrls: [], isLearner: false };
  }

  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    world.call("POST", path, { body, headers });

  describe("POST /N", () => {
    it("adds the member with the peer URL of the body, as curl -d sends it", async () => {
      const form = { "content-type": "application/x-www-form-urlencoded" };
      const added = await post("/4", "http://10.0.0.4:2380", form);
      assert.deepEqual([added.status, added.text, added.headers["x-metastore-member"]], [204, "", "4d"]);
      assert.equal((await post("/5?learner", "http://10.0.0.5:1,http://10.0.1.5:1\n")).status, 204);
      assert.deepEqual(world.node.changes, [
        ["add", ["http://10.0.0.4:2380"], false],
        ["add", ["http://10.0.0.5:1", "http://10.0.1.5:1"], true],
      ]);
    });

    it("tells who asks for JSON how to start it", async () => {
      world.node.memberList[2] = member(0xf726241696771d39n, "3");
      const added = await post("/4", "http://10.0.0.4:2380", json);
      assert.equal(added.status, 201);
      assert.deepEqual(JSON.parse(added.text), {
        id: "4d",
        name: "4",
        peerUrls: ["http://10.0.0.4:2380"],
        isLearner: false,
        command:
          "metastore serve --id 4 --cluster http://10.0.0.1:2380,http://10.0.0.2:2380,http://10.0.0.3:2380," +
          "http://10.0.0.4:2380 --join",
      });
    });

    it("refuses a number that is taken, URLs that are none, other options, and too much", async () => {
      assert.equal((await post("/2", "http://10.0.0.4:2380")).status, 409);
      for (const body of ["", "10.0.0.4:2380", "http://10.0.0.4:2380/x", "http://a:1,,http://b:1"]) {
        assert.equal((await post("/4", body)).status, 400, body);
      }
      assert.equal((await post("/4?voter", "http://h:4")).status, 400);
      assert.equal((await post("/4", `http://${"h".repeat(5_000)}:4`)).status, 413);
      assert.deepEqual(world.node.changes, []);
    });

    it("is for numbers as --id takes them; other paths have no POST", async () => {
      for (const path of ["/0", "/04", "/65536", "/-1", "/a", "/4/", "/v1/keys/4", "/"]) {
        const answer = await post(path, "http://h:4");
        assert.deepEqual([answer.status, answer.headers.allow], [405, "GET, HEAD, PUT, DELETE"], path);
      }
      assert.deepEqual(world.node.changes, []);
    });

    it("takes no orders from foreign web pages, which may send a POST without asking", async () => {
      const page = { origin: "http://evil.example" };
      assert.equal((await post("/4", "http://h:4", page)).status, 403);
      assert.equal((await post("/4", "http://h:4", { origin: "null" })).status, 403);
      assert.deepEqual(world.node.changes, []);
      await world.stop();
      world = await HttpWorld.start({ corsOrigins: ["http://admin.example"] });
      assert.equal((await post("/4", "http://h:4", page)).status, 403);
      assert.equal((await post("/4", "http://h:4", { origin: "http://admin.example" })).status, 204);
    });
  });

  describe("DELETE /N", () => {
    it("removes the member of that number, or of that id in hexadecimal or decimal", async () => {
      const paths = ["/2", "/62B0A90D1DBF05E", `/${0xf726241696771d39n}`];
      for (const path of paths) {
        const removed = await world.call("DELETE", path);
        assert.deepEqual([removed.status, removed.text], [204, ""], path);
      }
      assert.deepEqual(world.node.changes, [
        ["remove", 0x9cdbedab9482b298n],
        ["remove", 0x62b0a90d1dbf05en],
        ["remove", 0xf726241696771d39n],
      ]);
      assert.ok(world.node.barriers >= 3, "what is known of the key is linearizable");
    });

    it("removes the key where there is one, and then will not guess", async () => {
      await world.call("PUT", "/2", { body: "v" });
      assert.equal((await world.call("DELETE", "/2")).status, 204);
      assert.equal((await world.call("GET", "/2")).status, 404);
      // The same DELETE again, as after an answer that was lost.
      const again = await world.call("DELETE", "/2");
      assert.equal(again.status, 409);
      assert.match(
        again.text,
        /^2 was a key until revision 3, and is a member: .*\nDELETE \/v1\/keys\/2 means/,
      );
      assert.equal((await world.call("DELETE", "/v1/keys/2")).status, 404);
      assert.deepEqual(world.node.changes, []);
      // Once compaction has forgotten the key, the name is the member's alone.
      world.node.kv.put({
        key: EMPTY.concat("other") as typeof EMPTY,
        value: EMPTY,
        lease: 0n,
        prevKv: false,
        ignoreValue: false,
        ignoreLease: false,
      });
      world.node.kv.compact(4);
      assert.equal((await world.call("DELETE", "/2")).status, 204);
      assert.equal(world.node.changes.length, 1);
    });

    it("means a key wherever the request has something of keys, or no member has the name", async () => {
      for (const [path, headers] of [
        ["/2", { "if-match": "*" }],
        ["/2", { "if-none-match": '"7"' }],
        ["/v1/keys/2", {}],
        ["/3", {}],
        ["/n3", {}],
        ["/02", {}],
        ["/%32", {}],
      ] as [string, Record<string, string>][]) {
        const answer = await world.call("DELETE", path, { headers });
        assert.ok([404, 412].includes(answer.status), `${path}: ${answer.status}`);
      }
      assert.equal((await world.call("DELETE", "/2?prefix")).status, 400);
      assert.deepEqual(world.node.changes, []);
    });

    it("will not choose between two members", async () => {
      world.node.memberList.push(member(0x2n, "n9"));
      const answer = await world.call("DELETE", "/2", { headers: json });
      assert.equal(answer.status, 409);
      assert.match(JSON.parse(answer.text).error.message, /2 names 2 members: 9cdbedab9482b298, 2/);
      assert.deepEqual(world.node.changes, []);
    });

    it("tells the id of a member that has not started, since its number is not known yet", async () => {
      await post("/4", "http://10.0.0.4:2380");
      const answer = await world.call("DELETE", "/4");
      assert.equal(answer.status, 404);
      assert.match(answer.text, /neither a key 4 nor a member 4\n.*4d \(http:\/\/10\.0\.0\.4:2380\)/);
      assert.equal((await world.call("DELETE", "/4d")).status, 204);
    });
  });

  it("answer refusals of the cluster with what to do", async () => {
    const expected = [
      ["memberNotEnoughStarted", 409],
      ["peerUrlExists", 409],
      ["learnerTooMany", 409],
      ["memberNotFound", 404],
      ["unhealthy", 503],
    ] as const;
    for (const [code, status] of expected) {
      world.node.changeError = new RequestError(code);
      for (const answer of [await post("/4", "http://h:4"), await world.call("DELETE", "/2")]) {
        assert.equal(answer.status, status, code);
        assert.equal(answer.text.split("\n")[0], world.node.changeError.message);
      }
    }
    world.node.changeError = undefined;
    world.node.isLearner = true;
    assert.equal((await post("/4", "http://h:4")).status, 400);
    assert.equal((await world.call("DELETE", "/2")).status, 400);
  });
});
