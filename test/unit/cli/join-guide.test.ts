import assert from "node:assert/strict";
import { joinGuide, shellWord } from "../../../src/cli/join-guide.ts";
import { loadConfig } from "../../../src/server/index.ts";

const member = (id: bigint, name: string, ...peerUrls: string[]) => ({
  id,
  name,
  peerUrls,
  clientUrls: [],
  isLearner: false,
});

describe("What an added member is started with", () => {
  const added = member(3n, "", "http://10.0.0.3:2380", "http://10.1.0.3:2380");
  const guide = joinGuide(
    {
      header: { clusterId: 1n, memberId: 1n, revision: 0, raftTerm: 2 },
      member: added,
      members: [member(1n, "n1", "http://10.0.0.1:2380"), member(0xabn, "", "http://10.0.0.2:2380"), added],
    },
    "n3",
  );

  it("names all members with their peer URLs, one that has not started by its id", () => {
    assert.deepEqual(guide.environment, {
      ETCD_NAME: "n3",
      ETCD_INITIAL_CLUSTER:
        "n1=http://10.0.0.1:2380,ab=http://10.0.0.2:2380,n3=http://10.0.0.3:2380,n3=http://10.1.0.3:2380",
      ETCD_INITIAL_ADVERTISE_PEER_URLS: "http://10.0.0.3:2380,http://10.1.0.3:2380",
      ETCD_INITIAL_CLUSTER_STATE: "existing",
    });
  });

  it("is a configuration that a server takes, as variables and as a command line", () => {
    const words = guide.command.split(" ").slice(2);
    const flags = Object.fromEntries(
      words.flatMap((word, i) => (word.startsWith("--") ? [[word.slice(2), words[i + 1]!]] : [])),
    );
    for (const given of [
      { flags, env: {} },
      { flags: {}, env: guide.environment },
    ]) {
      const { peers } = loadConfig({ ...given, readFile: () => assert.fail("no file is named") });
      assert.deepEqual([peers.self.name, peers.state, peers.members.length], ["n3", "existing", 3]);
      assert.deepEqual(peers.self.peerUrls, added.peerUrls);
    }
  });

  it("is one word of a shell each", () => {
    assert.equal(shellWord("n1=http://a:1,n2=http://b:1"), "n1=http://a:1,n2=http://b:1");
    assert.equal(shellWord("it's a name"), `'it'\\''s a name'`);
    assert.equal(shellWord("http://[::1]:1"), "'http://[::1]:1'");
    assert.equal(shellWord(""), "''");
    assert.equal(shellWord("$(reboot)"), "'$(reboot)'");
  });
});
