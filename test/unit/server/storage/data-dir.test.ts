import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StorageFailure, UsageError } from "../../../../src/lib/errors.ts";
import { NodeFs } from "../../../../src/lib/fs.ts";
import { silentLog } from "../../../../src/lib/log.ts";
import { createWal, DataDir, type MemberPaths, openWal } from "../../../../src/server/storage/index.ts";
import { SimFs } from "../../../sim/disk.ts";
import { identity, logWorld, salt } from "./wal-world.ts";

const path = "/var/store";

async function initialized(fs = new SimFs({ seed: 1 })): Promise<SimFs> {
  const directory = await DataDir.open(fs, path, silentLog);
  await directory.initialize(identity, "memory", populate(fs));
  await directory.close();
  return fs;
}

function populate(fs: SimFs): (paths: MemberPaths) => Promise<void> {
  return ({ wal }) => createWal({ ...logWorld(fs).options, directory: wal }, salt);
}

describe("The data directory", () => {
  it("is nobody's when new, then the member's for good", async () => {
    const fs = new SimFs({ seed: 1 });
    const fresh = await DataDir.open(fs, path, silentLog);
    assert.equal(fresh.identity, undefined);
    await fresh.initialize(identity, "memory", populate(fs));
    assert.deepEqual(fresh.identity, identity);
    await assert.rejects(fresh.initialize(identity, "memory", populate(fs)), /belongs to a member already/);
    await fresh.close();
    const again = await DataDir.open(fs.reboot("dropped", { seed: 2 }), path, silentLog);
    assert.deepEqual(again.identity, identity);
    assert.deepEqual(again.paths, {
      wal: `${path}/member/wal`,
      snapshots: `${path}/member/snap`,
      database: `${path}/member/db`,
    });
  });

  it("is looked into without being made, locked or taken for a member's too early", async () => {
    const fs = new SimFs({ seed: 1 });
    assert.equal(await DataDir.holdsMember(fs, path), false);
    assert.equal(await fs.stat(path), undefined);
    const directory = await DataDir.open(fs, path, silentLog);
    assert.equal(await DataDir.holdsMember(fs, path), false);
    await directory.initialize(identity, "memory", populate(fs));
    assert.equal(await DataDir.holdsMember(fs, path), true);
    await directory.close();
  });

  it("is unused when nothing is in it, or what a restore that broke off has left", async () => {
    const fs = new SimFs({ seed: 1 });
    assert.equal(await DataDir.isUnused(fs, path), true);
    await fs.createDirectory(path);
    assert.equal(await DataDir.isUnused(fs, path), true);
    await fs.createDirectory(`${path}/member.restore`);
    fs.place(`${path}/lock`, Buffer.from("1"));
    assert.equal(await DataDir.isUnused(fs, path), true);
    await fs.createDirectory(`${path}/member.tmp`);
    assert.equal(await DataDir.isUnused(fs, path), false);
    fs.place("/file", Buffer.from("x"));
    assert.equal(await DataDir.isUnused(fs, "/file"), false);
  });

  it("is no server's to begin with after a restore broke off, and a restore's to begin anew", async () => {
    const fs = new SimFs({ seed: 1 });
    await fs.createDirectory(`${path}/member.restore/wal`);
    await assert.rejects(
      DataDir.open(fs, path, silentLog),
      (error) => error instanceof UsageError && /did not end/.test(error.message) && /again/.test(error.hint),
    );
    const directory = await DataDir.open(fs, path, silentLog, "restore");
    assert.equal(await fs.stat(`${path}/member.restore`), undefined);
    const failing = directory.initialize(identity, "memory", () => Promise.reject(new Error("no more")));
    await assert.rejects(failing, /no more/);
    assert.deepEqual(await fs.readDirectory(path), ["member.restore"]);
    await directory.discard();
    assert.deepEqual(await fs.readDirectory(path), []);
    await directory.initialize(identity, "memory", populate(fs));
    await assert.rejects(directory.discard(), /belongs to a member/);
    await directory.close();
    assert.deepEqual((await DataDir.open(fs, path, silentLog)).identity, identity);
  });

  it("is new or whole wherever a crash interrupts its creation", async () => {
    const { operations } = await initialized();
    assert.ok(operations > 15);
    for (let crashAt = 1; crashAt <= operations; crashAt++) {
      for (const mode of ["clean", "dropped", "torn"] as const) {
        const fs = new SimFs({ seed: crashAt, crashAt });
        await Promise.race([initialized(fs), fs.crashed]);
        const survivor = fs.reboot(mode, { seed: crashAt });
        const found = await DataDir.open(survivor, path, silentLog);
        if (found.identity === undefined) await found.initialize(identity, "memory", populate(survivor));
        assert.deepEqual(found.identity, identity);
        const { wal } = await openWal({ ...logWorld(survivor).options, directory: found.paths.wal });
        await wal.close();
        assert.deepEqual(await survivor.readDirectory(path), ["member"]);
        const afterPowerLoss = await DataDir.open(survivor.reboot("dropped", { seed: 1 }), path, silentLog);
        assert.deepEqual(afterPowerLoss.identity, identity, `crash at ${crashAt}, ${mode}`);
      }
    }
  });

  it("is not created when an operation of it fails, and can be created afterwards", async () => {
    const { operations } = await initialized();
    for (let operation = 1; operation <= operations; operation++) {
      const fs = new SimFs({ seed: operation, failAt: { operation, code: "EIO" } });
      await assert.rejects(initialized(fs), StorageFailure, `operation ${operation}`);
      await initialized(fs.reboot("dropped", { seed: operation }));
    }
  });

  it("serves one process at a time", async () => {
    const fs = new SimFs({ seed: 1 });
    const first = await DataDir.open(fs, path, silentLog);
    await assert.rejects(DataDir.open(fs, path, silentLog), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /in use by process \d+/);
      return error.hint !== "";
    });
    await first.close();
    await (await DataDir.open(fs, path, silentLog)).close();
  });

  it("of etcd is recognised and refused", async () => {
    const fs = new SimFs({ seed: 1 });
    await fs.createDirectory(`${path}/member/snap`);
    fs.place(`${path}/member/snap/db`, Buffer.alloc(10));
    await assert.rejects(DataDir.open(fs, path, silentLog), (error) => {
      assert.ok(error instanceof UsageError);
      return /is a data directory of etcd/.test(error.message);
    });
    fs.place(`${path}/other`, Buffer.alloc(1));
    await assert.rejects(DataDir.open(fs, path, silentLog), UsageError, "the lock was given back");
  });

  it("of a newer MetaStore is refused", async () => {
    const fs = await initialized();
    fs.place(`${path}/member/metadata`, Buffer.from('{"format":2,"shape":"unknown"}'));
    await assert.rejects(DataDir.open(fs, path, silentLog), /format 2, this MetaStore reads up to 1/);
  });

  it("with damaged metadata is refused, whichever bit it is", async () => {
    const fs = await initialized();
    const metadata = fs.contentOf(`${path}/member/metadata`);
    for (let bit = 0; bit < metadata.length * 8; bit++) {
      const copy = Buffer.from(metadata);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      fs.place(`${path}/member/metadata`, copy);
      await assert.rejects(DataDir.open(fs, path, silentLog), StorageFailure, `bit ${bit}: ${copy}`);
    }
    for (let length = 0; length < metadata.length - 1; length++) {
      fs.place(`${path}/member/metadata`, metadata.subarray(0, length));
      await assert.rejects(DataDir.open(fs, path, silentLog), StorageFailure, `${length} bytes`);
    }
    for (const text of ["null", "7", '{"format":1}', '{"format":1,"clusterId":"c1","memberId":"xyz"}']) {
      fs.place(`${path}/member/metadata`, Buffer.from(text));
      await assert.rejects(DataDir.open(fs, path, silentLog), /is damaged/);
    }
    await fs.unlink(`${path}/member/metadata`);
    await assert.rejects(DataDir.open(fs, path, silentLog), /metadata is missing/);
  });

  it("that is a file, or cannot be written, is refused with the cause", async () => {
    const fs = new SimFs({ seed: 1 });
    fs.place("/file", Buffer.alloc(1));
    await assert.rejects(DataDir.open(fs, "/file/store", silentLog), StorageFailure);
  });

  it("is for its owner only, on the real file system too", async function () {
    if (process.platform === "win32") this.skip();
    const parent = mkdtempSync(join(tmpdir(), "metastore-dir-"));
    try {
      const store = join(parent, "a", "b");
      const fs = new NodeFs();
      const directory = await DataDir.open(fs, store, silentLog);
      const options = { ...logWorld(fs).options, ...identity };
      await directory.initialize(identity, "memory", ({ wal }) =>
        createWal({ ...options, directory: wal }, salt),
      );
      await directory.close();
      const member = join(store, "member");
      assert.equal(statSync(member).mode & 0o777, 0o700);
      assert.equal(statSync(join(member, "metadata")).mode & 0o777, 0o600);
      chmodSync(member, 0o755);
      writeFileSync(join(member, "metadata.tmp"), "left behind");
      const warnings: string[] = [];
      const again = await DataDir.open(fs, store, { ...silentLog, warn: (text) => warnings.push(text) });
      assert.equal(statSync(member).mode & 0o777, 0o700);
      assert.equal(warnings.length, 1);
      assert.equal(await fs.stat(join(member, "metadata.tmp")), undefined);
      const found = await openWal({ ...options, directory: again.paths.wal });
      await found.wal.close();
      await again.close();
    } finally {
      rmSync(parent, { recursive: true });
    }
  });
});
