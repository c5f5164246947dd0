import assert from "node:assert/strict";
import {
  isWildcard,
  parseAdvertiseUrls,
  parseHostPort,
  parseInitialCluster,
  parseListenUrls,
} from "../../../src/server/config-urls.ts";
import { saying } from "./config-world.ts";

const raw = (text: string) => ({ text, source: "--x" });

describe("URLs to listen on", () => {
  it("are IP addresses or localhost with a port", () => {
    assert.deepEqual(
      parseListenUrls(raw("http://127.0.0.1:0, https://[::1]:2379/,http://localhost:1")).map(
        ({ host, port, isTls }) => [host, port, isTls],
      ),
      [
        ["127.0.0.1", 0, false],
        ["::1", 2379, true],
        ["localhost", 1, false],
      ],
    );
  });

  it("are refused with the reason otherwise", () => {
    for (const [url, reason] of [
      ["http://example.com:1", /expected an IP address/],
      ["http://127.0.0.1", /does not have the form "host:port"/],
      ["http://:2379", /does not have the form "host:port"/],
      ["127.0.0.1:2379", /is no URL/],
      ["ftp://127.0.0.1:1", /is no URL/],
      ["http://127.0.0.1:1/path", /is no URL/],
      ["http://u:p@127.0.0.1:1", /is no URL/],
      ["http://127.0.0.1:65536", /is no port/],
      ["unix:///tmp/x.sock", /unix sockets are not served/],
      ["unixs://localhost:2", /unix sockets are not served/],
      ["http://127.0.0.1:1,http://127.0.0.1:1", /named twice/],
    ] as const) {
      assert.throws(() => parseListenUrls(raw(url)), saying(reason), url);
    }
  });

  it("may ask for any free port twice", () => {
    assert.equal(parseListenUrls(raw("http://127.0.0.1:0,http://127.0.0.1:0")).length, 2);
  });
});

describe("URLs that others are told", () => {
  it("may have any host", () => {
    assert.deepEqual(parseAdvertiseUrls(raw("http://a.example:1,https://[::1]:2/")), [
      "http://a.example:1",
      "https://[::1]:2",
    ]);
    assert.throws(() => parseAdvertiseUrls(raw("http://a")), saying(/host:port/));
  });

  it("belong to names in --initial-cluster", () => {
    assert.deepEqual(
      [...parseInitialCluster(raw("a=http://h:1,b=http://h:2,a=http://h:3"))],
      [
        ["a", ["http://h:1", "http://h:3"]],
        ["b", ["http://h:2"]],
      ],
    );
    assert.throws(
      () => parseInitialCluster(raw("a=http://h:1,b=http://h:1")),
      saying(/initial cluster a=.* has duplicated url http:\/\/h:1$/),
    );
    assert.throws(() => parseInitialCluster(raw("=http://h:1")), saying(/no member name/));
  });
});

describe("HOST:PORT", () => {
  it("means all interfaces without a host, and the given host for a bare port", () => {
    const shape = (text: string) => {
      const address = parseHostPort(raw(text), "127.0.0.1");
      return [address.host, address.port, address.url, isWildcard(address)];
    };
    assert.deepEqual(shape("9121"), ["127.0.0.1", 9121, "http://127.0.0.1:9121", false]);
    assert.deepEqual(shape(":9121"), ["0.0.0.0", 9121, "http://0.0.0.0:9121", true]);
    assert.deepEqual(shape("[::]:1"), ["::", 1, "http://[::]:1", true]);
    assert.deepEqual(shape("localhost:1"), ["localhost", 1, "http://localhost:1", false]);
  });

  it("is refused when it is neither", () => {
    for (const text of [
      "",
      "x",
      "1:2:3",
      "127.0.0.1:",
      ":70000",
      "-1",
      "example.com:1",
      "http://127.0.0.1:1",
    ]) {
      assert.throws(() => parseHostPort(raw(text), "127.0.0.1"), saying(/./), text);
    }
    assert.throws(() => parseHostPort(raw("2379"), undefined), saying(/is no HOST:PORT/));
  });
});
