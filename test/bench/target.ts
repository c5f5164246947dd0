import { Cluster } from "../cluster/harness/index.ts";
import { findProgram, ServerProcess } from "../harness/index.ts";

/** What the load generator is pointed at: one server, or a cluster of them. */
export interface Target {
  /** host:port, several separated by commas: connections go to them in turn. */
  readonly endpoint: string;
  /** CPU time of all its processes together. */
  usage(): { readonly cpuMs: number };
  /** Called before each measurement. */
  settle(): Promise<void>;
  kill(): Promise<void>;
}

export interface TargetOptions {
  readonly kind: "metastore" | "etcd";
  readonly folder: string;
  readonly members: number;
  /** "all": connections to every member in turn, the leader first. */
  readonly to: "all" | "leader";
  /** Another etcd than the one on the PATH. */
  readonly program?: string;
  readonly flags?: readonly string[];
}

export async function startTarget(options: TargetOptions): Promise<Target> {
  const { kind, folder, members, program, flags } = options;
  const shared = {
    ...{ kind, folder },
    ...(program === undefined ? {} : { program }),
    ...(flags === undefined ? {} : { flags }),
  };
  if (members > 1) {
    const cluster = await Cluster.start({ ...shared, size: members, isProxied: false });
    return ClusterTarget.of(cluster, options.to);
  }
  const server = await ServerProcess.start(shared);
  return {
    endpoint: server.endpoint,
    usage: () => server.usage(),
    settle: () => Promise.resolve(),
    kill: () => server.kill(),
  };
}

/** Members that reach each other directly, without the proxies of the fault tests. */
class ClusterTarget implements Target {
  readonly #cluster: Cluster;
  readonly #to: "all" | "leader";
  #endpoints: readonly string[] = [];

  private constructor(cluster: Cluster, to: "all" | "leader") {
    this.#cluster = cluster;
    this.#to = to;
  }

  static async of(cluster: Cluster, to: "all" | "leader"): Promise<ClusterTarget> {
    const target = new ClusterTarget(cluster, to);
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
    this.#endpoints = chosen.map(({ endpoint }) => endpoint);
  }

  kill(): Promise<void> {
    return this.#cluster.close();
  }
}

/** The etcd to compare with: the one on the PATH, another program, or none. */
export function findEtcd(against: string): string | undefined {
  if (against === "none") return undefined;
  return against === "etcd" ? findProgram("etcd") : against;
}
