import assert from "node:assert/strict";
import {
  isZero,
  lastNonZero,
  readWhole,
  writeAtomically,
  writeFully,
  writeZeros,
} from "../../src/lib/file-operations.ts";
import { DirectoryLocked, errorCode, type Fs, type FsFile } from "../../src/lib/fs.ts";

/** What every file system promises; `create` gives one and a directory that exists in it. */
export function fsSuite(
  name: string,
  create: () => Promise<{ fs: Fs; directory: string; dispose: () => Promise<void> }>,
): void {
  describe(`${name} keeps the promises of Fs`, () => {
    let fs: Fs;
    let directory: string;
    let dispose: () => Promise<void>;

    beforeEach(async () => {
      ({ fs, directory, dispose } = await create());
    });
    afterEach(() => dispose());

    const fails = (work: Promise<unknown>, code: string): Promise<void> =>
      assert.rejects(work, (error) => errorCode(error) === code);
    const put = async (path: string, text: string): Promise<void> => {
      const file = await fs.open(path, { access: "create" });
      await writeFully(file, [Buffer.from(text)], 0);
      await file.close();
    };
    const textOf = async (path: string): Promise<string> => (await readWhole(fs, path)).toString();

    it("writes lists of buffers at a position and reads them back", async () => {
      const path = `${directory}/a`;
      const file = await fs.open(path, { access: "create", durable: true });
      await writeFully(file, [Buffer.from("one"), Buffer.from(""), Buffer.from("two")], 2);
      await writeFully(file, [Buffer.from("XY")], 0);
      await writeFully(file, [], 0);
      await file.sync();
      assert.equal(await file.size(), 8);
      const target = Buffer.alloc(4);
      assert.equal(await file.read(target, 6), 2);
      assert.equal(target.toString(), "wo\0\0");
      await file.close();
      assert.equal(await textOf(path), "XYonetwo");
    });

    it("calls done of a write once and later", async () => {
      const file = await fs.open(`${directory}/a`, { access: "create" });
      const calls: string[] = [];
      await new Promise<void>((resolve) => {
        file.write([Buffer.from("x")], 0, (error) => {
          calls.push(error === undefined ? "done" : error.message);
          resolve();
        });
        calls.push("returned");
      });
      await file.close();
      assert.deepEqual(calls, ["returned", "done"]);
    });

    it("writes more buffers than one system call takes", async () => {
      const file = await fs.open(`${directory}/a`, { access: "create" });
      const buffers = Array.from({ length: 3000 }, (_, i) => Buffer.from([i & 0xff]));
      await writeFully(file, buffers, 0);
      await file.close();
      assert.deepEqual(await readWhole(fs, `${directory}/a`), Buffer.concat(buffers));
    });

    it("refuses to create what exists and to open what does not", async () => {
      await put(`${directory}/a`, "1");
      await fails(fs.open(`${directory}/a`, { access: "create" }), "EEXIST");
      await fails(fs.open(`${directory}/b`, { access: "write" }), "ENOENT");
      await fails(fs.open(`${directory}/b`, { access: "read" }), "ENOENT");
      await fails(fs.readDirectory(`${directory}/b`), "ENOENT");
      await fails(fs.unlink(`${directory}/b`), "ENOENT");
      await fails(fs.rename(`${directory}/b`, `${directory}/c`), "ENOENT");
    });

    it("reports a write through a handle that cannot", async () => {
      await put(`${directory}/a`, "1");
      const file: FsFile = await fs.open(`${directory}/a`, { access: "read" });
      await fails(writeFully(file, [Buffer.from("2")], 0), "EBADF");
      await file.close();
    });

    it("truncates and extends with zeros", async () => {
      await put(`${directory}/a`, "12345");
      const file = await fs.open(`${directory}/a`, { access: "write" });
      await file.truncate(2);
      await file.truncate(4);
      await file.close();
      assert.equal(await textOf(`${directory}/a`), "12\0\0");
    });

    it("renames over an existing file, lists names sorted, and removes", async () => {
      await put(`${directory}/b`, "b");
      await put(`${directory}/a`, "a");
      await fs.createDirectory(`${directory}/d/e`);
      await fs.createDirectory(`${directory}/d/e`);
      await fs.rename(`${directory}/b`, `${directory}/a`);
      await fs.syncDirectory(directory);
      assert.deepEqual(await fs.readDirectory(directory), ["a", "d"]);
      assert.equal(await textOf(`${directory}/a`), "b");
      await fs.removeTree(`${directory}/d`);
      await fs.removeTree(`${directory}/d`);
      await fs.unlink(`${directory}/a`);
      assert.deepEqual(await fs.readDirectory(directory), []);
    });

    it("tells kind, size and mode, and nothing of what is not there", async () => {
      await put(`${directory}/a`, "123");
      await fs.createDirectory(`${directory}/d`);
      assert.deepEqual(await fs.stat(`${directory}/a`), { kind: "file", sizeBytes: 3, mode: 0o600 });
      const stat = await fs.stat(`${directory}/d`);
      assert.equal(stat?.kind, "directory");
      assert.equal(stat?.mode, 0o700);
      assert.equal(await fs.stat(`${directory}/x`), undefined);
      assert.equal(await fs.stat(`${directory}/a/x`), undefined);
      await fs.restrictMode(`${directory}/d`);
      assert.equal((await fs.stat(`${directory}/d`))?.mode, 0o700);
    });

    it("keeps a handle valid when its file is renamed", async () => {
      const file = await fs.open(`${directory}/a.tmp`, { access: "create" });
      await fs.rename(`${directory}/a.tmp`, `${directory}/a`);
      await writeFully(file, [Buffer.from("later")], 0);
      await file.close();
      assert.equal(await textOf(`${directory}/a`), "later");
    });

    it("gives a lock to one owner at a time", async () => {
      const lock = await fs.lock(`${directory}/lock`);
      await assert.rejects(
        fs.lock(`${directory}/lock`),
        (error) => error instanceof DirectoryLocked && error.pid === process.pid,
      );
      await lock.release();
      const again = await fs.lock(`${directory}/lock`);
      await again.release();
    });

    it("puts small files in place whole, over what was there and over a draft left behind", async () => {
      await put(`${directory}/a.tmp`, "left behind");
      await writeAtomically(fs, `${directory}/a`, Buffer.from("1"));
      await writeAtomically(fs, `${directory}/a`, Buffer.from("2"));
      assert.equal(await textOf(`${directory}/a`), "2");
      assert.deepEqual(await fs.readDirectory(directory), ["a"]);
    });

    it("fills with zeros, and zeros are recognised", async () => {
      const file = await fs.open(`${directory}/a`, { access: "create" });
      await writeFully(file, [Buffer.from("abc")], 0);
      await writeZeros(file, 1, 600_000);
      await file.close();
      const bytes = await readWhole(fs, `${directory}/a`);
      assert.equal(bytes.length, 600_000);
      assert.equal(lastNonZero(bytes, 0, bytes.length), 0);
      assert.ok(isZero(bytes, 1, bytes.length));
      bytes[300_000] = 1;
      assert.equal(lastNonZero(bytes, 1, bytes.length), 300_000);
      assert.ok(!isZero(bytes, 1, bytes.length));
    });
  });
}
