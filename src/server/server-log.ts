import pino from "pino";
import type { Clock } from "../lib/clock.ts";
import type { Log, LogFields } from "../lib/log.ts";
import { consoleLine } from "./log-console.ts";
import { loggable } from "./log-fields.ts";
import { LogTime } from "./log-time.ts";

/** Where lines go; pino's own file and standard streams in production, a recorder in tests. */
export interface LogDestination {
  write(line: string): void;
}

export interface ServerLogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "json" | "console";
  /** "stderr", "stdout" or paths of files. */
  readonly outputs: readonly string[];
  readonly clock: Clock;
  /** For tests: used instead of `outputs`. */
  readonly destination?: LogDestination;
}

/**
 * The log of a running member: one line per event with etcd's keys (level, ts, caller, msg; etcd flags.md section
 * 2.2), or tab-separated columns. Written synchronously, so that the last line before an exit is on its way.
 */
export interface ServerLog extends Log {
  /** The same log with `name` as the caller of its lines. */
  forModule(name: string): Log;
  /** Lines that could not be written, a closed pipe for example. */
  readonly linesLost: number;
  close(): void;
}

/** Opens the outputs. Throws Node's error when a file cannot be opened. */
export function createServerLog(options: ServerLogOptions): ServerLog {
  let linesLost = 0;
  const opened =
    options.destination === undefined
      ? options.outputs.map((output) => {
          const stream = pino.destination({ dest: destinationOf(output), sync: true, mkdir: true });
          // There is no other place to tell of it: the number goes to whoever asks.
          stream.on("error", () => {
            linesLost += 1;
          });
          return stream;
        })
      : [];
  const targets: readonly LogDestination[] =
    options.destination === undefined ? opened : [options.destination];
  const write = (line: string): void => {
    const shown = options.format === "console" ? consoleLine(line) : line;
    for (const target of targets) target.write(shown);
  };
  const time = new LogTime(options.clock);
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: "msg",
      timestamp: () => `,"ts":"${time.now()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );

  const bind = (caller: string): Log => {
    const child = logger.child({ caller });
    return {
      isDebugEnabled: child.isLevelEnabled("debug"),
      debug(message, fields) {
        if (child.isLevelEnabled("debug")) child.debug(safe(fields), "%s", message);
      },
      info(message, fields) {
        if (child.isLevelEnabled("info")) child.info(safe(fields), "%s", message);
      },
      warn(message, fields) {
        child.warn(safe(fields), "%s", message);
      },
      error(message, fields) {
        child.error(safe(fields), "%s", message);
      },
    };
  };
  return {
    ...bind("server"),
    forModule: bind,
    get linesLost() {
      return linesLost;
    },
    close() {
      for (const stream of opened) {
        stream.flushSync();
        stream.end();
      }
    },
  };
}

function safe(fields: LogFields | undefined): Record<string, unknown> {
  return fields === undefined ? {} : loggable(fields);
}

function destinationOf(output: string): number | string {
  if (output === "stderr") return 2;
  if (output === "stdout") return 1;
  return output;
}
