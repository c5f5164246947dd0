import { mkdirSync } from "node:fs";
import { Cluster } from "../cluster/harness/index.ts";
import { freePorts, ServerProcess } from "../harness/index.ts";
import { type Contender, certificateFile, commandLine } from "./contender.ts";
import { type Inside, Probe, probeFlags, together } from "./inside.ts";

/** What the load generator is pointed at: one server, or a cluster of them. */
export interface Target {
  /** host:port, several separated by commas: connections go to them in turn. */
  readonly endpoint: string;
  /** The certificate that it has, when it is to be spoken to with TLS. */
  readonly ca: string | undefined;
  /** CPU time of all its processes together. */
  usage(): { readonly cpuMs: number };
  /** Called before each measurement. */
  settle(): Promise<void>;
  /** The measured period begins, and ends; what was seen inside the server meanwhile, where one can look. */
  begin(): Promise<void>;
  end(): Promise<Inside | undefined>;
  /** The text of /metrics, of the leader when there are several. */
  metrics(): Promise<string>;
  kill(): Promise<void>;
}

export interface TargetOptions {
  readonly folder: string;
  readonly members: number;
  /** "all": connections to every member in turn, the leader first. */
  readonly to: "all" | "leader";
  readonly isTls: boolean;
  readonly isProfiled?: boolean;
}

export function startTarget(contender: Contender, options: TargetOptions): Promise<Target> {
  mkdirSync(options.folder, { recursive: true });
  return options.members > 1
    ? ClusterTarget.start(contender, options)
    : SingleTarget.start(contender, options);
}

/** What both kinds do with the probes of their processes; etcd has none. */
abstract class ProbedTarget {
  readonly #probes: readonly Probe[];
  readonly #isProfiled: boolean;

  constructor(probes: readonly Probe[], isProfiled: boolean) {
    this.#probes = probes;
    this.#isProfiled = isProfiled;
  }

  async begin(): Promise<void> {
    await Promise.all(this.#probes.map((probe) => probe.begin(this.#isProfiled)));
  }

  async end(): Promise<Inside | undefined> {
    const parts = await Promise.all(this.#probes.map((probe) => probe.end()));
    return together([...parts.slice(this.leading), ...parts.slice(0, this.leading)]);
  }

  /** Which of the processes is named first. */
  protected get leading(): number {
    return 0;
  }

  protected closeProbes(): void {
    for (const probe of this.#probes) probe.close();
  }
}

const nodeFlagsOf = (contender: Contender, folder: string): string[] =>
  contender.kind === "etcd" ? [] : probeFlags(folder);

async function probesOf(
  contender: Contender,
  folder: string,
  servers: readonly ServerProcess[],
): Promise<Probe[]> {
  if (contender.kind === "etcd") return [];
  return Promise.all(servers.map((server) => Probe.connect(folder, server.pid)));
}

class SingleTarget extends ProbedTarget implements Target {
  readonly endpoint: string;
  readonly ca: string | undefined;
  readonly #server: ServerProcess;

  private constructor(
    server: ServerProcess,
    tlsPort: number | undefined,
    probes: readonly Probe[],
    isProfiled: boolean,
  ) {
    super(probes, isProfiled);
    this.#server = server;
    this.endpoint = tlsPort === undefined ? server.endpoint : `127.0.0.1:${tlsPort}`;
    this.ca = tlsPort === undefined ? undefined : certificateFile;
  }

  static async start(contender: Contender, options: TargetOptions): Promise<SingleTarget> {
    const { folder, isTls, isProfiled = false } = options;
    const [peerPort, other] = (await freePorts(2)) as [number, number];
    const tlsPort = isTls ? other : undefined;
    const server = await ServerProcess.start({
      kind: "bare",
      folder,
      bareCommand: (clientPort) =>
        commandLine(contender, {
          ...{ folder, clientPort, peerPort, tlsPort },
          nodeFlags: nodeFlagsOf(contender, folder),
        }),
    });
    return new SingleTarget(server, tlsPort, await probesOf(contender, folder, [server]), isProfiled);
  }

  usage(): { readonly cpuMs: number } {
    return this.#server.usage();
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  metrics(): Promise<string> {
    return this.#server.metrics();
  }

  kill(): Promise<void> {
    this.closeProbes();
    return this.#server.kill();
  }
}

/** Members that reach each other directly, without the proxies of the fault tests. */
class ClusterTarget extends ProbedTarget implements Target {
  readonly ca = undefined;
  readonly #cluster: Cluster;
  readonly #to: "all" | "leader";
  #leader: Cluster["members"][number] | undefined;
  #endpoints: readonly string[] = [];

  private constructor(cluster: Cluster, probes: readonly Probe[], options: TargetOptions) {
    super(probes, options.isProfiled ?? false);
    this.#cluster = cluster;
    this.#to = options.to;
  }

  static async start(contender: Contender, options: TargetOptions): Promise<ClusterTarget> {
    const { kind, program, flags } = contender;
    if (kind === "transport") throw new Error("the bare transport has no members");
    if (options.isTls) throw new Error("--tls measures one member");
    const { folder } = options;
    const cluster = await Cluster.start({
      ...{ kind, folder, flags },
      ...(program === undefined ? {} : { program }),
      size: options.members,
      isProxied: false,
      nodeFlags: nodeFlagsOf(contender, folder),
    });
    const servers = cluster.members.map(({ process }) => process);
    const target = new ClusterTarget(cluster, await probesOf(contender, folder, servers), options);
    await target.settle();
    return target;
  }

  get endpoint(): string {
    return this.#endpoints.join(",");
  }

  usage(): { readonly cpuMs: number } {
    return { cpuMs: this.#cluster.members.reduce((sum, { process }) => sum + process.usage().cpuMs, 0) };
  }

  /** The leader may be another one since the last measurement. */
  async settle(): Promise<void> {
    const leader = await this.#cluster.waitForLeader();
    const others = this.#cluster.members.filter((member) => member !== leader);
    const chosen = this.#to === "leader" ? [leader] : [leader, ...others];
    this.#leader = leader;
    this.#endpoints = chosen.map(({ endpoint }) => endpoint);
  }

  metrics(): Promise<string> {
    return this.#leader?.process.metrics() ?? Promise.reject(new Error("there is no leader"));
  }

  protected override get leading(): number {
    return this.#leader === undefined ? 0 : this.#cluster.members.indexOf(this.#leader);
  }

  kill(): Promise<void> {
    this.closeProbes();
    return this.#cluster.close();
  }
}
