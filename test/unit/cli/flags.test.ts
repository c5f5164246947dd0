import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { formatDuration, parseDuration } from "../../../src/cli/duration.ts";
import { formatErrorReport, toErrorJson, toErrorReport } from "../../../src/cli/error-report.ts";
import { CommandError, exitCode } from "../../../src/cli/exit-codes.ts";
import { defaultFormat, formatOf, toConnectOptions } from "../../../src/cli/flags.ts";
import { parseLeaseId } from "../../../src/cli/lease-id.ts";
import { isReadable } from "../../../src/cli/reader-gone.ts";
import { readAll, readInput } from "../../../src/cli/stdin.ts";
import { suggest } from "../../../src/cli/suggestion.ts";
import { parseWhole, toTarget } from "../../../src/cli/target.ts";
import { between, CompactedError, fromKey, MetaStoreError, prefix } from "../../../src/client/index.ts";
import { AssertionError } from "../../../src/lib/assert.ts";
import { grpcCode, StorageFailure, UsageError } from "../../../src/lib/errors.ts";

const noFlags = { "insecure-skip-tls-verify": false };
const noInput = async (): Promise<Buffer> => Buffer.alloc(0);

describe("flags", () => {
  it("come before METASTORE_ variables, and those before ETCDCTL_ ones", async () => {
    const environment = { METASTORE_ENDPOINTS: "b:1", ETCDCTL_ENDPOINTS: "c:1", ETCDCTL_TIMEOUT: "7s" };
    const options = await toConnectOptions({ ...noFlags, endpoints: "a:1" }, environment, noInput);
    assert.deepEqual([options.endpoints, options.timeoutMs], ["a:1", 7_000]);
    assert.equal((await toConnectOptions(noFlags, environment, noInput)).endpoints, "b:1");
    const etcdctl = { METASTORE_ENDPOINTS: "", ETCDCTL_ENDPOINTS: "c:1" };
    assert.equal((await toConnectOptions(noFlags, etcdctl, noInput)).endpoints, "c:1");
    assert.equal((await toConnectOptions(noFlags, {}, noInput)).endpoints, "127.0.0.1:2379");
  });

  it("take a password from the name, a file or the environment, and never ask for one", async () => {
    const readPassword = async (): Promise<Buffer> => Buffer.from("secret\n");
    const user = async (flags: object, environment: Record<string, string> = {}) =>
      (await toConnectOptions({ ...noFlags, ...flags }, environment, readPassword)).user;
    assert.deepEqual(await user({ user: "a:b:c" }), { name: "a", password: "b:c" });
    assert.deepEqual(await user({ user: "a", "password-file": "-" }), { name: "a", password: "secret" });
    assert.deepEqual(await user({ user: "a" }, { METASTORE_PASSWORD: "x" }), { name: "a", password: "x" });
    await assert.rejects(user({ user: "a" }), UsageError);
    await assert.rejects(toConnectOptions({ ...noFlags, cert: "x" }, {}, noInput), /belong together/);
  });

  it("choose the format: the flag, the environment, then whether stdout is a terminal", () => {
    assert.equal(defaultFormat(undefined, true, {}), "table");
    assert.equal(defaultFormat(undefined, false, {}), "simple");
    assert.equal(defaultFormat(undefined, true, { METASTORE_OUTPUT: "jsonl" }), "jsonl");
    assert.equal(defaultFormat(undefined, true, { METASTORE_CONTENT_TYPE: "json" }), "json");
    assert.equal(defaultFormat("simple", true, { METASTORE_OUTPUT: "json" }), "simple");
    for (const argv of [
      ["-o", "json"],
      ["-ojson"],
      ["-w=json"],
      ["--output=json"],
      ["--write-out", "json"],
    ]) {
      assert.equal(formatOf(["get", ...argv], false, {}), "json", argv.join(" "));
    }
    assert.equal(formatOf(["put", "k", "--", "--json"], false, {}), "simple");
  });

  it("read durations, ids and whole numbers, and refuse what is none", () => {
    assert.deepEqual(
      ["200ms", "5s", "1h30m", "2", "1.5s"].map(parseDuration),
      [200, 5_000, 5_400_000, 2_000, 1_500],
    );
    assert.deepEqual([250, 1_500, 5_000].map(formatDuration), ["250ms", "1.5s", "5s"]);
    for (const text of ["", "5x", "-1s", "s", "1s2"]) assert.throws(() => parseDuration(text), UsageError);
    assert.equal(parseLeaseId("694d5765fc71500b"), 0x694d5765fc71500bn);
    assert.equal(parseLeaseId("0xffffffffffffffff"), -1n);
    for (const text of ["", "xyz", "1".repeat(17)]) assert.throws(() => parseLeaseId(text), UsageError);
    assert.equal(parseWhole("42", "N"), 42);
    for (const text of ["", "-1", "1.5", "9007199254740993"]) {
      assert.throws(() => parseWhole(text, "N"), UsageError);
    }
  });

  it("name one key, or a range once", () => {
    const helpers = { prefix, fromKey, between };
    const none = { prefix: false, "from-key": false };
    assert.equal(toTarget(helpers, "k", undefined, none), "k");
    assert.deepEqual(toTarget(helpers, "a", "c", none), between("a", "c"));
    assert.deepEqual(toTarget(helpers, "", undefined, { ...none, prefix: true }), prefix(""));
    assert.throws(() => toTarget(helpers, "", undefined, none), UsageError);
    assert.throws(() => toTarget(helpers, "a", "c", { ...none, prefix: true }), UsageError);
  });

  it("of a file descriptor tell whether it reads", () => {
    assert.equal(isReadable("pos:\t0\nflags:\t0100000\n"), true);
    assert.equal(isReadable("pos:\t0\nflags:\t0100001\n"), false);
    assert.equal(isReadable("pos:\t0\nflags:\t02\n"), true);
    assert.equal(isReadable(""), false);
  });

  it("suggest the nearest command, if one is near", () => {
    assert.equal(suggest("gett", ["get", "put"]), "get");
    assert.equal(suggest("something", ["get", "put"]), undefined);
  });
});

