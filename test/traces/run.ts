// Runs data-driven traces of the Raft core (README.md beside this file).
// Usage: npm run test:traces -- [--update] DIR...   Ends with 1 when a file failed, with 64 when called wrongly.
import { runTraces } from "./run-traces.ts";

const args = process.argv.slice(2);
const places = args.filter((argument) => !argument.startsWith("--"));
const isUpdate = args.includes("--update");
if (places.length === 0 || args.some((argument) => argument.startsWith("--") && argument !== "--update")) {
  process.stderr.write("usage: npm run test:traces -- [--update] DIR...\n");
  process.exitCode = 64;
} else {
  process.exitCode = runTraces(places, { isUpdate, say: (line) => process.stdout.write(`${line}\n`) });
}
