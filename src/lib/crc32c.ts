import { createCrc } from "./crc.ts";

/** CRC-32C (Castagnoli): what the hashes of etcd's API are made of (Maintenance.HashKV). */
export const crc32c = createCrc(0x82f6_3b78);
