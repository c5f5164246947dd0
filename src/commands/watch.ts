import { Args, Flags } from "@oclif/core";
import {
  CommandError,
  type Connected,
  ConnectedCommand,
  exitCode,
  formatDuration,
  keyArg,
  type Output,
  targetFlags,
  toTarget,
  WatchPrinter,
  wholeFlag,
} from "../cli/index.ts";
import type { KeyTarget, Watcher, WatchOptions } from "../client/index.ts";
import { UsageError } from "../lib/errors.ts";

/** How often a watch with --until-rev asks how far it has come. */
const progressIntervalMs = 200;

export default class Watch extends ConnectedCommand {
  static override summary = "Print changes of a key or range as they happen.";
  static override description =
    `Each change is a line TYPE<TAB>KEY<TAB>VALUE, or with -o jsonl (and -o json) a record. A lost connection is restored without missing or repeating a change. When the reader of a pipe goes, the watch ends with exit code 0; when history it needs has been compacted, with 8.

--timeout limits only the time until the server has accepted the watch.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> /config/ --prefix",
    "<%= config.bin %> <%= command.id %> /config/ --prefix --initial -o jsonl | jq .",
    "<%= config.bin %> <%= command.id %> /jobs/next --once --events put",
    "<%= config.bin %> <%= command.id %> /config/ --prefix --rev 1 --until-rev 500",
  ];
  static override args = {
    key: keyArg,
    rangeEnd: Args.string({
      ignoreStdin: true,
      description: "Watch the keys from KEY up to, not including, this one",
    }),
  };
  static override flags = {
    ...targetFlags,
    rev: wholeFlag("Begin with the changes of this revision", "<revision>"),
    prev: Flags.boolean({
      description: "Print the value that each change replaced or deleted",
      aliases: ["prev-kv"],
    }),
    initial: Flags.boolean({
      description: "Print what is there first, then the changes after it",
      exclusive: ["rev"],
    }),
    events: Flags.string({ description: "Only these: put, delete, or put,delete", helpValue: "<kinds>" }),
    once: Flags.boolean({ description: "End after the first change" }),
    "until-rev": wholeFlag("End when every change up to this revision is printed", "<revision>"),
    control: Flags.boolean({
      description: "Also print lines about the watch itself: sync, progress, reconnect",
    }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(Watch);
    const out = this.outputFor(flags);
    const only = flags.events === undefined ? undefined : toOnly(flags.events);
    const connected = await this.connect(flags);
    const target = toTarget(connected.library, args.key, args.rangeEnd, flags);
    const printer = new WatchPrinter(out, flags.control);
    const startRevision = flags.initial ? await printInitial(connected, target, printer, only) : flags.rev;
    const untilRevision = flags["until-rev"];
    if (isBeyond(startRevision, untilRevision)) return;
    const watcher = connected.client.watch(target, {
      previous: flags.prev,
      progressNotify: flags.control,
      ...(startRevision === undefined ? {} : { startRevision }),
      ...(only === undefined ? {} : { only }),
    });
    reportConnection(out, printer, watcher);
    const revision = await accepted(watcher, connected);
    const firstRevision = startRevision ?? revision + 1;
    if (isBeyond(firstRevision, untilRevision)) return;
    out.remark(`watching from revision ${firstRevision} on; Ctrl-C ends it`);
    await (untilRevision === undefined
      ? printEvents(printer, watcher, flags.once)
      : printUntil(printer, watcher, untilRevision, flags.once));
  }
}

/** Whether a watch from `first` on has nothing to print up to `until`. */
function isBeyond(first: number | undefined, until: number | undefined): boolean {
  return first !== undefined && until !== undefined && first > until;
}

function toOnly(text: string): WatchOptions["only"] {
  const kinds = new Set(text.split(",").map((kind) => kind.trim()));
  for (const kind of kinds) {
    if (kind !== "put" && kind !== "delete") {
      throw new UsageError(
        `unknown kind of event ${JSON.stringify(kind)}`,
        "put, delete, or both with a comma",
      );
    }
  }
  if (kinds.size === 2) return undefined;
  return kinds.has("put") ? "put" : "delete";
}

/** Prints the range and answers the revision after it, where the watch takes over. */
async function printInitial(
  { client }: Connected,
  target: KeyTarget,
  printer: WatchPrinter,
  only: WatchOptions["only"],
): Promise<number> {
  const { kvs, header } = await client.kv.range(target, { sort: { by: "mod", order: "ascend" } });
  if (only !== "delete") for (const kv of kvs) await printer.initial(kv);
  await printer.control({ type: "sync", revision: header.revision });
  return header.revision + 1;
}

/** Waits until the server has the watch; a person is told at once when no server answers. */
function accepted(watcher: Watcher, { client, timeoutMs }: Connected): Promise<number> {
  let failures = 0;
  return new Promise((resolve, reject) => {
    const onDisconnected = (error: Error): void => {
      failures += 1;
      if (failures >= client.endpoints.length) reject(error);
    };
    watcher.on("disconnected", onDisconnected);
    const timer = setTimeout(() => {
      const message = `${client.endpoints.join(", ")} did not accept the watch within ${formatDuration(timeoutMs)}`;
      reject(
        new CommandError("UNAVAILABLE", exitCode.unavailable, message, "metastore cluster status --once"),
      );
    }, timeoutMs);
    watcher.created.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      watcher.off("disconnected", onDisconnected);
    });
  });
}

function reportConnection(out: Output, printer: WatchPrinter, watcher: Watcher): void {
  let isCreated = false;
  let isLost = false;
  watcher.on("created", () => {
    if (isLost) out.notice("reconnected");
    isCreated = true;
    isLost = false;
  });
  watcher.on("disconnected", (error) => {
    if (!isCreated) return;
    if (!isLost) out.notice(`lost ${error.endpoint}: ${error.message}; reconnecting`);
    isLost = true;
    void printer.control({ type: "reconnect", endpoint: error.endpoint, reason: error.message });
  });
  watcher.on("progress", (revision) => void printer.control({ type: "progress", revision }));
}

async function printEvents(printer: WatchPrinter, watcher: Watcher, isOnce: boolean): Promise<void> {
  for await (const event of watcher) {
    await printer.event(event);
    if (isOnce) return;
  }
}

/** Ends by the first change beyond `revision`, or by the server saying that it has come so far. */
async function printUntil(
  printer: WatchPrinter,
  watcher: Watcher,
  revision: number,
  isOnce: boolean,
): Promise<void> {
  watcher.on("progress", (reached) => {
    if (reached >= revision) watcher.cancel();
  });
  const timer = setInterval(() => watcher.requestProgress(), progressIntervalMs);
  watcher.requestProgress();
  try {
    for await (const event of watcher) {
      if (event.revision > revision) return;
      await printer.event(event);
      if (isOnce) return;
    }
  } finally {
    clearInterval(timer);
  }
}
