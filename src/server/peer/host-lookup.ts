import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";

type LookupDone = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;
export type LookupAll = (hostname: string, options: LookupOptions & { all: true }, done: LookupDone) => void;

/**
 * The system looks names up on the threads that also write the log, four in all, and a name server that is away
 * holds each for many seconds. So few lookups run at a time, and one serves all who ask for the same name.
 */
const LOOKUPS_AT_A_TIME = 2;

interface Waiting {
  readonly hostname: string;
  readonly askers: LookupDone[];
}

/** Looks host names up for connections: net.connect's `lookup` is `lookup` of this. */
export class HostLookup {
  readonly #lookupAll: LookupAll;
  readonly #running = new Map<string, Waiting>();
  readonly #queue = new Map<string, Waiting>();

  /** `lookupAll` is for tests; the system's otherwise. */
  constructor(lookupAll: LookupAll = lookup) {
    this.#lookupAll = lookupAll;
  }

  readonly lookup: LookupFunction = (hostname, options, done) => {
    this.#ask(hostname, (error, addresses) => {
      const family = options.family === 4 || options.family === "IPv4" ? 4 : options.family === 6 ? 6 : 0;
      const fitting = addresses.filter((each) => family === 0 || each.family === family);
      const [first] = fitting;
      if (error !== null || first === undefined) {
        const none: NodeJS.ErrnoException = new Error(`no address of ${hostname}`);
        none.code = "ENOTFOUND";
        done(error ?? none, "", 0);
      } else if (options.all === true) done(null, fitting);
      else done(null, first.address, first.family);
    });
  };

  /** The address to listen on: of a name with several, an IPv4 one, as Go's listeners choose. */
  bindAddress(host: string): Promise<string> {
    if (isIP(host) !== 0) return Promise.resolve(host);
    return new Promise((resolve, reject) => {
      this.#ask(host, (error, addresses) => {
        const chosen = addresses.find(({ family }) => family === 4) ?? addresses[0];
        if (error !== null || chosen === undefined) reject(error ?? new Error(`no address of ${host}`));
        else resolve(chosen.address);
      });
    });
  }

  #ask(hostname: string, done: LookupDone): void {
    const waiting = this.#running.get(hostname) ?? this.#queue.get(hostname);
    if (waiting !== undefined) {
      waiting.askers.push(done);
      return;
    }
    this.#queue.set(hostname, { hostname, askers: [done] });
    this.#next();
  }

  #next(): void {
    if (this.#running.size >= LOOKUPS_AT_A_TIME) return;
    const [next] = this.#queue.values();
    if (next === undefined) return;
    this.#queue.delete(next.hostname);
    this.#running.set(next.hostname, next);
    this.#lookupAll(next.hostname, { all: true }, (error, addresses) => {
      this.#running.delete(next.hostname);
      for (const asker of next.askers) asker(error, error === null ? addresses : []);
      this.#next();
    });
  }
}
