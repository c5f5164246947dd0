/**
 * Who holds a directory lock. Node offers no flock, so the lock is a file that names its owner, and a lock whose
 * owner is gone is stale. A pid alone does not name a process (pids are reused, and after a reboot they all are),
 * so the boot and the start time of the process are kept beside it where the system tells them (Linux /proc).
 */
export interface LockOwner {
  readonly pid: number;
  /** /proc/sys/kernel/random/boot_id; "" where there is none. */
  readonly bootId: string;
  /** Clock ticks from boot to the start of the process; 0 where unknown. */
  readonly startTicks: number;
}

/** What is known about a process with the owner's pid now. */
export interface ProcessProbe {
  readonly bootId: string;
  readonly exists: boolean;
  /** Its start and state, where the system tells them. */
  readonly stat: ProcessStat | undefined;
}

export interface ProcessStat {
  /** One letter; Z and X are processes that have ended. */
  readonly state: string;
  readonly startTicks: number;
}

export function encodeLockOwner(owner: LockOwner): string {
  return `${JSON.stringify(owner)}\n`;
}

/** The owner, or undefined when the text is not a whole lock record. */
export function decodeLockOwner(text: string): LockOwner | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { pid, bootId, startTicks } = value as Record<string, unknown>;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (typeof bootId !== "string" || typeof startTicks !== "number") return undefined;
  return { pid, bootId, startTicks };
}

/** Field 3 (state) and field 22 (start time) of /proc/<pid>/stat; the command in brackets may hold anything. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const close = text.lastIndexOf(")");
  if (close < 0) return undefined;
  const fields = text.slice(close + 2).split(" ");
  const state = fields[0];
  const startTicks = Number(fields[19]);
  if (state === undefined || state === "" || !Number.isSafeInteger(startTicks)) return undefined;
  return { state, startTicks };
}

/** Whether the process that wrote the lock still runs. */
export function isOwnerAlive(owner: LockOwner, probe: ProcessProbe): boolean {
  if (owner.bootId !== "" && probe.bootId !== "" && owner.bootId !== probe.bootId) return false;
  if (!probe.exists) return false;
  if (probe.stat === undefined) return true;
  if (probe.stat.state === "Z" || probe.stat.state === "X") return false;
  return owner.startTicks === 0 || owner.startTicks === probe.stat.startTicks;
}
