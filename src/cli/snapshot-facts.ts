import type { Member } from "../client/index.ts";
import { alarmType } from "../codec/index.ts";
import { toMemberRecord } from "./members.ts";
import { type JsonRecord, toHexId } from "./record.ts";
import { formatSize } from "./table.ts";

/** What is told of a backup; the server's door gives it. */
export interface SnapshotFacts {
  readonly hash: number;
  readonly revision: number;
  readonly compactRevision: number;
  readonly keys: number;
  readonly records: number;
  readonly leases: number;
  readonly sizeBytes: number;
  readonly sha256: Buffer;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly index: number;
  readonly term: number;
  readonly members: readonly Member[];
  readonly alarms: readonly AlarmFacts[];
  readonly note:
    | { readonly storageVersion: string; readonly productVersion: string; readonly takenAtMs: number }
    | undefined;
}

export interface AlarmFacts {
  readonly memberId: bigint;
  readonly alarm: number;
}

/** In one line, the five columns of etcdutl first: hash, revision, keys, size, version. */
export function snapshotLine(facts: SnapshotFacts): string {
  return [
    toHash(facts),
    facts.revision,
    facts.keys,
    formatSize(facts.sizeBytes),
    facts.note?.storageVersion ?? "",
    toHexId(facts.clusterId),
    toHexId(facts.memberId),
    facts.index,
    facts.term,
  ].join(", ");
}

/** For people: name and value of each fact. */
export function snapshotRows(facts: SnapshotFacts): string[][] {
  const { note, alarms, members } = facts;
  const rows = [
    ["hash", toHash(facts)],
    ["revision", String(facts.revision)],
    ["compacted at", facts.compactRevision < 0 ? "-" : String(facts.compactRevision)],
    ["keys", String(facts.keys)],
    ["versions of keys", String(facts.records)],
    ["leases", String(facts.leases)],
    ["size", formatSize(facts.sizeBytes)],
    ["version", note?.storageVersion || "-"],
    ["taken", note === undefined ? "-" : toTime(note.takenAtMs)],
    ["cluster", toHexId(facts.clusterId)],
    ["member", toHexId(facts.memberId)],
    ["log index, term", `${facts.index}, ${facts.term}`],
    ["members", members.map(({ id, name }) => name || toHexId(id)).join(", ")],
    ["sha256", facts.sha256.toString("hex")],
  ];
  return alarms.length === 0 ? rows : [...rows, ["alarms", alarms.map(alarmText).join(", ")]];
}

/** etcdutl's fields under their names, then ours. */
export function snapshotRecord(facts: SnapshotFacts): JsonRecord {
  const { note } = facts;
  return {
    hash: facts.hash,
    revision: facts.revision,
    totalKey: facts.keys,
    totalSize: facts.sizeBytes,
    version: note?.storageVersion ?? "",
    compactRevision: facts.compactRevision,
    records: facts.records,
    leases: facts.leases,
    sha256: facts.sha256.toString("hex"),
    clusterId: toHexId(facts.clusterId),
    memberId: toHexId(facts.memberId),
    index: facts.index,
    term: facts.term,
    takenAt: note === undefined ? null : toTime(note.takenAtMs),
    productVersion: note?.productVersion ?? null,
    members: facts.members.map(toMemberRecord),
    alarms: facts.alarms.map(alarmRecord),
  };
}

export function alarmRecord({ memberId, alarm }: AlarmFacts): JsonRecord {
  return { memberId: toHexId(memberId), type: alarmName(alarm) };
}

/** "NOSPACE of member 8e9e05c52164694d" */
export function alarmText({ memberId, alarm }: AlarmFacts): string {
  return `${alarmName(alarm)} of member ${toHexId(memberId)}`;
}

function alarmName(alarm: number): string {
  if (alarm === alarmType.noSpace) return "NOSPACE";
  return alarm === alarmType.corrupt ? "CORRUPT" : String(alarm);
}

function toHash({ hash }: SnapshotFacts): string {
  return hash.toString(16).padStart(8, "0");
}

function toTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
