import assert from "node:assert/strict";
import { StorageFailure } from "../../../../src/lib/errors.ts";
import { walFailure } from "../../../../src/server/storage/wal-failure.ts";
import { SimFsError } from "../../../sim/disk.ts";

describe("A failure of the log", () => {
  it("says what to do when there is no space left", () => {
    for (const code of ["ENOSPC", "EDQUOT"]) {
      const cause = new SimFsError(code, "write", "/data/wal/1");
      const failure = walFailure(cause, "/data/wal");
      assert.match(failure.message, /^no space left for the log in \/data\/wal: /);
      assert.match(failure.hint, /Free space/);
      assert.equal(failure.cause, cause);
    }
  });

  it("says why the member stops at any other error", () => {
    const failure = walFailure(new SimFsError("EIO", "fdatasync", "/data/wal/1"), "/data/wal");
    assert.match(failure.message, /cannot be written: EIO: fdatasync/);
    assert.match(failure.hint, /Check the disk/);
    assert.match(walFailure("no error object", "/data/wal").message, /no error object$/);
  });

  it("is left as it is when it is one already", () => {
    const failure = new StorageFailure("damaged", "restore a copy");
    assert.equal(walFailure(failure, "/data/wal"), failure);
  });
});