describe("stdin", () => {
  it("is read to its end as bytes, however late and in however many pieces it comes", async () => {
    const stream = new PassThrough();
    const read = readAll(stream);
    stream.write(Buffer.from([0xff]));
    setTimeout(() => stream.end(Buffer.from([0x00, 0x0a])), 30);
    assert.deepEqual(await read, Buffer.from([0xff, 0x00, 0x0a]));
  });

  it("has files beside it, and a file that cannot be read is the user's to mend", async () => {
    await assert.rejects(readInput("no/such/file"), UsageError);
  });
});

describe("errors", () => {
  const failure = (grpc: number, message: string, outcome: "unknown" | "not-applied" = "not-applied") =>
    new MetaStoreError({ grpc, message, endpoint: "h:1", outcome, retryable: false });

  it("end with the exit code of their kind", () => {
    const cases: [unknown, number][] = [
      [new UsageError("x", "y"), exitCode.usage],
      [new CommandError("NOT_FOUND", exitCode.notFound, "x"), exitCode.notFound],
      [
        failure(grpcCode.unavailable, "No connection established. Last error: ECONNREFUSED"),
        exitCode.unavailable,
      ],
      [failure(grpcCode.deadlineExceeded, "x"), exitCode.unavailable],
      [failure(grpcCode.unavailable, "etcdserver: no leader"), exitCode.unavailable],
      [failure(grpcCode.permissionDenied, "etcdserver: permission denied"), exitCode.forbidden],
      [failure(grpcCode.invalidArgument, "etcdserver: user name is empty"), exitCode.forbidden],
      [failure(grpcCode.resourceExhausted, "etcdserver: mvcc: database space exceeded"), exitCode.noSpace],
      [failure(grpcCode.notFound, "etcdserver: requested lease not found"), exitCode.notFound],
      [new CompactedError(5, "h:1"), exitCode.compacted],
      [failure(grpcCode.invalidArgument, "etcdserver: request is too large"), exitCode.runtime],
      [new AssertionError("x"), exitCode.assertion],
      [new StorageFailure("x", "y"), exitCode.storageFailure],
      [new Error("x"), exitCode.runtime],
      ["x", exitCode.runtime],
    ];
    for (const [error, expected] of cases)
      assert.equal(toErrorReport(error).exitCode, expected, String(error));
  });

  it("say what happened, why, and what to do", () => {
    const report = toErrorReport(failure(grpcCode.unavailable, "No connection established. ECONNREFUSED"));
    assert.equal(
      formatErrorReport(report),
      "Error: cannot reach h:1\nWhy:   connection refused: nothing listens there\n" +
        "Try:   metastore serve starts a server here; --endpoints names another\n",
    );
  });

  it("report an unsure outcome as unsure", () => {
    const report = toErrorReport(failure(grpcCode.unavailable, "etcdserver: request timed out", "unknown"));
    assert.match(formatErrorReport(report), /may have been applied/);
    const { error } = JSON.parse(toErrorJson(report));
    assert.deepEqual([error.outcome, error.etcdCode, error.code], ["unknown", "timeout", "UNAVAILABLE"]);
  });
});
