/**
 * A header block that cannot be decoded. Both sides' tables are out of step from here on, so that it ends the whole
 * connection, with COMPRESSION_ERROR (RFC 9113 section 4.3).
 */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
