import { assert } from "../../lib/assert.ts";
import type { Eventual, EventualItems } from "../../lib/eventual.ts";
import type { RecordCursor, VersionedRecord } from "../storage/index.ts";

export type RecordPage = readonly VersionedRecord[];

const PAGE_RECORDS = 256;

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

/**
 * The pages up to the end, at once where the records are. `check` may throw before each; closed whatever happens.
 * `isKept`, for records at hand only, leaves out those it says no to.
 */
export function pagesOf(
  reader: PageReader,
  isAtHand: boolean,
  check: () => void,
  isKept?: (record: VersionedRecord) => boolean,
): EventualItems<RecordPage> {
  assert(isAtHand || isKept === undefined, "what must be read first is not looked at one by one");
  return isAtHand ? pagesNow(reader, check, isKept) : pagesLater(reader, check);
}

function* pagesNow(
  reader: PageReader,
  check: () => void,
  isKept: ((record: VersionedRecord) => boolean) | undefined,
): Generator<RecordPage> {
  try {
    for (;;) {
      const page = reader.next(PAGE_RECORDS);
      assert(!(page instanceof Promise), "an engine without a loader has all records at hand");
      check();
      if (page.length === 0) return;
      const kept = isKept === undefined ? page : page.filter(isKept);
      if (kept.length > 0) yield kept;
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
