import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeFs } from "../../src/lib/fs.ts";
import { SimFs } from "../sim/disk.ts";
import { fsSuite } from "./fs-suite.ts";

fsSuite("NodeFs", async () => {
  const directory = await mkdtemp(join(tmpdir(), "metastore-fs-"));
  return { fs: new NodeFs(), directory, dispose: () => rm(directory, { recursive: true }) };
});

fsSuite("SimFs", async () => {
  const fs = new SimFs({ seed: 1 });
  await fs.createDirectory("/data");
  return { fs, directory: "/data", dispose: async () => undefined };
});
