import type { MetaStoreError } from "../client/index.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { memberErrorTexts } from "./member-errors.ts";

/** An error as the person or program that ran the command sees it. */
export interface ErrorReport {
  readonly exitCode: ExitCode;
  /** The gRPC status name, or a name of our own: USAGE, NOT_FOUND, CONDITION_FAILED. */
  readonly code: string;
  readonly message: string;
  /** What lies behind it; undefined when the message says it all. */
  readonly why: string | undefined;
  /** What to do next. */
  readonly hint: string | undefined;
  readonly etcdCode?: string;
  readonly endpoint?: string;
  readonly retryable?: boolean;
  readonly outcome?: string;
}

/**
 * Turns any error of a command into a report. Errors are told apart by name: their classes may not be loaded, and
 * loading them would cost every command its start-up time.
 */
export function toErrorReport(error: unknown): ErrorReport {
  if (!(error instanceof Error)) return plainReport(exitCode.runtime, "ERROR", String(error));
  if (error instanceof CommandError) {
    return { ...plainReport(error.exitCode, error.code, error.message), hint: error.hint };
  }
  switch (error.name) {
    case "MetaStoreError":
    case "CompactedError":
      return callReport(error as MetaStoreError);
    case "UsageError":
      return { ...plainReport(exitCode.usage, "USAGE", error.message), hint: hintOf(error) };
    case "StorageFailure":
      return { ...plainReport(exitCode.storageFailure, "STORAGE", error.message), hint: hintOf(error) };
    case "AssertionError":
      return {
        ...plainReport(exitCode.assertion, "INTERNAL", error.message),
        why: "this is a defect in MetaStore itself",
        hint: `report it with this trace\n${error.stack ?? ""}`,
      };
    default:
      return isOclifError(error)
        ? parseReport(error)
        : { ...plainReport(exitCode.runtime, "ERROR", error.message), why: causeOf(error) };
  }
}

/** In one line what lies behind the failure of a call whose endpoint is known already. */
export function causeText(error: MetaStoreError): string {
  const { why, message } = callReport(error);
  return why ?? message;
}

/** "Error: ... / Why: ... / Try: ..." */
export function formatErrorReport(report: ErrorReport): string {
  const why = report.why === undefined ? "" : `Why:   ${report.why}\n`;
  const hint = report.hint === undefined ? "" : `Try:   ${report.hint}\n`;
  return `Error: ${report.message}\n${why}${hint}`;
}

export function toErrorJson(report: ErrorReport): string {
  const { exitCode: exit, why, ...rest } = report;
  return JSON.stringify({ error: { ...rest, ...(why === undefined ? {} : { why }), exitCode: exit } });
}

function plainReport(exit: ExitCode, code: string, message: string): ErrorReport {
  return { exitCode: exit, code, message, why: undefined, hint: undefined };
}

function hintOf(error: Error): string | undefined {
  const hint = (error as Error & { hint?: unknown }).hint;
  return typeof hint === "string" && hint !== "" ? hint : undefined;
}

function causeOf(error: Error): string | undefined {
  return error.cause instanceof Error ? error.cause.message : undefined;
}

function isOclifError(error: Error): boolean {
  return "oclif" in error;
}

/** oclif writes the remark about --help and the list of missing arguments into the message itself. */
function parseReport(error: Error): ErrorReport {
  const message = error.message
    .replace(/\nSee more help with --help$/, "")
    .replace(/\n+/g, " ")
    .trim();
  return {
    ...plainReport(exitCode.usage, "USAGE", message),
    hint: "add --help to the command to see its arguments and flags",
  };
}

const unsureText = "the request was sent and may have been applied: read before you write again";

function callReport(error: MetaStoreError): ErrorReport {
  const isUnsure = error.outcome === "unknown";
  const base = {
    code: error.code,
    endpoint: error.endpoint,
    retryable: error.retryable,
    outcome: error.outcome,
    ...(error.etcdCode === undefined ? {} : { etcdCode: error.etcdCode }),
  };
  const known = knownCallReport(error);
  return { ...base, ...known, why: isUnsure ? unsureText : known.why };
}

