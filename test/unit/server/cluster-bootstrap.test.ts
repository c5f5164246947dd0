import assert from "node:assert/strict";
import fc from "fast-check";
import type { Member } from "../../../src/codec/index.ts";
import {
  decideClusterStart,
  type FetchMembers,
  type RemoteCluster,
} from "../../../src/server/cluster-bootstrap.ts";
import type { InitialMember, InitialMembers } from "../../../src/server/config-members.ts";
import { confChangeType, encodeConfChange } from "../../../src/server/raft/index.ts";
import { saying } from "./config-world.ts";

const nobody: FetchMembers = () => Promise.reject(new Error("connection refused"));

function never(): Promise<RemoteCluster> {
  assert.fail("nobody is to be asked");
}

/** Members named n1, n2, ... on these ports; this one is the `own`-th. */
function membersOn(ports: readonly number[], own = 1): { self: InitialMember; members: InitialMember[] } {
  const members = ports.map((port, i) => ({ name: `n${i + 1}`, peerUrls: [`http://127.0.0.1:${port}`] }));
  return { self: members[own - 1]!, members };
}

function initial(
  ports: readonly number[],
  own: number,
  state: "new" | "existing",
  token = "etcd-cluster-1",
): InitialMembers {
  return { ...membersOn(ports, own), state, token };
}

function remoteMember(id: bigint, port: number, name = ""): Member {
  return {
    id,
    name,
    peerUrls: [`http://127.0.0.1:${port}`],
    clientUrls: name === "" ? [] : [`http://127.0.0.1:${port + 1000}`],
    isLearner: false,
  };
}

const ports = [24_380, 24_381, 24_382];

describe("How a member begins", () => {
  it("with data goes on as who it was, whatever the flags say, and asks nobody", async () => {
    for (const state of ["new", "existing"] as const) {
      const onDisk = { clusterId: 7n, memberId: 8n };
      const start = await decideClusterStart({
        initial: initial(ports, 1, state),
        onDisk,
        fetchMembers: never,
      });
      assert.deepEqual(start, { kind: "restart", identity: onDisk });
    }
  });

  it("alone without flags has etcd's ids", async () => {
    const self = { name: "default", peerUrls: ["http://localhost:2380"] };
    const start = await decideClusterStart({
      initial: { self, members: [self], state: "new", token: "etcd-cluster" },
      onDisk: undefined,
      fetchMembers: never,
    });
    assert.equal(start.identity.memberId, 0x8e9e05c52164694dn);
    assert.equal(start.identity.clusterId, 0xcdf818194e3a8c32n);
    assert.ok(start.kind === "bootstrap");
    assert.equal(start.changes.length, 1);
  });

  it("as one of three computes the ids that etcd 3.4 gives the same members", async () => {
    // Recorded: etcd 3.4.23 with these peer URLs and --initial-cluster-token=etcd-cluster-1.
    const ids = [0x62b0a90d1dbf05en, 0x9cdbedab9482b298n, 0xf726241696771d39n];
    for (const own of [1, 2, 3]) {
      const start = await decideClusterStart({
        initial: initial(ports, own, "new"),
        onDisk: undefined,
        fetchMembers: nobody,
      });
      assert.ok(start.kind === "bootstrap");
      assert.deepEqual(start.identity, { memberId: ids[own - 1], clusterId: 5875831484075345359n });
      assert.deepEqual(
        start.members.map(({ id }) => id),
        ids,
      );
    }
  });

  it("begins its log with the same bytes on all members, in whatever order the flags name them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 2, maxLength: 7 }),
        fc.infiniteStream(fc.nat()),
        async (given, random) => {
          const members = given.map((port, i) => ({
            name: `n${i}`,
            peerUrls: [`http://a:${port}`, `http://b:${port}`],
          }));
          const logs = await Promise.all(
            members.map(async (own) => {
              const shuffled = members
                .map((member) => ({
                  member:
                    member.name === own.name ? own : { ...member, peerUrls: [...member.peerUrls].reverse() },
                  rank: random.next().value,
                }))
                .sort((left, right) => left.rank - right.rank)
                .map(({ member }) => member);
              const start = await decideClusterStart({
                initial: { self: own, members: shuffled, state: "new", token: "t" },
                onDisk: undefined,
                fetchMembers: nobody,
              });
              assert.ok(start.kind === "bootstrap");
              assert.ok(start.changes.every(({ type }) => type === confChangeType.addNode));
              assert.ok(start.changes.some(({ nodeId }) => nodeId === start.identity.memberId));
              return (
                Buffer.concat(start.changes.map(encodeConfChange)).toString("hex") + start.identity.clusterId
              );
            }),
          );
          assert.equal(new Set(logs).size, 1);
        },
      ),
    );
  });

  it("asks the others' peer URLs, not its own", async () => {
    const asked: (readonly string[])[] = [];
    const fetchMembers: FetchMembers = (urls) => {
      asked.push(urls);
      return nobody(urls);
    };
    await decideClusterStart({ initial: initial(ports, 2, "new"), onDisk: undefined, fetchMembers });
    assert.deepEqual(asked, [["http://127.0.0.1:24380", "http://127.0.0.1:24382"]]);
  });

  it("takes up with members that have started before it", async () => {
    const { identity } = await decideClusterStart({
      initial: initial(ports, 1, "new"),
      onDisk: undefined,
      fetchMembers: nobody,
    });
    const fetchMembers: FetchMembers = () =>
      Promise.resolve({
        clusterId: identity.clusterId,
        members: [remoteMember(identity.memberId, 24_380), remoteMember(0x9cdbedab9482b298n, 24_381, "n2")],
      });
    const again = await decideClusterStart({
      initial: initial(ports, 1, "new"),
      onDisk: undefined,
      fetchMembers,
    });
    assert.deepEqual([again.kind, again.identity], ["bootstrap", identity]);
  });

  it("does not start a second time without the data of the first", async () => {
    const self = remoteMember(0x62b0a90d1dbf05en, 24_380, "n1");
    const members = [self, remoteMember(2n, 24_381, "n2"), remoteMember(3n, 24_382, "n3")];
    for (const state of ["new", "existing"] as const) {
      await assert.rejects(
        decideClusterStart({
          initial: initial(ports, 1, state),
          onDisk: undefined,
          fetchMembers: () => Promise.resolve({ clusterId: 5875831484075345359n, members }),
        }),
        saying(/member 62b0a90d1dbf05e has already been bootstrapped/),
        state,
      );
    }
  });

  it("does not start a new cluster where there is another one", async () => {
    await assert.rejects(
      decideClusterStart({
        initial: initial(ports, 1, "new"),
        onDisk: undefined,
        fetchMembers: () => Promise.resolve({ clusterId: 0xabcn, members: [] }),
      }),
      saying(/already form the cluster abc; .* cluster 518b259a705e05cf \(cluster ID mismatch\)/),
    );
  });
});

