import { cpus, totalmem } from "node:os";
import { versionOf } from "../harness/index.ts";

/** What a reader must know to read figures: how, when and on what they were made. */
export function settingLines(method: string, etcdProgram: string | undefined): string[] {
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`;
  const etcd = etcdProgram === undefined ? "" : `, ${versionOf(etcdProgram, "--version")}`;
  return [
    `- command: \`${["npm run bench --", ...process.argv.slice(2)].join(" ")}\``,
    `- date: ${new Date().toISOString().slice(0, 10)}`,
    `- machine: ${machine}`,
    `- versions: Node ${process.version}${etcd}`,
    `- method: ${method}`,
    "",
  ];
}
