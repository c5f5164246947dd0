#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
if (!existsSync(`${root}/dist/cli/main.js`)) {
  process.stderr.write("Error: metastore is not built yet\nTry:   npm run build\n");
  process.exit(1);
}
const { main } = await import("../dist/cli/main.js");
process.exit(await main(process.argv.slice(2), { root }));
