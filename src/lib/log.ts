/** The logger the core sees. The server binds it to pino (server/server-log.ts); tests pass `silentLog` or a recorder. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  /** False: debug lines go nowhere, so that their texts need not be made. Absent: it is not known. */
  readonly isDebugEnabled?: boolean;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export const silentLog: Log = { isDebugEnabled: false, debug() {}, info() {}, warn() {}, error() {} };
