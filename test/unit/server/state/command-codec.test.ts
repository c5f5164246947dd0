import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError } from "../../../../src/lib/errors.ts";
import {
  type Command,
  type CommandId,
  decodeCommand,
  encodeCommand,
  sequenceReader,
} from "../../../../src/server/state/index.ts";
import { arbitraryMessage, toWire } from "../../codec/message-model.ts";
import { referenceCodec, type WireObject } from "../../codec/reference.ts";

/** The commands that are an etcd request: their kind, the field of metastorepb.Command, the message. */
const requests = [
  ["put", "put", "etcdserverpb.PutRequest"],
  ["deleteRange", "delete_range", "etcdserverpb.DeleteRangeRequest"],
  ["txn", "txn", "etcdserverpb.TxnRequest"],
  ["compaction", "compaction", "etcdserverpb.CompactionRequest"],
  ["leaseRevoke", "lease_revoke", "etcdserverpb.LeaseRevokeRequest"],
  ["alarm", "alarm", "etcdserverpb.AlarmRequest"],
] as const;

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const milliseconds = fc.maxSafeNat();

/** A command and how proto-loader shows its oneof. */
interface Sample {
  readonly command: Command;
  readonly wire: WireObject;
}

const ownCommands: fc.Arbitrary<Sample>[] = [
  fc.tuple(int64, fc.maxSafeNat(), milliseconds).map(([id, ttl, leaseTimeMs]) => ({
    command: { kind: "leaseGrant", id, ttl, leaseTimeMs },
    wire: { lease_grant: { id: String(id), ttl: String(ttl), lease_time_ms: String(leaseTimeMs) } },
  })),
  fc
    .tuple(
      milliseconds,
      fc.array(fc.record({ id: int64, deadlineMs: milliseconds }, { noNullPrototype: true })),
    )
    .map(([leaseTimeMs, fixed]) => ({
      command: { kind: "leaseTick", leaseTimeMs, fixed },
      wire: {
        lease_tick: {
          lease_time_ms: String(leaseTimeMs),
          fixed: fixed.map((lease) => ({ id: String(lease.id), deadline_ms: String(lease.deadlineMs) })),
        },
      },
    })),
  fc.array(int64).map((ids) => ({
    command: { kind: "leaseFloat", ids },
    wire: { lease_float: { ids: ids.map(String) } },
  })),
  fc
    .tuple(uint64, fc.string({ unit: "binary" }), fc.array(fc.webUrl(), { maxLength: 3 }))
    .map(([memberId, name, clientUrls]) => ({
      command: { kind: "memberAttributes", memberId, name, clientUrls },
      wire: { member_attributes: { member_id: String(memberId), name, client_urls: clientUrls } },
    })),
];

const requestCommands = requests.map(([kind, field, message]) =>
  arbitraryMessage(message).map(
    (request): Sample => ({
      command: { kind, request } as unknown as Command,
      wire: { [field]: toWire(message, request, false) },
    }),
  ),
);

const samples = fc.oneof(...ownCommands, ...requestCommands);
const ids: fc.Arbitrary<CommandId> = fc.record(
  { proposer: uint64, runId: fc.maxSafeNat(), sequence: fc.maxSafeNat() },
  { noNullPrototype: true },
);
const reference = referenceCodec("metastorepb.Command");

describe("command codec", () => {
  it("gives back every command and its id", () => {
    fc.assert(
      fc.property(ids, samples, (id, { command }) => {
        assert.deepEqual(decodeCommand(encodeCommand(id, command)), { id, command });
      }),
      { numRuns: 300 },
    );
  });

  it("writes what proto/metastore.proto says", () => {
    fc.assert(
      fc.property(ids, samples, (id, { command, wire }) => {
        assert.deepEqual(reference.decode(encodeCommand(id, command)), {
          proposer: String(id.proposer),
          run_id: String(id.runId),
          sequence: String(id.sequence),
          ...wire,
        });
      }),
      { numRuns: 300 },
    );
  });

  it("reads what another encoder of proto/metastore.proto writes", () => {
    fc.assert(
      fc.property(ids, samples, (id, { command, wire }) => {
        const bytes = reference.encode({
          proposer: String(id.proposer),
          run_id: String(id.runId),
          sequence: String(id.sequence),
          ...wire,
        });
        assert.deepEqual(decodeCommand(bytes), { id, command });
      }),
      { numRuns: 300 },
    );
  });

  it("reads a list of lease ids that is not packed", () => {
    const { command } = decodeCommand(Buffer.from("5a0408010802", "hex"));
    assert.deepEqual(command, { kind: "leaseFloat", ids: [1n, 2n] });
  });

  it("finds the sequence number of the commands of one run without decoding, and of no other", () => {
    const run = fc.record({ proposer: uint64, runId: fc.nat(0xffff_ffff) }, { noNullPrototype: true });
    const sequences = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    const command: Command = { kind: "leaseRevoke", request: { id: 5n } };
    fc.assert(
      fc.property(run, run, sequences, (ours, theirs, sequence) => {
        const sequenceOf = sequenceReader(ours);
        assert.equal(sequenceOf(encodeCommand({ ...ours, sequence }, command)), sequence);
        if (ours.proposer === theirs.proposer && ours.runId === theirs.runId) return;
        assert.equal(sequenceOf(encodeCommand({ ...theirs, sequence }, command)), 0);
      }),
    );
    const sequenceOf = sequenceReader({ proposer: 1n, runId: 2 });
    const whole = encodeCommand({ proposer: 1n, runId: 2, sequence: 300 }, command);
    for (const length of [0, 1, 5, 6]) assert.equal(sequenceOf(whole.subarray(0, length)), 0);
    assert.equal(sequenceOf(whole.subarray(0, 7)), 300);
  });

  it("refuses a command of no kind", () => {
    assert.throws(() => decodeCommand(Buffer.from("080110021803", "hex")), /no known kind/);
    assert.throws(() => decodeCommand(Buffer.alloc(0)), DecodeError);
  });

  it("refuses fields of a newer version instead of passing over them", () => {
    const put = encodeCommand({ proposer: 1n, runId: 2, sequence: 3 }, { kind: "leaseFloat", ids: [1n] });
    assert.throws(() => decodeCommand(Buffer.concat([put, Buffer.from("7001", "hex")])), /newer version/);
    for (const inner of ["42022001", "52021801", "5a021801", "520412021801", "6a022001"]) {
      assert.throws(() => decodeCommand(Buffer.from(inner, "hex")), /newer version/, inner);
    }
  });

  it("refuses damaged commands with DecodeError alone", () => {
    fc.assert(
      fc.property(ids, samples, fc.nat(), fc.integer({ min: 0, max: 255 }), (id, { command }, at, byte) => {
        const bytes = Buffer.from(encodeCommand(id, command));
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
        for (const damaged of [bytes, bytes.subarray(0, at % (bytes.length + 1))]) {
          try {
            decodeCommand(damaged);
          } catch (error) {
            if (!(error instanceof DecodeError)) throw error;
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
