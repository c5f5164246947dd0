import type { Measurement } from "./generator.ts";
import { type Point, workloadTitles } from "./plan.ts";

export interface Row {
  readonly point: Point;
  readonly metastore: Measurement;
  readonly etcd: Measurement | undefined;
}

/** Put throughput beside that of the transport alone, and the group commit of the same runs. */
export interface Yardstick {
  readonly clients: number;
  readonly metastore: Measurement;
  readonly bare: Measurement;
  readonly entriesPerSync: number | undefined;
}

const figure = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(2);
const milliseconds = (us: number): string => (us / 1_000).toFixed(us < 10_000 ? 2 : 0);

const columns = [
  "workload",
  "clients",
  "MetaStore /s",
  "p50 ms",
  "p99 ms",
  "CPU µs",
  "etcd /s",
  "p50 ms",
  "p99 ms",
  "CPU µs",
  "× etcd /s",
  "× etcd CPU",
];

export function table(rows: readonly Row[]): string[] {
  const of = (run: Measurement | undefined): string[] =>
    run === undefined
      ? ["-", "-", "-", "-"]
      : [figure(run.perSecond), milliseconds(run.p50Us), milliseconds(run.p99Us), figure(run.cpuUs)];
  const lines = rows.map(({ point, metastore, etcd }) => [
    workloadTitles[point.workload],
    String(point.clients),
    ...of(metastore),
    ...of(etcd),
    etcd === undefined ? "-" : (metastore.perSecond / etcd.perSecond).toFixed(2),
    etcd === undefined ? "-" : (metastore.cpuUs / etcd.cpuUs).toFixed(2),
  ]);
  const all = [columns, ...lines];
  const widths = columns.map((_, index) => Math.max(...all.map((line) => line[index]?.length ?? 0)));
  const draw = (line: readonly string[]): string =>
    `| ${line.map((cell, index) => (index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((width, index) => (index === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [draw(columns), rule, ...lines.map(draw)];
}

export function yardstickLines({ clients, metastore, bare, entriesPerSync }: Yardstick): string[] {
  const ratio = (100 * metastore.perSecond) / bare.perSecond;
  return [
    `put, ${clients} clients: MetaStore ${figure(metastore.perSecond)}/s and ${figure(metastore.cpuUs)} µs, ` +
      `its gRPC transport with a canned answer ${figure(bare.perSecond)}/s and ${figure(bare.cpuUs)} µs: ` +
      `${ratio.toFixed(0)} % of the transport's throughput (the issue asks for 70 %)`,
    entriesPerSync === undefined
      ? "entries per sync: no metric"
      : `entries per sync of the log in these runs: ${entriesPerSync.toFixed(1)}`,
  ];
}

export interface Setting {
  readonly command: string;
  readonly machine: string;
  readonly versions: string;
  readonly date: string;
  readonly method: string;
  readonly members: number;
  /** Of several members, the ones that clients talk to. */
  readonly to: "all" | "leader";
}

/** The text of docs/BENCHMARKS.md, or of docs/BENCHMARKS-CLUSTER.md. */
export function document(rows: readonly Row[], yardstick: Yardstick | undefined, setting: Setting): string {
  const { members, to } = setting;
  return [
    members === 1 ? "# Benchmarks" : `# Benchmarks of ${members} members`,
    "",
    "Written by `npm run bench -- --write`; do not edit. Compare the columns of one run with each other: absolute",
    "figures belong to the machine, which also runs the load generator.",
    "",
    `- command: \`${setting.command}\``,
    `- date: ${setting.date}`,
    `- machine: ${setting.machine}`,
    `- versions: ${setting.versions}`,
    `- method: ${setting.method}`,
    ...(members === 1 ? [] : [membersLine(members, to)]),
    `- CPU is user and system time of the server ${members === 1 ? "process" : "processes together"} per call (per event, for watch).`,
    "",
    ...table(rows),
    "",
    ...(yardstick === undefined
      ? []
      : ["## Against the bare transport", "", ...yardstickLines(yardstick), ""]),
  ].join("\n");
}

function membersLine(members: number, to: "all" | "leader"): string {
  const whom =
    to === "leader"
      ? "all connections go to the leader"
      : "connections (one for up to 20 clients, but one for each member) go to the leader and the others in turn, so one client talks to the leader";
  return `- ${members} members on this machine, which reach each other directly; ${whom}`;
}
