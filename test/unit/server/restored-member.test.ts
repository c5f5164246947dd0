import assert from "node:assert/strict";
import type { Member } from "../../../src/codec/index.ts";
import { UsageError } from "../../../src/lib/errors.ts";
import type { InitialMember } from "../../../src/server/config-members.ts";
import { refuseOtherMembers } from "../../../src/server/restored-member.ts";

const url = (host: number): string => `http://10.0.0.${host}:2380`;
const restored = (...hosts: number[]): Member[] =>
  hosts.map((host) => ({
    id: BigInt(host),
    name: "",
    peerUrls: [url(host)],
    clientUrls: [],
    isLearner: false,
  }));

function check(own: number, named: readonly number[], memberId: bigint, hosts: readonly number[]): void {
  const members: InitialMember[] = named.map((host) => ({ name: `n${host}`, peerUrls: [url(host)] }));
  const self = members[named.indexOf(own)]!;
  refuseOtherMembers({ self, members, state: "new", token: "t" }, memberId, restored(...hosts));
}

describe("A restored member that starts for the first time", () => {
  it("starts with the flags that the restore had, in any order and spelling", () => {
    check(2, [3, 2, 1], 2n, [1, 2, 3]);
    const members = [{ name: "n1", peerUrls: ["HTTP://10.0.0.1:2380"] }];
    members.push({ name: "n2", peerUrls: [url(2)] });
    refuseOtherMembers({ self: members[0]!, members, state: "new", token: "" }, 1n, restored(1, 2));
  });

  it("starts with any flags when it is alone in both", () => {
    check(9, [9], 1n, [1]);
  });

  it("is told when it is another's data, other members, or the data of a lone one among three", () => {
    const refused = (error: unknown): boolean => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, /was restored as the member at .* the flags say/);
      assert.match(error.hint, /--initial-cluster/);
      return true;
    };
    assert.throws(() => check(1, [1, 2, 3], 2n, [1, 2, 3]), refused);
    assert.throws(() => check(2, [2, 3, 4], 2n, [1, 2, 3]), refused);
    assert.throws(() => check(1, [1, 2, 3], 1n, [1]), refused);
    assert.throws(() => check(1, [1], 1n, [1, 2, 3]), refused);
    assert.throws(() => check(1, [1, 2], 7n, [1, 2]), refused);
  });
});
