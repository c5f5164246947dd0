import type { Mutant } from "./mutant.ts";

/** Leases: how their time is counted, and by whom. */
export const leaseMutants: readonly Mutant[] = [
  {
    number: 301,
    rule: "a new leader gives a floating lease its time anew, not what it counted when it led before",
    file: "lessor.ts",
    from: "if (lease.deadlineMs === undefined) this.#extend(lease, nowMs);",
    to: "if (lease.deadlineMs === undefined) this.#expiries.set(lease.expiry, Math.max(nowMs, lease.expiry.dueMs));",
  },
  {
    number: 302,
    rule: "a new leader gives a floating lease its whole time",
    file: "lessor.ts",
    from: "if (lease.deadlineMs === undefined) this.#extend(lease, nowMs);",
    to: "if (lease.deadlineMs === undefined) this.#extend(lease, nowMs - lease.ttlSeconds * 500);",
  },
  {
    number: 303,
    rule: "a new leader gives a fixed lease the rest of its time only",
    file: "lessor.ts",
    from: "if (lease.deadlineMs === undefined) this.#extend(lease, nowMs);",
    to: "if (lease.ttlSeconds > 0) this.#extend(lease, nowMs);",
  },
  {
    number: 304,
    rule: "the lease clock does not go back",
    file: "lessor.ts",
    from: "if (leaseTimeMs > this.#leaseTimeMs) this.#leaseTimeMs = leaseTimeMs;",
    to: "this.#leaseTimeMs = leaseTimeMs;",
  },
  {
    number: 305,
    rule: "a fixed lease floats through the log before its renewal counts",
    file: "lessor.ts",
    from: 'if (lease.deadlineMs !== undefined || lease.isFixing) return { kind: "needsFloat" };',
    to: 'if (lease.isFixing) return { kind: "needsFloat" };',
  },
  {
    number: 306,
    rule: "a lease that is being fixed floats through the log before its renewal counts",
    file: "lessor.ts",
    from: 'if (lease.deadlineMs !== undefined || lease.isFixing) return { kind: "needsFloat" };',
    to: 'if (lease.deadlineMs !== undefined) return { kind: "needsFloat" };',
  },
  {
    number: 307,
    rule: "a lease whose time is over is not renewed",
    file: "lessor.ts",
    from: "if (lease.isExpiring || lease.expiry.dueMs <= this.#nowMs)",
    to: "if (lease.isExpiring)",
  },
  {
    number: 308,
    rule: "a lease that is being revoked is not renewed",
    file: "lessor.ts",
    from: "if (lease.isExpiring || lease.expiry.dueMs <= this.#nowMs)",
    to: "if (lease.expiry.dueMs <= 0)",
  },
  {
    number: 309,
    rule: "a granted lease counts from its answer, which is later than its proposal",
    file: "lessor.ts",
    from: "Math.max(this.#nowMs, toMonotonicMs(this.#leader, this.#leaseTimeMs))",
    to: "toMonotonicMs(this.#leader, this.#leaseTimeMs)",
  },
  {
    number: 310,
    rule: "a member that leads no more forgets what was on its way",
    file: "lessor.ts",
    from: "    for (const lease of this.#leases.values()) {\n      lease.isFixing = false;\n      lease.isExpiring = false;\n    }\n",
    to: "",
  },
];
