import assert from "node:assert/strict";
import fc from "fast-check";
import { fromBytes, toBytes } from "../../../../../src/lib/bytes.ts";
import {
  decodePercent,
  keyOfPath,
  parseOptions,
  parseRequestTarget,
} from "../../../../../src/server/api/http/request-target.ts";

describe("A request target", () => {
  it("splits at the first question mark", () => {
    assert.deepEqual(parseRequestTarget("/a?b?c"), { path: "/a", query: "b?c" });
    assert.deepEqual(parseRequestTarget("/a"), { path: "/a", query: "" });
    assert.deepEqual(parseRequestTarget("/?"), { path: "/", query: "" });
  });

  it("loses the scheme and host of the absolute form", () => {
    assert.deepEqual(parseRequestTarget("http://h:1/a?b"), { path: "/a", query: "b" });
    assert.deepEqual(parseRequestTarget("HTTPS://h"), { path: "/", query: "" });
    assert.deepEqual(parseRequestTarget("http://h?q"), { path: "/", query: "q" });
  });

  it("is nothing when it is no path or has a fragment", () => {
    for (const url of ["", "a", "*", "http://", "ftp://h/a", "/a#b", "?a"]) {
      assert.equal(parseRequestTarget(url), undefined, url);
    }
  });

  it("keeps any bytes as they are through percent encoding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, isUpper) => {
        const escaped = [...bytes].map((byte) => {
          const hex = byte.toString(16).padStart(2, "0");
          return `%${isUpper ? hex.toUpperCase() : hex}`;
        });
        assert.deepEqual(toBytes(decodePercent(escaped.join(""))!), Buffer.from(bytes));
      }),
    );
  });

  it("decodes whatever encodeURIComponent makes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        assert.equal(decodePercent(encodeURIComponent(text)), fromBytes(Buffer.from(text, "utf8")));
      }),
    );
  });

  it("refuses a percent sign without two hexadecimal digits", () => {
    for (const text of ["%", "a%2", "%zz", "%%20", "%2x"]) assert.equal(decodePercent(text), undefined, text);
  });

  it("does not read a plus as a space, nor resolve dots and double slashes", () => {
    assert.equal(keyOfPath("/a+b", "/"), "a+b");
    assert.equal(keyOfPath("/a/../b", "/"), "a/../b");
    assert.equal(keyOfPath("//a//b/", "/"), "/a//b/");
    assert.equal(keyOfPath("/v1/keys/", "/v1/keys/"), "");
  });

  it("has options with and without values, the last one counting", () => {
    assert.deepEqual(
      [...parseOptions("a&b=1&b=2&&c==x")],
      [
        ["a", ""],
        ["b", "2"],
        ["c", "=x"],
      ],
    );
    assert.equal(parseOptions("").size, 0);
  });
});
