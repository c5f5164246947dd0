/** The only door to the server: its flags, its configuration, how to start it, and its backups. */
export { readBackupFile, saveBackup } from "./backup-file.ts";
export { type BackupReport, inspectBackup } from "./backup-reader.ts";
export { type Config, loadConfig } from "./config.ts";
export { serveFlags } from "./config-flags.ts";
export type { ConfigInput } from "./config-sources.ts";
export type { FlagSpec } from "./flag-spec.ts";
export { type RestoredMember, type RestoreOptions, type RestoreSource, restoreSnapshot } from "./restore.ts";
export { type RunningServer, startServer } from "./server.ts";
