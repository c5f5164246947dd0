import assert from "node:assert/strict";
import { StorageFailure, UsageError } from "../../../src/lib/errors.ts";
import { readBackupFile, saveBackup } from "../../../src/server/backup-file.ts";
import { inspectBackup } from "../../../src/server/backup-reader.ts";
import { SimFs, type SimFsOptions } from "../../sim/disk.ts";
import { createState } from "../../sim/member.ts";
import { putRequest } from "./api/requests.ts";
import { backupOf, blocksOf, busyState } from "./backup-world.ts";

const path = "/backups/b.snap";
const old = Buffer.from("an older backup");

async function world(options: Partial<SimFsOptions> = {}): Promise<SimFs> {
  const empty = new SimFs({ seed: 1 });
  await empty.createDirectory("/backups");
  await empty.syncDirectory("/");
  empty.place(path, old);
  return empty.reboot("clean", { seed: 1, ...options });
}

describe("A backup file", () => {
  let bytes: Buffer;
  before(async () => {
    bytes = await backupOf(busyState(1));
  });

  it("is what was sent, durable, and takes the place of an older one", async () => {
    const fs = await world();
    const report = await saveBackup(fs, path, blocksOf(bytes, 1_000));
    assert.equal(report.sizeBytes, bytes.length);
    const survivor = fs.reboot("dropped", { seed: 2 });
    assert.deepEqual(survivor.contentOf(path), bytes);
    assert.deepEqual(await survivor.readDirectory("/backups"), ["b.snap"]);
    assert.deepEqual(await inspectBackup(readBackupFile(survivor, path), path), report);
  });

  it("never leaves more than a mebibyte for the disk to do at once", async () => {
    const state = createState();
    for (let i = 0; i < 5; i++) state.store.put(putRequest(`k${i}`, "v".repeat(900_000)));
    const fs = await world();
    const unsynced = [0];
    const { open } = fs;
    fs.open = async (name, options) => {
      const file = await open.call(fs, name, options);
      const { write, sync } = file;
      file.write = (buffers, position, done) => {
        unsynced[unsynced.length - 1]! += buffers.reduce((sum, { length }) => sum + length, 0);
        write.call(file, buffers, position, done);
      };
      file.sync = () => {
        unsynced.push(0);
        return sync.call(file);
      };
      return file;
    };
    const report = await saveBackup(fs, path, blocksOf(await backupOf(state), 65_536));
    const sum = unsynced.reduce((left, right) => left + right, 0);
    assert.equal(sum, report.sizeBytes);
    assert.ok(Math.max(...unsynced) <= 1_048_576, `${Math.max(...unsynced)} bytes between two syncs`);
  });

  it("is not there, and the older one is as it was, when what comes is damaged, cut off or breaks off", async () => {
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - 50] = damaged[bytes.length - 50]! ^ 4;
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 2_000);
      throw new Error("the connection is gone");
    }
    const sources = [
      [blocksOf(damaged), StorageFailure],
      [blocksOf(bytes.subarray(0, bytes.length - 1)), StorageFailure],
      [blocksOf(Buffer.alloc(0)), StorageFailure],
      [breaking(), /connection is gone/],
    ] as const;
    for (const [source, expected] of sources) {
      const fs = await world();
      await assert.rejects(saveBackup(fs, path, source), expected);
      assert.deepEqual(await fs.readDirectory("/backups"), ["b.snap"]);
      assert.deepEqual(fs.contentOf(path), old);
    }
  });

  it("is whole or not there when any operation of the disk fails, with nothing left of the draft", async () => {
    const whole = await world();
    await saveBackup(whole, path, blocksOf(bytes, 1_000));
    for (let operation = 1; operation <= whole.operations; operation++) {
      const fs = await world({ failAt: { operation, code: "ENOSPC" } });
      await assert.rejects(saveBackup(fs, path, blocksOf(bytes, 1_000)), (error) => {
        assert.ok(error instanceof StorageFailure, String(error));
        assert.match(error.message, /cannot write \/backups\/b\.snap: ENOSPC/);
        assert.match(error.hint, /Free space/);
        return true;
      });
      assert.deepEqual(await fs.readDirectory("/backups"), ["b.snap"], `operation ${operation}`);
      // The last one makes the name durable: by then it is that of the new one.
      if (operation < whole.operations) assert.deepEqual(fs.contentOf(path), old, `operation ${operation}`);
    }
  });

  it("is the old one or the new one wherever a crash comes", async () => {
    const whole = await world();
    await saveBackup(whole, path, blocksOf(bytes, 5_000));
    for (let crashAt = 1; crashAt <= whole.operations; crashAt++) {
      for (const mode of ["clean", "dropped", "torn"] as const) {
        const fs = await world({ seed: crashAt, crashAt });
        await Promise.race([saveBackup(fs, path, blocksOf(bytes, 5_000)), fs.crashed]);
        const found = fs.reboot(mode, { seed: crashAt }).contentOf(path);
        assert.ok(found.equals(old) || found.equals(bytes), `crash at ${crashAt}, ${mode}`);
      }
    }
  });

  it("is refused a place where none can be: a directory, a device, a folder that is not there", async () => {
    const fs = await world();
    const refused = (error: unknown) => error instanceof UsageError;
    await assert.rejects(saveBackup(fs, "/backups", blocksOf(bytes)), refused);
    await assert.rejects(saveBackup(fs, "/none/b.snap", blocksOf(bytes)), refused);
    const device = new SimFs({ seed: 1 });
    device.stat = async () => ({ kind: "other", sizeBytes: 0, mode: 0o666 });
    await assert.rejects(saveBackup(device, "/dev/null", blocksOf(bytes)), /not a regular file/);
  });

  it("that cannot be read is told apart from one that is damaged", async () => {
    const fs = await world();
    await assert.rejects(inspectBackup(readBackupFile(fs, "/backups/none"), "none"), UsageError);
    await assert.rejects(inspectBackup(readBackupFile(fs, "/backups"), "dir"), UsageError);
    await assert.rejects(inspectBackup(readBackupFile(fs, path), path), StorageFailure);
    const pipe = new SimFs({ seed: 1 });
    pipe.stat = async () => ({ kind: "other", sizeBytes: 0, mode: 0o600 });
    await assert.rejects(inspectBackup(readBackupFile(pipe, "/pipe"), "/pipe"), /not a regular file/);
  });
});
