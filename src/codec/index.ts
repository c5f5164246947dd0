/** The etcd v3 messages: their types, and fast codecs straight between bytes and those types. */
export * from "./messages.ts";
