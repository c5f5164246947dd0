#!/usr/bin/env -S node --import tsx
// Runs the CLI from src/ without a build: `npm run dev` or `npx tsx bin/dev.js <command>`.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
// The commands of src/ stand in for those of dist/, and a manifest from the last build must not shadow them.
const source = readFileSync(`${root}/package.json`, "utf8").replaceAll('"./dist/', '"./src/');
const { main } = await import("../src/cli/main.ts");
process.exit(await main(process.argv.slice(2), { root, pjson: JSON.parse(source), ignoreManifest: true }));
