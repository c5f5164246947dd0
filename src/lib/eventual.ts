/** A value that is there, or will be. What is there is handed on at once: no turn passes. */
export type Eventual<T> = T | Promise<T>;

/** Items that are there, or will be. */
export type EventualItems<T> = Iterable<T> | AsyncIterable<T>;

/** What `next` makes of the value: at once when that is there. */
export function andThen<T, U>(value: Eventual<T>, next: (value: T) => Eventual<U>): Eventual<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/**
 * What `each` makes of the items, one after the other, and `rest` at their end. Iterable at once when the items are.
 * Ended early, it ends the items too.
 */
export function flatMap<T, U>(
  items: EventualItems<T>,
  each: (item: T) => Iterable<U>,
  rest: () => Iterable<U>,
): EventualItems<U> {
  return Symbol.iterator in items ? mapNow(items, each, rest) : mapLater(items, each, rest);
}

function* mapNow<T, U>(
  items: Iterable<T>,
  each: (item: T) => Iterable<U>,
  rest: () => Iterable<U>,
): Generator<U> {
  for (const item of items) yield* each(item);
  yield* rest();
}

async function* mapLater<T, U>(
  items: AsyncIterable<T>,
  each: (item: T) => Iterable<U>,
  rest: () => Iterable<U>,
): AsyncGenerator<U> {
  for await (const item of items) yield* each(item);
  yield* rest();
}
