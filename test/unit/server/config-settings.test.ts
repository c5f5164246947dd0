import assert from "node:assert/strict";
import { Settings } from "../../../src/server/config-settings.ts";
import { saying } from "./config-world.ts";

describe("Settings", () => {
  const settings = new Settings(new Map([["name", { text: "n", source: "ETCD_NAME" }]]));

  it("fall back to the default of the table", () => {
    assert.equal(settings.text("name"), "n");
    assert.equal(settings.isSet("name"), true);
    assert.equal(settings.isSet("data-dir"), false);
    assert.equal(settings.integer("heartbeat-interval", { min: 1, max: 1_000 }), 100);
    assert.equal(settings.durationMs("grpc-keepalive-timeout"), 20_000);
    assert.equal(settings.boolean("client-cert-auth"), false);
    assert.deepEqual(settings.list("cors"), ["*"]);
    assert.equal(settings.choice("storage"), "memory");
  });

  it("know no flag outside the table", () => {
    assert.throws(() => settings.text("nonsense"), saying(/no flag of serve/));
  });
});
