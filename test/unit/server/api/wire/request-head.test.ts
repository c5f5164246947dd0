import assert from "node:assert/strict";
import { areTrailers, parseRequestHead } from "../../../../../src/server/api/wire/request-head.ts";

const pseudo = [":method", "POST", ":scheme", "http", ":path", "/t.T/Echo", ":authority", "here"];
const without = (name: string): string[] => {
  const at = pseudo.indexOf(name);
  return [...pseudo.slice(0, at), ...pseudo.slice(at + 2)];
};

describe("parseRequestHead", () => {
  it("takes a request apart", () => {
    const head = parseRequestHead([
      ...pseudo,
      ...["content-type", "application/grpc+proto", "te", "trailers", "grpc-timeout", "1S"],
      ...["grpc-encoding", "gzip", "content-length", "7", "x", "1", "x", "2", "y-bin", "AAA="],
    ])!;
    assert.equal(head.method, "POST");
    assert.equal(head.path, "/t.T/Echo");
    assert.equal(head.scheme, "http");
    assert.equal(head.authority, "here");
    assert.equal(head.isGrpc, true);
    assert.equal(head.timeout, "1S");
    assert.equal(head.encoding, "gzip");
    assert.equal(head.declaredBytes, 7);
    assert.deepEqual(head.fields.slice(0, 4), ["content-type", "application/grpc+proto", "te", "trailers"]);
    assert.equal(head.metadata.get("x"), "1");
    assert.equal(head.metadata.has("y-bin"), false);
    assert.equal(head.metadata.has(":path"), false);
  });

  it("needs no authority, nor any regular field", () => {
    const head = parseRequestHead(without(":authority"))!;
    assert.equal(head.authority, "");
    assert.equal(head.isGrpc, false);
    assert.equal(head.contentType, undefined);
    assert.equal(head.declaredBytes, -1);
    assert.deepEqual(head.fields, []);
  });

  it("takes pseudo-header fields in any order", () => {
    const fields = [":path", "/", ":authority", "a", ":scheme", "https", ":method", "GET"];
    assert.equal(parseRequestHead(fields)?.path, "/");
  });

  for (const name of [":method", ":scheme", ":path"]) {
    it(`refuses a request without ${name}, with an empty one and with two`, () => {
      assert.equal(parseRequestHead(without(name)), undefined);
      assert.equal(parseRequestHead([...without(name), name, ""]), undefined);
      assert.equal(parseRequestHead([...pseudo, name, "x"]), undefined);
    });
  }

  const malformed: [name: string, fields: string[]][] = [
    ["a pseudo-header field behind a regular one", [...without(":path"), "x", "y", ":path", "/"]],
    ["an unknown pseudo-header field", [":status", "200", ...pseudo]],
    ["two authorities", [...pseudo, ":authority", "there"]],
    ["a name in upper case", [...pseudo, "X", "y"]],
    ["an empty name", [...pseudo, "", "y"]],
    ["a name with a space", [...pseudo, "a b", "y"]],
    ["a name beyond ASCII", [...pseudo, "\u00e4", "y"]],
    ["a value with a line feed", [...pseudo, "x", "a\nb"]],
    ["a value with a carriage return", [...pseudo, "x", "a\rb"]],
    ["a value with a zero byte", [...pseudo, "x", "a\0b"]],
    ["a path with a zero byte", [...without(":path"), ":path", "/\0"]],
    ["connection", [...pseudo, "connection", "close"]],
    ["keep-alive", [...pseudo, "keep-alive", "1"]],
    ["proxy-connection", [...pseudo, "proxy-connection", "close"]],
    ["transfer-encoding", [...pseudo, "transfer-encoding", "chunked"]],
    ["upgrade", [...pseudo, "upgrade", "h2c"]],
    ["te with anything but trailers", [...pseudo, "te", "gzip"]],
    ["a content-length that is no number", [...pseudo, "content-length", "1x"]],
    ["a negative content-length", [...pseudo, "content-length", "-1"]],
    ["an empty content-length", [...pseudo, "content-length", ""]],
    ["two content-lengths that differ", [...pseudo, "content-length", "1", "content-length", "2"]],
  ];
  for (const [name, fields] of malformed) {
    it(`refuses ${name}`, () => assert.equal(parseRequestHead(fields), undefined));
  }

  it("takes the same content-length twice", () => {
    const fields = [...pseudo, "content-length", "5", "content-length", "5"];
    assert.equal(parseRequestHead(fields)?.declaredBytes, 5);
  });
});

describe("areTrailers", () => {
  it("takes regular fields, and none at all", () => {
    assert.equal(areTrailers([]), true);
    assert.equal(areTrailers(["x", "y", "te", "Trailers"]), true);
  });

  it("refuses pseudo-header fields and what no regular field may be", () => {
    for (const fields of [
      [":path", "/"],
      ["x", "y", ":status", "200"],
      ["X", "y"],
      ["upgrade", "h2c"],
    ])
      assert.equal(areTrailers(fields), false);
  });
});
