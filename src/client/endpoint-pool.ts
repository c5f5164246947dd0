import { Connection } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";
import type { TlsOptions } from "./options.ts";

/**
 * The connections of a client. Calls and streams stay with one server while it answers and move to the next, in
 * the order given, when it does not.
 */
export class EndpointPool {
  readonly #endpoints: readonly Endpoint[];
  readonly #tls: TlsOptions | undefined;
  readonly #connections: (Connection | undefined)[];
  #current = 0;

  constructor(endpoints: readonly Endpoint[], tls: TlsOptions | undefined) {
    this.#endpoints = endpoints;
    this.#tls = tls;
    this.#connections = endpoints.map(() => undefined);
  }

  get size(): number {
    return this.#endpoints.length;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** The connection that calls should use now. */
  current(): Connection {
    return this.at(this.#current);
  }

  at(index: number): Connection {
    this.#connections[index] ??= new Connection(this.#endpoints[index]!, this.#tls);
    return this.#connections[index];
  }

  /** Moves on from `connection`; a second failure of a server already left changes nothing. */
  leave(connection: Connection): void {
    if (this.#connections[this.#current] === connection) this.#current = (this.#current + 1) % this.size;
  }

  close(): void {
    for (const connection of this.#connections) connection?.close();
  }
}
