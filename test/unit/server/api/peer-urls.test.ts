import assert from "node:assert/strict";
import { RequestError } from "../../../../src/lib/errors.ts";
import { parsePeerUrls } from "../../../../src/server/api/peer-urls.ts";

describe("Peer URLs of a request", () => {
  it("are http or https with host and port, and come sorted", () => {
    assert.deepEqual(
      parsePeerUrls(["http://b.example:1", " https://[::1]:2380 ", "http://127.0.0.1:65535"]),
      ["http://127.0.0.1:65535", "http://b.example:1", "https://[::1]:2380"],
    );
  });

  it("are refused when no member could be reached by them", () => {
    for (const urls of [
      [],
      [""],
      ["127.0.0.1:2380"],
      ["http://127.0.0.1"],
      ["http://:2380"],
      ["http://a:0"],
      ["http://a:65536"],
      ["http://a:1/"],
      ["http://a:1/path"],
      ["http://a:1?q"],
      ["http://u@a:1"],
      ["ftp://a:1"],
      ["unix://a:1"],
      ["http://[1::2::3]:1"],
      ["http://a:1\nhttp://b:1"],
      ["http://a:1", "http://A:1"],
      ["http://a:1", "nonsense"],
    ]) {
      assert.throws(
        () => parsePeerUrls(urls),
        (error) => error instanceof RequestError && error.code === "memberUrlsInvalid",
        JSON.stringify(urls),
      );
    }
  });
});
