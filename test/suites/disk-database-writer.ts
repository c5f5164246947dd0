// A process that writes into the RocksDB in the directory it is given, until it is killed (disk-database.test.ts).
import { openRocksDatabase } from "../../src/server/storage/rocks-database.ts";
import { writeNumbered } from "./disk-database-suite.ts";

// Small, so that tables are written in the middle of what was not synced.
const database = await openRocksDatabase({
  path: process.argv[2]!,
  cacheSizeBytes: 1 << 20,
  writeBufferSizeBytes: 64 << 10,
});
await writeNumbered(database, (number, isSynced) => {
  if (isSynced) process.send?.(number);
});
