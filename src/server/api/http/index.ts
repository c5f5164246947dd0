/** HTTP/1.1 of a member, over Express: health, version, metrics, and the plain key API. */
export {
  createHttpApp,
  type HttpAppOptions,
  type HttpVersions,
  type MetricsPage,
  reservedPaths,
} from "./app.ts";
export { type HttpAddress, HttpEndpoint, type HttpEndpointOptions } from "./endpoint.ts";
export type { CheckKind, HealthObserver } from "./health.ts";
export { createKeyOperations, type KeyOperations } from "./key-operations.ts";
export { createPlainKeyRouter, type PlainKeyOptions } from "./keys.ts";
