import assert from "node:assert/strict";
import { joinCommand } from "../../../../../src/server/api/http/join-command.ts";
import { load } from "../../config-world.ts";

function member(id: bigint, name: string) {
  return { id, name, peerUrls: [`http://10.0.0.${id}:2380`], clientUrls: [], isLearner: false };
}

describe("The command that starts an added member", () => {
  it("makes a server that knows who it is, whatever numbers are missing", () => {
    for (const [names, number] of [
      [["1", "2", "3"], "4"],
      [["1", "3"], "4"],
      [["10", "9", "2"], "11"],
      [["default"], "2"],
      [["n1", "n2"], "1"],
      [["2", "3"], "1"],
    ] as [string[], string][]) {
      const added = member(99n, "");
      const members = [added, ...names.map((name, i) => member(BigInt(i + 1), name))];
      const words = joinCommand(number, added.id, members).split(" ").slice(2);
      const flags = Object.fromEntries(
        words.flatMap((word, i) =>
          word.startsWith("--") ? [[word.slice(2), word === "--join" ? true : words[i + 1]!]] : [],
        ),
      );
      const { peers } = load({ flags });
      assert.deepEqual(peers.self, { name: number, peerUrls: added.peerUrls }, words.join(" "));
      assert.equal(peers.state, "existing");
      assert.equal(peers.members.length, members.length);
    }
  });
});
