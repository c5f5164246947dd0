import type { IncomingHttpHeaders } from "node:http2";

/**
 * Request metadata read in place from the HTTP/2 headers, so that a call that looks at two keys pays for two.
 * Pseudo headers and binary (`-bin`) keys are not part of it.
 */
export class RequestMetadata implements ReadonlyMap<string, string> {
  readonly #headers: IncomingHttpHeaders;

  constructor(headers: IncomingHttpHeaders) {
    this.#headers = headers;
  }

  get(key: string): string | undefined {
    const value = this.#headers[key];
    if (value === undefined || !isTextKey(key)) return undefined;
    return typeof value === "string" ? value : value[0];
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  get size(): number {
    let count = 0;
    for (const _ of this.keys()) count++;
    return count;
  }

  forEach(fn: (value: string, key: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [key, value] of this.entries()) fn(value, key, this);
  }

  *entries(): MapIterator<[string, string]> {
    for (const key in this.#headers) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
    return undefined;
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): MapIterator<string> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries();
  }
}

function isTextKey(key: string): boolean {
  return key.charCodeAt(0) !== 0x3a /* : */ && !key.endsWith("-bin");
}
