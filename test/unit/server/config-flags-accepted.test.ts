import assert from "node:assert/strict";
import { acceptedFlags } from "../../../src/server/config-flags-accepted.ts";
import type { FlagSpec } from "../../../src/server/flag-spec.ts";
import { load, saying } from "./config-world.ts";

function otherThanDefault(flag: FlagSpec): string {
  switch (flag.type) {
    case "boolean":
      return flag.default === "true" ? "false" : "true";
    case "integer":
      return String(Number(flag.default) + 1);
    case "duration":
      return "17s";
    default:
      return "something";
  }
}

describe("Flags of etcd that are not served", () => {
  it("give their reason", () => {
    for (const flag of acceptedFlags) assert.notEqual(flag.reason ?? "", "", flag.name);
  });

  it("warn when they are harmless, and stop the start when ignoring them would be a lie", () => {
    for (const flag of acceptedFlags) {
      const flags = { [flag.name]: otherThanDefault(flag) };
      if (flag.support === "refused") {
        assert.throws(
          () => load({ flags }),
          saying(new RegExp(`^--${flag.name} is not supported`)),
          flag.name,
        );
      } else {
        const { warnings } = load({ flags });
        assert.equal(warnings.length, 1, flag.name);
        assert.match(warnings[0]!, new RegExp(`^--${flag.name} (?:has no effect|is ignored): `));
      }
    }
  });

  it("refuse what would leave the server less protected than asked", () => {
    const refused = acceptedFlags.filter(({ support }) => support === "refused").map(({ name }) => name);
    for (const name of [
      "auto-tls",
      "client-crl-file",
      "client-cert-allowed-hostname",
      "cipher-suites",
      "wal-dir",
    ]) {
      assert.ok(refused.includes(name), name);
    }
  });
});
