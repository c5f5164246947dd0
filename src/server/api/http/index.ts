/** HTTP/1.1 of a member, over Express: health, version, metrics, and the plain key API. */
export type { HttpAppOptions, HttpVersions, MetricsPage } from "./app.ts";
export { type HttpAddress, HttpEndpoint, type HttpEndpointOptions } from "./endpoint.ts";
export type { CheckKind, HealthObserver } from "./health.ts";
export { createKeyOperations, type KeyOperations } from "./key-operations.ts";
export type { PlainKeyOptions } from "./keys.ts";
export { type LateListener, lateListener } from "./late-listener.ts";

/** The part of this folder that needs Express, which takes a sixth of a member's start: loaded beside its first work. */
export const loadHttpApp = () => import("./app.ts");
