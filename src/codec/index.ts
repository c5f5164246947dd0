/** The etcd v3 messages: their types, and fast codecs straight between bytes and those types. */
export * from "./cluster-codec.ts";
export { decoder, encoder } from "./codec.ts";
export * from "./header-codec.ts";
export * from "./health-codec.ts";
export * from "./key-value-codec.ts";
export * from "./kv-codec.ts";
export * from "./lease-codec.ts";
export * from "./maintenance-codec.ts";
export * from "./messages.ts";
export * from "./txn-codec.ts";
export * from "./watch-codec.ts";
export { Reader } from "./wire-reader.ts";
export { Writer } from "./wire-writer.ts";
