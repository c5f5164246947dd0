import type { ModelRequest, Operation } from "./history.ts";
import { describe } from "./revision-order.ts";
import { refusal } from "./store-state.ts";
import type { Violation } from "./violation.ts";

interface Interval {
  readonly callMs: number;
  readonly returnMs: number;
}

interface LeaseLife {
  readonly grants: (Interval & { readonly ttlSeconds: number; readonly isKnown: boolean })[];
  readonly revokes: (Interval & { readonly isKnown: boolean })[];
}

/**
 * What revisions do not order: whether leases existed when they were said to, and whether what was refused as
 * compacted, or as in the future, could be. `rateMax`: how much faster than the clients' a member's clock may run.
 */
export function checkRefusals(operations: readonly Operation[], rateMax = 1): Violation[] {
  return [...checkLeases(operations, rateMax), ...checkRevisions(operations)];
}

function checkLeases(operations: readonly Operation[], rateMax: number): Violation[] {
  const violations: Violation[] = [];
  const lives = leaseLives(operations);
  const violate = (operation: Operation, why: string): void => {
    violations.push({ promise: "leases that exist", detail: `${describe(operation)}, but ${why}` });
  };
  for (const operation of operations) {
    const { request, response, callMs, returnMs } = operation;
    if (response === undefined) continue;
    const refused = response.kind === "refused" ? response.error : undefined;
    const leases = leasesNamed(request, response.kind === "txn" ? response.succeeded : undefined);
    if (refused === refusal.leaseNotFound) {
      const explained = leases.some((lease) => {
        const life = lives.get(lease);
        if (life === undefined || life.grants.every((grant) => grant.returnMs >= callMs)) return true;
        if (life.revokes.some((revoke) => revoke.callMs <= returnMs && !isSelf(revoke, operation)))
          return true;
        return life.grants.some((grant) => grant.callMs + (grant.ttlSeconds * 1000) / rateMax <= returnMs);
      });
      if (!explained) violate(operation, "the lease was granted and had no end yet");
    } else if (refused === refusal.leaseExists) {
      const others = lives.get(leases[0]!)?.grants ?? [];
      if (!others.some((grant) => grant.callMs <= returnMs && !isSelf(grant, operation))) {
        violate(operation, "nobody else asked for it");
      }
    } else if (refused === undefined && request.kind !== "leaseGrant") {
      for (const lease of leases) {
        const life = lives.get(lease);
        if (life === undefined || life.grants.every((grant) => grant.callMs > returnMs)) {
          violate(operation, `lease ${lease} was not granted yet`);
        }
        const isRevoked = life?.revokes.some(
          (revoke) =>
            revoke.isKnown &&
            revoke.returnMs < callMs &&
            life.grants.every((grant) => grant.returnMs < revoke.callMs || grant.callMs > returnMs),
        );
        if (isRevoked) violate(operation, `lease ${lease} had been revoked`);
      }
    }
  }
  return violations;
}

function checkRevisions(operations: readonly Operation[]): Violation[] {
  const violations: Violation[] = [];
  const compactions = operations.flatMap((operation) => {
    const { request, response } = operation;
    if (request.kind !== "compaction" || response?.kind === "refused") return [];
    return [{ operation, revision: request.revision, isKnown: response !== undefined }];
  });
  const violate = (operation: Operation, why: string): void => {
    violations.push({
      promise: "compacted and future revisions",
      detail: `${describe(operation)}, but ${why}`,
    });
  };
  for (const operation of operations) {
    const { request, response, callMs, returnMs } = operation;
    if (response === undefined || (request.kind !== "range" && request.kind !== "compaction")) continue;
    const asked = request.revision;
    if (request.kind === "range" && asked === 0) continue;
    const isBeyond = (revision: number): boolean =>
      request.kind === "range" ? revision > asked : revision >= asked;
    const others = compactions.filter((compaction) => compaction.operation !== operation);
    if (response.kind !== "refused") {
      const before = others.find(
        (other) => other.isKnown && other.operation.returnMs < callMs && isBeyond(other.revision),
      );
      if (before !== undefined) violate(operation, `${before.revision} was compacted by then`);
    } else if (response.error === refusal.compacted) {
      const cause = others.some((other) => other.operation.callMs <= returnMs && isBeyond(other.revision));
      if (!cause) violate(operation, "nobody compacted that");
    } else if (response.error === refusal.futureRevision) {
      const seen = operations.find(
        (other) => other.returnMs < callMs && other.response !== undefined && revisionOf(other) >= asked,
      );
      if (seen !== undefined) violate(operation, `${describe(seen)} had seen it`);
    }
  }
  return violations;
}

function revisionOf({ response }: Operation): number {
  return response === undefined || response.kind === "refused" ? 0 : response.revision;
}

function leaseLives(operations: readonly Operation[]): Map<string, LeaseLife> {
  const lives = new Map<string, LeaseLife>();
  for (const { request, response, callMs, returnMs } of operations) {
    if (request.kind !== "leaseGrant" && request.kind !== "leaseRevoke") continue;
    if (response?.kind === "refused") continue;
    const life = lives.get(request.lease) ?? { grants: [], revokes: [] };
    lives.set(request.lease, life);
    const isKnown = response !== undefined;
    if (request.kind === "leaseGrant")
      life.grants.push({ callMs, returnMs, isKnown, ttlSeconds: request.ttlSeconds });
    else life.revokes.push({ callMs, returnMs, isKnown });
  }
  return lives;
}

function leasesNamed(request: ModelRequest, succeeded: boolean | undefined): string[] {
  if (request.kind === "leaseGrant" || request.kind === "leaseRevoke") return [request.lease];
  if (request.kind !== "txn") return [];
  const ran =
    succeeded === undefined
      ? [...request.success, ...request.failure]
      : succeeded
        ? request.success
        : request.failure;
  return ran.flatMap((operation) =>
    operation.kind === "put" && operation.lease !== "" ? [operation.lease] : [],
  );
}

function isSelf(interval: Interval, operation: Operation): boolean {
  return interval.callMs === operation.callMs && interval.returnMs === operation.returnMs;
}