describe("Joining a cluster", () => {
  const join = (named: InitialMembers, members: readonly Member[]) =>
    decideClusterStart({
      initial: named,
      onDisk: undefined,
      fetchMembers: () => Promise.resolve({ clusterId: 99n, members }),
    });
  const three = [remoteMember(30n, 24_382), remoteMember(10n, 24_380, "a"), remoteMember(20n, 24_381, "b")];

  it("finds the own id by the peer URLs, whatever the names and the token", async () => {
    const start = await join(initial(ports, 3, "existing", "another token"), three);
    assert.deepEqual(start.identity, { memberId: 30n, clusterId: 99n });
    assert.ok(start.kind === "join");
    assert.deepEqual(start.members.find(({ id }) => id === 20n)?.peerUrls, ["http://127.0.0.1:24381"]);
  });

  it("takes host names in any case and peer URLs in any order", async () => {
    const self = { name: "c", peerUrls: ["http://Host-B:1", "http://host-a:1"] };
    const other = { name: "x", peerUrls: ["http://127.0.0.1:24380"] };
    const start = await join({ self, members: [other, self], state: "existing", token: "t" }, [
      { ...remoteMember(5n, 0), peerUrls: ["http://host-a:1", "http://host-b:1"] },
      remoteMember(10n, 24_380, "a"),
    ]);
    assert.equal(start.identity.memberId, 5n);
  });

  it("refuses another number of members, naming who is too many or missing", async () => {
    await assert.rejects(
      join(initial([...ports, 24_383], 4, "existing"), three),
      saying(
        /^member count is unequal: the flags name 4, the cluster has 3; no member of the cluster has http:\/\/127.0.0.1:24383$/,
      ),
    );
    await assert.rejects(
      join(initial([24_380, 24_382], 2, "existing"), three),
      saying(/member count is unequal: .* do not name member 14 \(http:\/\/127.0.0.1:24381\)/),
    );
  });

  it("refuses members with other peer URLs", async () => {
    await assert.rejects(
      join(initial([24_380, 24_399, 24_382], 3, "existing"), three),
      saying(
        /unmatched member: no member of the cluster has http:\/\/127.0.0.1:24399; the flags do not name member 14/,
      ),
    );
  });

  it("needs somebody to ask, and an answer", async () => {
    await assert.rejects(
      decideClusterStart({ initial: initial([1], 1, "existing"), onDisk: undefined, fetchMembers: never }),
      saying(/no other member is named and the data directory holds no member/),
    );
    await assert.rejects(
      decideClusterStart({ initial: initial(ports, 1, "existing"), onDisk: undefined, fetchMembers: nobody }),
      saying(/could not retrieve cluster information from the given URLs .*: connection refused/),
    );
  });
});
