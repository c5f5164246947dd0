import { assert } from "./assert.ts";

/** Who waits for a Pending. One of the two is called, once. */
export interface PendingListener<T> {
  answer(value: T): void;
  fail(error: Error): void;
}

/**
 * A value that is not there yet, for one listener: what a request has in place of a promise for each step of its way. Its
 * listener is called within settle(), where a promise's would be in a turn of its own. For all others it is as good as a
 * promise: it can be awaited.
 */
export class Pending<T> implements PromiseLike<T> {
  #listener: PendingListener<T> | undefined = undefined;
  #convert: ((value: never) => T) | undefined = undefined;
  #value: T | undefined = undefined;
  #error: Error | undefined = undefined;
  #isSettled = false;

  /**
   * This, with what `convert` makes of the value. To be called once, before it is listened to; what was `this` before is not
   * to be used any more. What `convert` throws is its error.
   */
  map<U>(convert: (value: T) => U): Pending<U> {
    const mapped = this as unknown as Pending<U>;
    mapped.#convert = convert as (value: never) => U;
    if (this.#isSettled && this.#error === undefined) mapped.#accept(this.#value);
    return mapped;
  }

  /** To be called once; then() does so too. */
  listen(listener: PendingListener<T>): void {
    assert(this.#listener === undefined, "a pending value has one listener");
    this.#listener = listener;
    if (this.#isSettled) this.#tell(listener);
  }

  /** Only the first of settle() and abandon() counts. */
  settle(value: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#accept(value);
    if (this.#listener !== undefined) this.#tell(this.#listener);
  }

  abandon(error: Error): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#error = error;
    if (this.#listener !== undefined) this.#tell(this.#listener);
  }

  promise(): Promise<T> {
    return new Promise((resolve, reject) => this.listen({ answer: resolve, fail: reject }));
  }

  // biome-ignore lint/suspicious/noThenProperty: it is to be awaited like a promise.
  then<R = T, S = never>(
    onValue?: ((value: T) => R | PromiseLike<R>) | null,
    onError?: ((error: unknown) => S | PromiseLike<S>) | null,
  ): Promise<R | S> {
    return this.promise().then(onValue, onError);
  }

  #accept(value: unknown): void {
    try {
      this.#value = this.#convert === undefined ? (value as T) : this.#convert(value as never);
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
    }
  }

  #tell(listener: PendingListener<T>): void {
    if (this.#error === undefined) listener.answer(this.#value as T);
    else listener.fail(this.#error);
  }
}
