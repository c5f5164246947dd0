import { readFileSync } from "node:fs";
import { Flags, type Interfaces } from "@oclif/core";
import { BaseCommand } from "../cli/index.ts";
import { leaveMarkingToHelpers, limitHeapGrowth } from "../lib/heap-marking.ts";
import { loadConfig, type RunningServer, serveFlags, startServer } from "../server/index.ts";

/**
 * The flags of the server's table. They reach its configuration as text, where the same checks hold for flags,
 * environment and file.
 */
const flags: Interfaces.FlagInput = Object.fromEntries(
  serveFlags.map((spec) => {
    const common = {
      description: spec.default === "" ? spec.help : `${spec.help} Default ${spec.default}.`,
      helpGroup: spec.group,
      hidden: spec.support !== "served",
    };
    return [
      spec.name,
      spec.type === "boolean"
        ? Flags.boolean({ ...common, allowNo: false })
        : Flags.string({ ...common, helpValue: `<${spec.type}>` }),
    ];
  }),
);

export default class Serve extends BaseCommand {
  static override readonly isService = true;
  static override summary = "Run a server.";
  static override description =
    `Without flags it serves the etcd API on 127.0.0.1:2379 with its data in ./default.metastore. Every flag can also come from the environment as METASTORE_<FLAG>, etcd's flags as ETCD_<FLAG> too, and from --config-file.

Several members: start the same --cluster with another --id on each computer, or etcd's --initial-cluster and --name. A member that is added later is let in by \`member add\` first, and then started with --join.

SIGTERM and Ctrl-C end it in order: no new calls, those under way are answered. Exit code 74 when the disk fails.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --id=1 --cluster=http://127.0.0.1:9021 --port=9121 --grpc-addr=:2379",
    "<%= config.bin %> <%= command.id %> --id=2 --cluster=http://10.0.0.1:2380,http://10.0.0.2:2380,http://10.0.0.3:2380 --grpc-addr=:2379 --advertise-client-urls=http://10.0.0.2:2379",
    "<%= config.bin %> <%= command.id %> --id=4 --cluster=http://10.0.0.1:2380,http://10.0.0.2:2380,http://10.0.0.3:2380,http://10.0.0.4:2380 --join",
    "<%= config.bin %> <%= command.id %> --name n1 --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://10.0.0.1:2379",
  ];
  static override flags = flags;

  protected override async execute(): Promise<void> {
    const { argv, switches } = readGoSwitches(this.argv);
    const parsed = await this.parse(Serve, argv);
    const given = Object.entries({ ...parsed.flags, ...switches }).filter(([name]) => flagNames.has(name));
    const config = loadConfig({
      flags: Object.fromEntries(given),
      env: process.env,
      readFile: (path) => readFileSync(path, "utf8"),
    });
    leaveMarkingToHelpers(process.execArgv);
    const stopping = new AbortController();
    const stop = stopRequested().then(() => stopping.abort());
    const starting = startServer(config, stopping.signal);
    // Without a quorum a member starts for as long as it takes; a signal ends that too.
    const server = await starting.catch((error: unknown) => {
      if (stopping.signal.aborted) return undefined;
      throw error;
    });
    if (server === undefined) return;
    // Only now: what is loaded on the way stays, and to mark it in between finds nothing to free.
    limitHeapGrowth(process.execArgv);
    printAddresses(server);
    const failure = await Promise.race([stop, server.fatal, uncaught()]);
    if (failure !== undefined) throw failure;
    await server.close();
  }
}

/** Where it listens, for people and for scripts that wait for the line; the log has the rest. */
function printAddresses({ addresses }: RunningServer): void {
  const lines = [`serving the etcd API on ${addresses.client.join(", ")}`];
  if (addresses.keys !== undefined) lines.push(`serving plain HTTP keys on ${addresses.keys}`);
  if (addresses.metrics.length > 0) lines.push(`serving metrics on ${addresses.metrics.join(", ")}`);
  process.stderr.write(`${lines.join("\n")}\n`);
}

/** Resolves at the first signal to stop. A second one ends the process at once, by the signal's default. */
function stopRequested(): Promise<undefined> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve(undefined));
    process.once("SIGINT", () => resolve(undefined));
  });
}

/** A defect: what it left half done is in nobody's hands, so the process ends, with exit code 70 for an assertion. */
function uncaught(): Promise<Error> {
  return new Promise((resolve) => {
    process.once("uncaughtException", (error) => {
      process.stderr.write(`${error.stack ?? error}\n`);
      resolve(error);
    });
  });
}

const flagNames = new Set(serveFlags.map(({ name }) => name));
const switchNames = new Set(serveFlags.filter(({ type }) => type === "boolean").map(({ name }) => name));

/** Takes the switches written as in Go, --name=true and --name=false, out of `argv`: oclif knows none with a value. */
function readGoSwitches(argv: readonly string[]): { argv: string[]; switches: Record<string, boolean> } {
  const switches: Record<string, boolean> = {};
  const rest = argv.filter((word) => {
    const match = /^--([a-z-]+)=(true|false)$/.exec(word);
    if (match === null || !switchNames.has(match[1]!)) return true;
    switches[match[1]!] = match[2] === "true";
    return false;
  });
  return { argv: rest, switches };
}
