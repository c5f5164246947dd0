import { createHash } from "node:crypto";

/** A SHA-256 over a stream of pieces. */
export interface Digest {
  update(bytes: Uint8Array): void;
  /** The 32 bytes; nothing can be added afterwards. */
  finish(): Uint8Array;
}

/** Bytes of a digest. */
export const digestBytes = 32;

export function createDigest(): Digest {
  const hash = createHash("sha256");
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    finish: () => hash.digest(),
  };
}
