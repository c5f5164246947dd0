/**
 * h2spec against the client port, without and with TLS: npm run test:h2spec
 * [-- --only generic|http2|hpack|http2/5.1|http2/5.1/8,...] [--grpc-transport NAME] [--path /health] [--timeout SECONDS] [--strict]
 * [--endpoint HOST:PORT [--tls]] for a server that runs already. Prints what h2spec says of the cases that failed
 * and ends with "N passed, N failed, N skipped". An h2spec on the PATH is used; else Go builds the one that
 * h2spec/go.mod pins, into a folder that later runs find again.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findProgram, repositoryRoot, type ServerProcess } from "../harness/index.ts";
import { startTwoDoors } from "./two-doors.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "generic,http2,hpack" },
    endpoint: { type: "string" },
    tls: { type: "boolean", default: false },
    path: { type: "string", default: "/health" },
    timeout: { type: "string", default: "2" },
    strict: { type: "boolean", default: false },
    "grpc-transport": { type: "string" },
  },
});

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The program, or why there is none. */
function findH2spec(): { program: string } | { reason: string } | { failure: string } {
  const onPath = findProgram("h2spec");
  if (onPath !== undefined) return { program: onPath };
  const go = findProgram("go");
  if (go === undefined) return { reason: "neither h2spec nor go is on the PATH" };
  const module = join(repositoryRoot, "test", "conformance", "h2spec");
  const pins = createHash("sha256")
    .update(readFileSync(join(module, "go.sum")))
    .digest("hex");
  const folder = join(tmpdir(), `metastore-h2spec-${pins.slice(0, 12)}`);
  const program = join(folder, "h2spec");
  if (existsSync(program)) return { program };
  mkdirSync(folder, { recursive: true });
  const args = ["build", "-o", program, "github.com/summerwind/h2spec/cmd/h2spec"];
  const built = spawnSync(go, args, { cwd: module, encoding: "utf8" });
  return built.status === 0 ? { program } : { failure: `go could not build h2spec:\n${built.stderr}` };
}

async function check(program: string, endpoint: string, isTls: boolean): Promise<Counts> {
  console.log(`--- h2spec on ${endpoint}, ${isTls ? "TLS" : "plain"}`);
  const colon = endpoint.lastIndexOf(":");
  const output = await run(program, [
    ...flags.only.split(","),
    ...["--host", endpoint.slice(0, colon), "--port", endpoint.slice(colon + 1)],
    ...["--path", flags.path, "--timeout", flags.timeout],
    ...(flags.strict ? ["--strict"] : []),
    ...(isTls ? ["--tls", "--insecure"] : []),
  ]);
  // A line is written twice over, first as what is being tried: what follows the last carriage return stays.
  const lines = output.split("\n").map((line) => line.slice(line.lastIndexOf("\r") + 1));
  const closing = /^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed$/m.exec(lines.join("\n"));
  const [tests, passed, skipped, failed] = closing?.slice(1).map(Number) ?? [];
  if (!tests || passed === undefined || skipped === undefined || failed === undefined) {
    console.log(`${lines.slice(-20).join("\n")}\nh2spec came to no end, or knew no such section`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const failures = lines.findIndex((line) => line.startsWith("Failures:"));
  if (failures >= 0)
    console.log(
      lines
        .slice(failures + 1, -1)
        .join("\n")
        .trimEnd(),
    );
  const firstReport = lines.slice(0, failures >= 0 ? failures : lines.length);
  for (const line of firstReport.filter((text) => /^\s+\d+: /.test(text))) {
    console.log(`skipped by h2spec: ${line.trim()}`);
  }
  console.log(`${isTls ? "TLS" : "plain"}: passed ${passed}, failed ${failed}, skipped ${skipped}`);
  return { passed, failed, skipped };
}

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      output += chunk;
    });
    child.once("error", reject);
    child.once("close", () => resolve(output));
  });
}

async function checkOwnServer(program: string): Promise<Counts[]> {
  const folder = mkdtempSync(join(tmpdir(), "metastore-h2spec-"));
  const transport = flags["grpc-transport"];
  let server: ServerProcess | undefined;
  try {
    const doors = await startTwoDoors(folder, transport === undefined ? [] : ["--grpc-transport", transport]);
    server = doors.server;
    return [await check(program, doors.plain, false), await check(program, doors.tls, true)];
  } catch (error) {
    console.log(error instanceof Error ? error.message : error);
    return [{ passed: 0, failed: 1, skipped: 0 }];
  } finally {
    await server?.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const h2spec = findH2spec();
  if ("reason" in h2spec) {
    console.log(`skipped: ${h2spec.reason}\n0 passed, 0 failed, 1 skipped`);
    return 0;
  }
  if ("failure" in h2spec) {
    console.log(`${h2spec.failure}\n0 passed, 1 failed, 0 skipped`);
    return 1;
  }
  const parts =
    flags.endpoint === undefined
      ? await checkOwnServer(h2spec.program)
      : [await check(h2spec.program, flags.endpoint, flags.tls)];
  const sum = (name: keyof Counts): number => parts.reduce((total, counts) => total + counts[name], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
  return sum("failed") === 0 ? 0 : 1;
}

process.exitCode = await main();
