#!/usr/bin/env -S node --import tsx
// Runs the CLI from src/ without a build: `npm run dev` or `npx tsx bin/dev.js <command>`.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const packageJson = fileURLToPath(new URL("../package.json", import.meta.url));
// With src/ as its root oclif finds no manifest of the last build, whose commands would be those of dist/.
const root = fileURLToPath(new URL("../src", import.meta.url));
const source = readFileSync(packageJson, "utf8").replaceAll('"./dist/', '"./');
const { main } = await import("../src/cli/main.ts");
process.exit(await main(process.argv.slice(2), { root, pjson: JSON.parse(source) }));
