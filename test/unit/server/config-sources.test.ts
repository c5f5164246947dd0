import assert from "node:assert/strict";
import { serveFlags } from "../../../src/server/config-flags.ts";
import { resolveValues } from "../../../src/server/config-sources.ts";
import { environmentNames } from "../../../src/server/flag-spec.ts";
import { load, saying } from "./config-world.ts";

const noFiles = (): string => {
  throw new Error("no files");
};

describe("Where a value comes from", () => {
  it("every flag can be set by METASTORE_*, and etcd's by ETCD_* too", () => {
    for (const flag of serveFlags) {
      const suffix = flag.name.toUpperCase().replaceAll("-", "_");
      const expected =
        flag.family === "etcd" ? [`METASTORE_${suffix}`, `ETCD_${suffix}`] : [`METASTORE_${suffix}`];
      assert.deepEqual(environmentNames(flag), expected);
      if (flag.name === "config-file" || flag.support === "refused") continue;
      for (const name of expected) {
        const { values } = resolveValues({ flags: {}, env: { [name]: "0" }, readFile: noFiles });
        assert.deepEqual(values.get(flag.name), { text: "0", source: name });
      }
    }
  });

  it("the command line wins over METASTORE_*, which wins over ETCD_*, and says what it shadows", () => {
    const env = { METASTORE_NAME: "b", ETCD_NAME: "c" };
    const both = load({ env });
    assert.equal(both.name, "b");
    assert.deepEqual(both.warnings, ["ETCD_NAME is shadowed by METASTORE_NAME and ignored"]);
    const all = load({ flags: { name: "a" }, env });
    assert.equal(all.name, "a");
    assert.equal(all.warnings.length, 2);
    assert.deepEqual(load({ flags: { name: "a" }, env: { ETCD_NAME: "a" } }).warnings, []);
  });

  it("an empty value counts as not given", () => {
    assert.equal(load({ flags: { name: "" }, env: { ETCD_NAME: "" } }).name, "default");
  });

  it("errors name the variable they come from", () => {
    assert.throws(() => load({ env: { ETCD_SNAPSHOT_COUNT: "x" } }), saying(/^ETCD_SNAPSHOT_COUNT: /));
  });

  it("unknown ETCD_* variables warn, those of etcd itself and of Kubernetes do not", () => {
    assert.deepEqual(load({ env: { ETCD_NAMEE: "x" } }).warnings, [
      "unrecognized environment variable ETCD_NAMEE",
    ]);
    const env = {
      ETCD_VERSION: "3",
      ETCD_UNSUPPORTED_ARCH: "arm64",
      ETCD_SERVICE_HOST: "10.0.0.1",
      ETCD_SERVICE_PORT_CLIENT: "2379",
      ETCD_PORT: "tcp://10.0.0.1:2379",
      ETCD_PORT_2379_TCP_ADDR: "10.0.0.1",
      ETCDCTL_API: "3",
      METASTORE_ENDPOINTS: "a:1",
    };
    assert.deepEqual(load({ env }).warnings, []);
  });

  it("the METASTORE_PORT that Kubernetes sets for a service is no port of ours", () => {
    const config = load({ env: { METASTORE_PORT: "tcp://10.0.0.1:2379" } });
    assert.equal(config.keyApiListener, undefined);
    assert.match(config.warnings.join(), /Kubernetes/);
    assert.equal(load({ env: { METASTORE_PORT: "9121" } }).keyApiListener?.port, 9121);
  });

  it("flags that are not in the table are refused", () => {
    assert.throws(() => load({ flags: { nonsense: "1" } }), saying(/--nonsense is no flag/));
    assert.equal(load({ flags: { nonsense: undefined } }).name, "default");
  });

  it("a configuration file stands alone for etcd's flags, with a warning of what it hides", () => {
    const config = load({
      flags: { "config-file": "c.yml", name: "ignored", port: "9121" },
      env: { ETCD_DATA_DIR: "/ignored", METASTORE_STORAGE: "memory" },
      files: { "c.yml": "name: from-file\nport: 1\n" },
    });
    assert.equal(config.name, "from-file");
    assert.equal(config.dataDir, "from-file.metastore");
    assert.equal(config.keyApiListener?.port, 9121);
    assert.deepEqual(config.warnings, ["ignored because c.yml is used, as in etcd: --name, ETCD_DATA_DIR"]);
  });

  it("a configuration file can be named by the environment, and must exist", () => {
    assert.equal(load({ env: { ETCD_CONFIG_FILE: "c" }, files: { c: "name: x" } }).name, "x");
    assert.throws(
      () => load({ env: { METASTORE_CONFIG_FILE: "c" } }),
      saying(/METASTORE_CONFIG_FILE: cannot read c/),
    );
  });
});
