/** The only door to the server: its flags, its configuration, and how to start it. */
export { type Config, loadConfig } from "./config.ts";
export { serveFlags } from "./config-flags.ts";
export type { ConfigInput } from "./config-sources.ts";
export type { FlagSpec } from "./flag-spec.ts";
export { type RunningServer, startServer } from "./server.ts";
