import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findProgram, repositoryRoot } from "../../harness/index.ts";

export interface Step {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment?: Record<string, string>;
}

export interface Stack {
  readonly name: string;
  readonly title: string;
  /** What the machine lacks, if anything. */
  missing(): string | undefined;
  /** What makes the client, in this folder, which may hold what an earlier run made. */
  build(cache: string): readonly Step[];
  client(cache: string): Step;
}

const here = join(repositoryRoot, "test", "conformance", "stacks");
const protos = join(repositoryRoot, "proto");

export const stacks: readonly Stack[] = [
  {
    name: "go",
    title: "grpc-go",
    missing: () => lacking("go"),
    build: (cache) => [
      { program: "go", args: ["build", "-o", join(cache, "client"), "."], cwd: join(here, "go") },
    ],
    client: (cache) => ({ program: join(cache, "client"), args: [], cwd: cache }),
  },
  {
    name: "js",
    title: "@grpc/grpc-js",
    missing: () => undefined,
    build: () => [],
    client: () => ({
      program: process.execPath,
      args: ["--import", "tsx", join(here, "js", "client.ts")],
      cwd: repositoryRoot,
    }),
  },
  {
    name: "python",
    title: "Python grpcio",
    missing: () => lacking("python3") ?? venvLacking(),
    build: (cache) => {
      const python = join(cache, "venv", "bin", "python");
      const generate = ["-m", "grpc_tools.protoc", `-I${protos}`, `--python_out=${cache}`];
      return [
        { program: "python3", args: ["-m", "venv", join(cache, "venv")], cwd: cache },
        {
          program: python,
          args: [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "-r",
            join(here, "python", "requirements.txt"),
          ],
          cwd: cache,
        },
        {
          program: python,
          args: [...generate, `--grpc_python_out=${cache}`, "rpc.proto", "kv.proto", "auth.proto"],
          cwd: protos,
        },
      ];
    },
    client: (cache) => ({
      program: join(cache, "venv", "bin", "python"),
      args: ["-u", join(here, "python", "client.py")],
      cwd: cache,
    }),
  },
  {
    name: "java",
    title: "grpc-java",
    missing: () => lacking("java") ?? lacking("javac") ?? lacking("mvn"),
    build: (cache) => [
      {
        program: "mvn",
        args: ["-q", "-B", "-f", join(here, "java", "pom.xml"), `-Dclient.folder=${cache}`, "package"],
        cwd: cache,
      },
    ],
    client: (cache) => ({
      program: "java",
      args: ["-Xmx1g", "-cp", `${join(cache, "classes")}:${join(cache, "libraries", "*")}`, "Client"],
      cwd: cache,
    }),
  },
  {
    name: "rust",
    title: "Rust tonic",
    missing: () => lacking("cargo"),
    build: (cache) => [
      {
        program: "cargo",
        args: ["build", "--release", "--quiet", "--target-dir", cache],
        cwd: join(here, "rust"),
      },
    ],
    client: (cache) => ({ program: join(cache, "release", "client"), args: [], cwd: cache }),
  },
];

function lacking(program: string): string | undefined {
  return findProgram(program) === undefined ? `${program} is not on the PATH` : undefined;
}

function venvLacking(): string | undefined {
  const { status } = spawnSync("python3", ["-c", "import venv, ensurepip"]);
  return status === 0 ? undefined : "python3 has no venv";
}
