import { assert } from "../../lib/assert.ts";
import type { Eventual, EventualItems } from "../../lib/eventual.ts";
import type { KeptCursor, RecordCursor, VersionedRecord } from "../storage/index.ts";

export type RecordPage = readonly VersionedRecord[];

const PAGE_RECORDS = 256;
/** To look at one takes a fraction of a microsecond. */
const LOOKED_AT_RECORDS = 1_024;

/** A cursor that may be closed at any time and more than once, also while a page is on its way. */
export class PageReader {
  readonly #cursor: RecordCursor;
  #isPageOnItsWay = false;
  #isClosed = false;

  constructor(cursor: RecordCursor) {
    this.#cursor = cursor;
  }

  /** RecordCursor.next. */
  next(countMax: number): Eventual<RecordPage> {
    assert(!this.#isClosed, "nothing is read after the end");
    const page = this.#cursor.next(countMax);
    if (page instanceof Promise) {
      this.#isPageOnItsWay = true;
      page.then(this.#settle, this.#settle);
    }
    return page;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isPageOnItsWay) this.#cursor.close();
  }

  readonly #settle = (): void => {
    this.#isPageOnItsWay = false;
    if (this.#isClosed) this.#cursor.close();
  };
}

/** The pages up to the end, at once where the records are. `check` may throw before each; closed whatever happens. */
export function pagesOf(reader: PageReader, isAtHand: boolean, check: () => void): EventualItems<RecordPage> {
  return isAtHand ? pagesNow(reader, check) : pagesLater(reader, check);
}

/**
 * The pages of what is kept, with `check` before each. A turn ends where nothing is kept of a page: there may be millions
 * of records in a row that are to go.
 */
export async function* pagesKept(
  cursor: KeptCursor,
  check: () => void,
  yieldTurn: () => Promise<void>,
): AsyncGenerator<RecordPage> {
  for (let isLast = false; !isLast; ) {
    check();
    const page = cursor.next(LOOKED_AT_RECORDS);
    ({ isLast } = page);
    if (page.records.length > 0) yield page.records;
    else if (!isLast) await yieldTurn();
  }
}

function* pagesNow(reader: PageReader, check: () => void): Generator<RecordPage> {
  try {
    for (;;) {
      const page = reader.next(PAGE_RECORDS);
      assert(!(page instanceof Promise), "an engine without a loader has all records at hand");
      check();
      if (page.length === 0) return;
      yield page;
    }
  } finally {
    reader.close();
  }
}

async function* pagesLater(reader: PageReader, check: () => void): AsyncGenerator<RecordPage> {
  try {
    for (;;) {
      const page = await reader.next(PAGE_RECORDS);
      check();
      if (page.length === 0) return;
      yield page;
    }
  } finally {
    reader.close();
  }
}
