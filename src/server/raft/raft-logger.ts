import type { Log } from "../../lib/log.ts";

/**
 * Where the core's lines go (datadriven-format section 6). Texts are functions: they are made only when somebody
 * wants the line.
 */
export interface RaftLogger {
  debug(text: () => string): void;
  /** Of level INFO in the traces, and so frequent under load that an operator is spared it. */
  detail(text: () => string): void;
  info(text: () => string): void;
  warn(text: () => string): void;
  error(text: () => string): void;
}

/** The lines as lines of the member's log. */
export function createRaftLogger(log: Log): RaftLogger {
  const debug = (text: () => string): void => {
    if (log.isDebugEnabled !== false) log.debug(text());
  };
  return {
    debug,
    detail: debug,
    info(text) {
      log.info(text());
    },
    warn(text) {
      log.warn(text());
    },
    error(text) {
      log.error(text());
    },
  };
}
