import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCli } from "./cli-build.ts";

export interface Finished {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly tookMs: number;
}

const children = new Set<ChildProcess>();
const folders: string[] = [];
const givenPorts = new Set<number>();

/** Variables of the person who runs the tests must not reach the commands under test. */
function environment(extra: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(METASTORE|ETCD|ETCDCTL|OCLIF|NODE_OPTIONS|NODE_V8|NO_COLOR|FORCE_COLOR)/.test(name),
  );
  return { ...Object.fromEntries(inherited), ...extra };
}

/** Runs one command of the built CLI to its end. */
export async function metastore(
  args: readonly string[],
  options: { readonly stdin?: string | Buffer; readonly env?: Record<string, string> } = {},
): Promise<Finished> {
  const root = await buildCli();
  return finish(process.execPath, [join(root, "bin/run.js"), ...args], options);
}

/** Runs a shell pipeline in which `metastore` is the built CLI. */
export async function shell(script: string, env: Record<string, string> = {}): Promise<Finished> {
  const root = await buildCli();
  const define = `set -o pipefail; metastore() { "${process.execPath}" "${join(root, "bin/run.js")}" "$@"; };`;
  return finish("bash", ["-c", `${define} ${script}`], { env });
}

async function finish(
  command: string,
  args: readonly string[],
  options: { readonly stdin?: string | Buffer; readonly env?: Record<string, string> },
): Promise<Finished> {
  const started = performance.now();
  const child = spawn(command, args, {
    env: environment(options.env ?? {}),
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.add(child);
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  child.stdin.end(options.stdin ?? "");
  await once(child, "close");
  children.delete(child);
  return {
    stdout: Buffer.concat(stdout),
    stderr,
    exitCode: child.exitCode,
    tookMs: performance.now() - started,
  };
}

export interface TestServer {
  readonly endpoint: string;
  readonly port: number;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Ends it by SIGTERM and resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** `metastore serve` as a process, with data in a folder of its own unless one is given. */
export async function startTestServer(
  options: {
    readonly port?: number;
    readonly dataDir?: string;
    /** Further flags of serve, those about other members among them. */
    readonly flags?: readonly string[];
  } = {},
): Promise<TestServer> {
  const root = await buildCli();
  const port = options.port ?? (await freePort());
  const dataDir = options.dataDir ?? temporaryFolder();
  const child = spawn(
    process.execPath,
    [
      join(root, "bin/run.js"),
      "serve",
      `--listen-client-urls=http://127.0.0.1:${port}`,
      `--advertise-client-urls=http://127.0.0.1:${port}`,
      `--data-dir=${join(dataDir, "data")}`,
      // A lone member listens for others too; tests run side by side.
      ...(options.flags ?? ["--listen-peer-urls=http://127.0.0.1:0"]),
    ],
    { env: environment({}), stdio: ["ignore", "ignore", "pipe"] },
  );
  children.add(child);
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString("utf8");
      if (log.includes("serving the etcd API")) resolve();
    });
    child.once("exit", (code) => reject(new Error(`serve ended with ${code}:\n${log}`)));
  });
  return {
    endpoint: `127.0.0.1:${port}`,
    port,
    dataDir,
    process: child,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      children.delete(child);
      return child.exitCode;
    },
  };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "metastore-test-"));
  folders.push(folder);
  return folder;
}

/** Another one with every call: the system may give a port out again as soon as it is closed. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    if (givenPorts.has(port)) continue;
    givenPorts.add(port);
    return port;
  }
}

/** Ends what a failed test left running. For `after`. */
export function cleanUp(): void {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