type CallText = Pick<ErrorReport, "exitCode" | "message" | "why" | "hint">;

function knownCallReport(error: MetaStoreError): CallText {
  const at = `${error.endpoint}`;
  switch (error.etcdCode) {
    case "compacted":
      return {
        exitCode: exitCode.compacted,
        message: "that revision has been compacted",
        why: error.message,
        hint: "leave out --rev to read what is there now, or name a later revision",
      };
    case "noSpace":
      return {
        exitCode: exitCode.noSpace,
        message: "the storage quota is reached: the cluster takes no more writes",
        why: error.message,
        hint: "metastore compact <revision> and delete what is not needed, then disarm the alarm",
      };
    case "corrupt":
      return {
        exitCode: exitCode.noSpace,
        message: "the cluster has raised a CORRUPT alarm",
        why: error.message,
        hint: "metastore cluster status --once shows the member",
      };
    case "leaseNotFound":
      return {
        exitCode: exitCode.notFound,
        message: "no such lease",
        why: error.message,
        hint: "metastore lease list",
      };
    case "keyNotFound":
      return {
        exitCode: exitCode.notFound,
        message: "no such key",
        why: error.message,
        hint: undefined,
      };
    case "tooManyRequests":
      return {
        exitCode: exitCode.unavailable,
        message: `${at} is overloaded`,
        why: error.message,
        hint: "wait a moment",
      };
    default:
      return memberReport(error) ?? codeReport(error, at);
  }
}

function memberReport(error: MetaStoreError): CallText | undefined {
  const text = error.etcdCode === undefined ? undefined : memberErrorTexts[error.etcdCode];
  if (text === undefined) return undefined;
  const exit = error.etcdCode === "memberNotFound" ? exitCode.notFound : codeReport(error, "").exitCode;
  return { exitCode: exit, ...text, why: error.message };
}

const loginTexts = new Set([
  "etcdserver: user name is empty",
  "etcdserver: authentication failed, invalid user ID or password",
]);

function codeReport(error: MetaStoreError, at: string): CallText {
  if (
    error.code === "UNAUTHENTICATED" ||
    error.code === "PERMISSION_DENIED" ||
    loginTexts.has(error.message)
  ) {
    return {
      exitCode: exitCode.forbidden,
      message: error.message,
      why: undefined,
      hint: "name a user that may do this with --user and --password-file",
    };
  }
  if (error.code === "UNAVAILABLE" && !error.message.startsWith("etcdserver:")) {
    return {
      exitCode: exitCode.unavailable,
      message: error.outcome === "unknown" ? `lost the connection to ${at}` : `cannot reach ${at}`,
      why: connectionCause(error.message),
      hint: "metastore serve starts a server here; --endpoints names another",
    };
  }
  if (error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED") {
    return {
      exitCode: exitCode.unavailable,
      message: error.code === "UNAVAILABLE" ? error.message : `${at} did not answer in time`,
      why: undefined,
      hint: "wait longer with --timeout, or look at metastore cluster status --once",
    };
  }
  return { exitCode: exitCode.runtime, message: error.message, why: undefined, hint: undefined };
}

const socketCauses = new Map([
  ["ECONNREFUSED", "connection refused: nothing listens there"],
  ["ENOTFOUND", "the host name does not resolve"],
  ["EAI_AGAIN", "the host name could not be resolved just now"],
  ["ECONNRESET", "the server closed the connection"],
  ["ETIMEDOUT", "the connection timed out"],
  ["EHOSTUNREACH", "no route to the host"],
]);

function connectionCause(message: string): string {
  for (const [code, cause] of socketCauses) if (message.includes(code)) return cause;
  if (/certificate|self-signed|TLS|SSL/i.test(message)) return message;
  if (message.startsWith("Name resolution failed")) return "the host name does not resolve";
  return message;
}
