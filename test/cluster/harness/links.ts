/** What happens to the bytes that travel from one member to another. */
export type LinkFault =
  /** They wait, and arrive once the fault is over: packets lost, TCP trying again. */
  | { readonly kind: "stall" }
  /** They vanish; the connection they were on is reset once the fault is over. */
  | { readonly kind: "drop" }
  /** Connections are reset, new ones too. */
  | { readonly kind: "reset" }
  /** Each piece comes late, in order, and no more than so many bytes a second. */
  | {
      readonly kind: "slow";
      readonly delayMs: number;
      readonly jitterMs: number;
      readonly bytesPerSecond: number;
    };

/**
 * "all": every byte from one member to the other, answers to what the other sent included, as when packets are lost.
 * "messages": only what carries raft messages; acknowledgements on the way back still arrive.
 */
export type LinkScope = "all" | "messages";

interface LinkRule {
  readonly fault: LinkFault;
  readonly scope: LinkScope;
}

/** The state of every directed link between members, by name. Links without a rule are whole. */
export class Links {
  readonly #rules = new Map<string, LinkRule>();
  readonly #listeners = new Set<() => void>();

  /** Calls `listener` after each change; answers the function that ends this. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every link from one of `from` to one of `to`. */
  set(
    from: readonly string[],
    to: readonly string[],
    fault: LinkFault | undefined,
    scope: LinkScope = "all",
  ): void {
    for (const sender of from) {
      for (const receiver of to) {
        if (sender === receiver) continue;
        const link = `${sender}>${receiver}`;
        if (fault === undefined) this.#rules.delete(link);
        else this.#rules.set(link, { fault, scope });
      }
    }
    this.#changed();
  }

  /** Both directions between two groups. */
  split(left: readonly string[], right: readonly string[], fault: LinkFault): void {
    this.set(left, right, fault);
    this.set(right, left, fault);
  }

  heal(): void {
    this.#rules.clear();
    this.#changed();
  }

  get faultCount(): number {
    return this.#rules.size;
  }

  /** What holds for bytes from `sender` to `receiver`; `carriesMessages` false: for answers to messages. */
  faultOf(sender: string, receiver: string, carriesMessages: boolean): LinkFault | undefined {
    const rule = this.#rules.get(`${sender}>${receiver}`);
    if (rule === undefined || (rule.scope === "messages" && !carriesMessages)) return undefined;
    return rule.fault;
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
