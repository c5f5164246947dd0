import type { EventualItems } from "../../lib/eventual.ts";

/** The chunks with records in an earlier snapshot, to be used once. */
export class EarlierRecords {
  /** What reading them has ended with, if it failed. */
  failure: unknown;
  readonly #open: () => Promise<{ readonly chunks: AsyncIterable<Uint8Array> }>;
  readonly #headChunks: number;

  /** `headChunks`: how many chunks of the earlier snapshot come before those with records. */
  constructor(open: () => Promise<{ readonly chunks: AsyncIterable<Uint8Array> }>, headChunks: number) {
    this.#open = open;
    this.#headChunks = headChunks;
  }

  /** The chunks of a later snapshot of which these records were left out: they belong behind its first `headChunks`. */
  async *continuedBy(chunks: EventualItems<Uint8Array>, headChunks: number): AsyncGenerator<Uint8Array> {
    let passed = 0;
    for await (const chunk of chunks) {
      if (passed++ === headChunks) yield* this.#read();
      yield chunk;
    }
    if (passed === headChunks) yield* this.#read();
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    let passed = 0;
    try {
      const { chunks } = await this.#open();
      for await (const chunk of chunks) if (passed++ >= this.#headChunks) yield chunk;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}
