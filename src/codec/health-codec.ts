import { decoder, encoder } from "./codec.ts";
import type { HealthCheckRequest, HealthCheckResponse, HealthListResponse } from "./messages.ts";
import type { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

function writeHealthCheckRequest(writer: Writer, message: HealthCheckRequest): void {
  writer.text(0x0a, message.service);
}

function readHealthCheckRequest(reader: Reader): HealthCheckRequest {
  const message: HealthCheckRequest = { service: "" };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.service = reader.text();
    else reader.skip(tag);
  }
  return message;
}

export const encodeHealthCheckRequest = encoder(writeHealthCheckRequest);
export const decodeHealthCheckRequest = decoder(readHealthCheckRequest);

function writeHealthCheckResponse(writer: Writer, message: HealthCheckResponse): void {
  writer.int64(0x08, message.status);
}

function readHealthCheckResponse(reader: Reader): HealthCheckResponse {
  const message: HealthCheckResponse = { status: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.status = reader.int32();
    else reader.skip(tag);
  }
  return message;
}

export const encodeHealthCheckResponse = encoder(writeHealthCheckResponse);
export const decodeHealthCheckResponse = decoder(readHealthCheckResponse);

type HealthEntry = readonly [service: string, response: HealthCheckResponse];

/** A protobuf map is a list of messages with `key = 1` and `value = 2`. */
function writeHealthEntry(writer: Writer, [service, response]: HealthEntry): void {
  writer.message(0x12, response, writeHealthCheckResponse);
  writer.presentText(0x0a, service);
}

function readHealthEntry(reader: Reader): HealthEntry {
  let service = "";
  let response: HealthCheckResponse = { status: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) service = reader.text();
    else if (tag === 0x12) response = reader.message(readHealthCheckResponse);
    else reader.skip(tag);
  }
  return [service, response];
}

function writeHealthListResponse(writer: Writer, message: HealthListResponse): void {
  writer.messages(0x0a, [...message.statuses], writeHealthEntry);
}

function readHealthListResponse(reader: Reader): HealthListResponse {
  const statuses = new Map<string, HealthCheckResponse>();
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) statuses.set(...reader.message(readHealthEntry));
    else reader.skip(tag);
  }
  return { statuses };
}

export const encodeHealthListResponse = encoder(writeHealthListResponse);
export const decodeHealthListResponse = decoder(readHealthListResponse);
