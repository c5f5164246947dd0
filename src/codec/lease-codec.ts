import { decoder, encoder } from "./codec.ts";
import {
  readHeaderOnlyResponse,
  readResponseHeader,
  writeHeaderOnlyResponse,
  writeResponseHeader,
} from "./header-codec.ts";
import type {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "./messages.ts";
import type { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

function writeLeaseGrantRequest(writer: Writer, message: LeaseGrantRequest): void {
  writer.bigInt64(0x10, message.id);
  writer.int64(0x08, message.ttl);
}

function readLeaseGrantRequest(reader: Reader): LeaseGrantRequest {
  const message: LeaseGrantRequest = { ttl: 0, id: 0n };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.ttl = reader.clampedInt64();
    else if (tag === 0x10) message.id = reader.bigInt64();
    else reader.skip(tag);
  }
  return message;
}

export const encodeLeaseGrantRequest = encoder(writeLeaseGrantRequest);
export const decodeLeaseGrantRequest = decoder(readLeaseGrantRequest);

function writeLeaseGrantResponse(writer: Writer, message: LeaseGrantResponse): void {
  writer.text(0x22, message.error);
  writer.int64(0x18, message.ttl);
  writer.bigInt64(0x10, message.id);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readLeaseGrantResponse(reader: Reader): LeaseGrantResponse {
  const message: LeaseGrantResponse = { header: undefined, id: 0n, ttl: 0, error: "" };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x10) message.id = reader.bigInt64();
    else if (tag === 0x18) message.ttl = reader.int64();
    else if (tag === 0x22) message.error = reader.text();
    else reader.skip(tag);
  }
  return message;
}

export const encodeLeaseGrantResponse = encoder(writeLeaseGrantResponse);
export const decodeLeaseGrantResponse = decoder(readLeaseGrantResponse);

/** LeaseRevokeRequest, LeaseKeepAliveRequest and LeaseStatus are alike: `ID = 1` and nothing else. */
export function writeLeaseId(writer: Writer, message: { readonly id: bigint }): void {
  writer.bigInt64(0x08, message.id);
}

export function readLeaseId(reader: Reader): { id: bigint } {
  const message = { id: 0n };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.id = reader.bigInt64();
    else reader.skip(tag);
  }
  return message;
}

export const encodeLeaseRevokeRequest: (message: LeaseRevokeRequest) => Buffer = encoder(writeLeaseId);
export const decodeLeaseRevokeRequest: (bytes: Uint8Array) => LeaseRevokeRequest = decoder(readLeaseId);

export const encodeLeaseRevokeResponse = encoder(writeHeaderOnlyResponse);
export const decodeLeaseRevokeResponse = decoder(readHeaderOnlyResponse);

export const encodeLeaseKeepAliveRequest: (message: LeaseKeepAliveRequest) => Buffer = encoder(writeLeaseId);
export const decodeLeaseKeepAliveRequest: (bytes: Uint8Array) => LeaseKeepAliveRequest = decoder(readLeaseId);

function writeLeaseKeepAliveResponse(writer: Writer, message: LeaseKeepAliveResponse): void {
  writer.int64(0x18, message.ttl);
  writer.bigInt64(0x10, message.id);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readLeaseKeepAliveResponse(reader: Reader): LeaseKeepAliveResponse {
  const message: LeaseKeepAliveResponse = { header: undefined, id: 0n, ttl: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x10) message.id = reader.bigInt64();
    else if (tag === 0x18) message.ttl = reader.int64();
    else reader.skip(tag);
  }
  return message;
}

export const encodeLeaseKeepAliveResponse = encoder(writeLeaseKeepAliveResponse);
export const decodeLeaseKeepAliveResponse = decoder(readLeaseKeepAliveResponse);

function writeLeaseTimeToLiveRequest(writer: Writer, message: LeaseTimeToLiveRequest): void {
  writer.bool(0x10, message.keys);
  writer.bigInt64(0x08, message.id);
}

function readLeaseTimeToLiveRequest(reader: Reader): LeaseTimeToLiveRequest {
  const message: LeaseTimeToLiveRequest = { id: 0n, keys: false };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.id = reader.bigInt64();
    else if (tag === 0x10) message.keys = reader.bool();
    else reader.skip(tag);
  }
  return message;
}

export const encodeLeaseTimeToLiveRequest = encoder(writeLeaseTimeToLiveRequest);
export const decodeLeaseTimeToLiveRequest = decoder(readLeaseTimeToLiveRequest);

function writeLeaseTimeToLiveResponse(writer: Writer, message: LeaseTimeToLiveResponse): void {
  writer.bytesList(0x2a, message.keys);
  writer.int64(0x20, message.grantedTtl);
  writer.int64(0x18, message.ttl);
  writer.bigInt64(0x10, message.id);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readLeaseTimeToLiveResponse(reader: Reader): LeaseTimeToLiveResponse {
  const message: LeaseTimeToLiveResponse = { header: undefined, id: 0n, ttl: 0, grantedTtl: 0, keys: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        message.header = reader.message(readResponseHeader);
        break;
      case 0x10:
        message.id = reader.bigInt64();
        break;
      case 0x18:
        message.ttl = reader.int64();
        break;
      case 0x20:
        message.grantedTtl = reader.int64();
        break;
      case 0x2a:
        message.keys.push(reader.bytes());
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

export const encodeLeaseTimeToLiveResponse = encoder(writeLeaseTimeToLiveResponse);
export const decodeLeaseTimeToLiveResponse = decoder(readLeaseTimeToLiveResponse);

function writeLeaseLeasesResponse(writer: Writer, message: LeaseLeasesResponse): void {
  writer.messages(0x12, message.leases, writeLeaseId);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readLeaseLeasesResponse(reader: Reader): LeaseLeasesResponse {
  const message: LeaseLeasesResponse = { header: undefined, leases: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x12) message.leases.push(reader.message(readLeaseId));
    else reader.skip(tag);
  }
  return message;
}

export const encodeLeaseLeasesResponse = encoder(writeLeaseLeasesResponse);
export const decodeLeaseLeasesResponse = decoder(readLeaseLeasesResponse);
