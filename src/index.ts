/** The package's library entry: a client for MetaStore and for every server that speaks the etcd v3 API. */
export * from "./client/index.ts";
