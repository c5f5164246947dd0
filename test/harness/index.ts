/** What conformance, crash and bench share: servers as child processes, a bare client. */
export { freePorts } from "./ports.ts";
export { findProgram, repositoryRoot, versionOf } from "./programs.ts";
export {
  decodeWatchAnswer,
  prefixEnd,
  putMessage,
  type RangeAnswer,
  RawClient,
  type WatchAnswer,
  type WireEvent,
  watchCreate,
} from "./raw-client.ts";
export { type ProcessUsage, type ServerKind, type ServerOptions, ServerProcess } from "./server-process.ts";
export { Message, type WireKeyValue } from "./wire.ts";
