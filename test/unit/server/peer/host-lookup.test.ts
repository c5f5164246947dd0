import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import { HostLookup, type LookupAll } from "../../../../src/server/peer/host-lookup.ts";

const both: LookupAddress[] = [
  { address: "::1", family: 6 },
  { address: "10.0.0.1", family: 4 },
];

/** A name server that answers when it is told to. */
class SlowNames {
  readonly asked: string[] = [];
  readonly #open: (() => void)[] = [];

  readonly lookupAll: LookupAll = (hostname, _options, done) => {
    this.asked.push(hostname);
    this.#open.push(() => {
      if (hostname === "missing") done(Object.assign(new Error("none"), { code: "ENOTFOUND" }), []);
      else done(null, both);
    });
  };

  answerFirst(): void {
    this.#open.shift()?.();
  }
}

function ask(hosts: HostLookup, hostname: string, options: { all?: boolean; family?: number }): unknown[] {
  const answers: unknown[] = [];
  hosts.lookup(hostname, options, (error, address, family) => answers.push(error?.code ?? address, family));
  return answers;
}

describe("Looking up the hosts of peers", () => {
  it("asks once for all who want the same name", () => {
    const names = new SlowNames();
    const hosts = new HostLookup(names.lookupAll);
    const first = ask(hosts, "a", { all: true });
    const second = ask(hosts, "a", {});
    const third = ask(hosts, "a", { family: 4 });
    assert.deepEqual(names.asked, ["a"]);
    names.answerFirst();
    assert.deepEqual([first[0], second, third], [both, ["::1", 6], ["10.0.0.1", 4]]);
    ask(hosts, "a", {});
    assert.deepEqual(names.asked, ["a", "a"], "answers are not kept: addresses change");
  });

  it("leaves threads for the disk: two lookups at a time, the others in their order", () => {
    const names = new SlowNames();
    const hosts = new HostLookup(names.lookupAll);
    for (const name of ["a", "b", "c", "d", "c"]) ask(hosts, name, {});
    assert.deepEqual(names.asked, ["a", "b"]);
    names.answerFirst();
    assert.deepEqual(names.asked, ["a", "b", "c"]);
    names.answerFirst();
    assert.deepEqual(names.asked, ["a", "b", "c", "d"]);
  });

  it("says when there is no address", () => {
    const names = new SlowNames();
    const hosts = new HostLookup(names.lookupAll);
    const answer = ask(hosts, "missing", {});
    names.answerFirst();
    assert.equal(answer[0], "ENOTFOUND");
    const none: LookupAll = (_hostname, _options, done) => done(null, []);
    assert.equal(ask(new HostLookup(none), "a", {})[0], "ENOTFOUND");
  });

  it("binds names to IPv4 where they have it, and addresses as they are", async () => {
    const names: LookupAll = (_hostname, _options, done) => done(null, both);
    const hosts = new HostLookup(names);
    assert.equal(await hosts.bindAddress("localhost"), "10.0.0.1");
    assert.equal(await hosts.bindAddress("::1"), "::1");
    const none: LookupAll = (_hostname, _options, done) => done(new Error("broken"), []);
    await assert.rejects(new HostLookup(none).bindAddress("x"), /broken/);
  });
});
