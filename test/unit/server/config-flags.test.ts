import assert from "node:assert/strict";
import { serveFlags } from "../../../src/server/config-flags.ts";
import { isDefault, parseChoice } from "../../../src/server/config-values.ts";
import { load } from "./config-world.ts";

describe("The table of flags", () => {
  it("names each flag once", () => {
    const names = serveFlags.map(({ name }) => name);
    assert.deepEqual(
      names.filter((name, i) => names.indexOf(name) !== i),
      [],
    );
  });

  it("has the short flags and the flags that etcd's own tests always pass", () => {
    const names = new Set(serveFlags.map(({ name }) => name));
    for (const name of [
      "id",
      "cluster",
      "port",
      "grpc-addr",
      "storage",
      "data-dir",
      "join",
      "name",
      "snapshot-count",
      "listen-peer-urls",
      "listen-client-urls",
      "initial-advertise-peer-urls",
      "initial-cluster",
      "initial-cluster-state",
      "initial-cluster-token",
      "advertise-client-urls",
    ]) {
      assert.ok(names.has(name), name);
    }
  });

  it("has a help line, and a default that reads as its own type", () => {
    for (const flag of serveFlags) {
      assert.match(flag.help, /\.$/, flag.name);
      const value = { text: flag.default, source: `--${flag.name}` };
      if (flag.default !== "") assert.equal(isDefault(value, flag), true, flag.name);
      if (flag.type === "choice") assert.equal(parseChoice(value, flag), flag.default);
    }
  });

  it("accepts every flag at its own default without a word", () => {
    const flags = Object.fromEntries(
      serveFlags
        .filter(
          ({ support, name }) => support !== "legacy" && name !== "grpc-addr" && name !== "initial-cluster",
        )
        .filter((flag) => flag.default !== "")
        .map((flag) => [flag.name, flag.default]),
    );
    assert.deepEqual(load({ flags }).warnings, []);
  });
});
