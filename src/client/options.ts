export interface TlsOptions {
  /** PEM of the authorities to trust; the system's when absent. */
  readonly ca?: Buffer;
  /** PEM of the client's certificate and its key, for servers that ask for one. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Accepts any certificate. For tests: it gives away what TLS protects. */
  readonly insecureSkipVerify?: boolean;
}

export interface ConnectOptions {
  /** host:port, several separated by commas, or a list. Default 127.0.0.1:2379. */
  readonly endpoints?: string | readonly string[];
  /** Present: TLS to every endpoint that is not marked http://. */
  readonly tls?: TlsOptions;
  readonly user?: { readonly name: string; readonly password: string };
  /** Longest duration of one call, retries included, in milliseconds. Default 5000. */
  readonly timeoutMs?: number;
  /** How long one endpoint may take to accept a connection before the next is tried. Default 2000. */
  readonly connectTimeoutMs?: number;
  /**
   * How often a call goes around all endpoints before it fails. Only calls that are safe to repeat go around:
   * reads, and writes that were surely not sent. Default: as often as timeoutMs allows.
   */
  readonly retryRoundsMax?: number;
}

/** Options of one call. */
export interface CallOptions {
  /** In place of the client's timeoutMs. */
  readonly timeoutMs?: number;
  /** Aborting it cancels the call; a write that was sent may still be applied. */
  readonly signal?: AbortSignal;
}

export interface ResolvedOptions {
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly retryRoundsMax: number;
  readonly tls: TlsOptions | undefined;
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

export function resolveOptions(options: ConnectOptions): ResolvedOptions {
  return {
    timeoutMs: options.timeoutMs ?? 5_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 2_000,
    retryRoundsMax: options.retryRoundsMax ?? Number.POSITIVE_INFINITY,
    tls: options.tls,
    user: options.user,
  };
}
