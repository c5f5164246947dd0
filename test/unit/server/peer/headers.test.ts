import assert from "node:assert/strict";
import {
  hexId,
  parseHexId,
  parsePeerUrls,
  readIdentity,
  requestHeaders,
} from "../../../../src/server/peer/headers.ts";

const identity = { memberId: 2n ** 64n - 1n, clusterId: 0xabcn };

describe("The headers between members", () => {
  it("say who asks whom, and are read back exactly", () => {
    const headers = requestHeaders(identity, 7n, "3.6.0", ["http://a:1", "http://b:2"]);
    const lower = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    assert.deepEqual(readIdentity(lower), {
      clusterId: 0xabcn,
      from: 2n ** 64n - 1n,
      to: 7n,
      version: "3.6.0",
      peerUrls: "http://a:1,http://b:2",
    });
  });

  it("leave out URLs that no header can hold: MemberUpdate takes any text", () => {
    const urls = (list: string[]): unknown => requestHeaders(identity, 7n, "3.6.0", list)["X-Peer-URLs"];
    assert.equal(urls(["http://a:1", "x\r\nEvil: 1", "http://ü:1", ""]), "http://a:1");
    assert.equal(urls([`http://${"a".repeat(2_000)}:1`]), "");
  });

  it("name the URLs of the sender, and what is no URL of a member is passed over", () => {
    assert.deepEqual(parsePeerUrls("http://a:1,https://b:2,c:3,,ftp://d:4,http://e:5/path,http://f g:6"), [
      "http://a:1",
      "https://b:2",
    ]);
    assert.deepEqual(parsePeerUrls(""), []);
  });

  it("write ids in hexadecimal without leading zeros", () => {
    assert.equal(hexId(0x8e9e05c52164694dn), "8e9e05c52164694d");
    assert.equal(parseHexId("8e9e05c52164694d"), 0x8e9e05c52164694dn);
    assert.equal(hexId(10n), "a");
  });
});
