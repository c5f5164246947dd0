import { decoder, encoder } from "./codec.ts";
import { readResponseHeader, writeResponseHeader } from "./header-codec.ts";
import type {
  Member,
  MemberAddRequest,
  MemberAddResponse,
  MemberIdRequest,
  MemberListRequest,
  MemberListResponse,
  MembersResponse,
  MemberUpdateRequest,
} from "./messages.ts";
import type { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

export function writeMember(writer: Writer, message: Member): void {
  writer.bool(0x28, message.isLearner);
  writer.texts(0x22, message.clientUrls);
  writer.texts(0x1a, message.peerUrls);
  writer.text(0x12, message.name);
  writer.bigUint64(0x08, message.id);
}

export function readMember(reader: Reader): Member {
  const message: Member = { id: 0n, name: "", peerUrls: [], clientUrls: [], isLearner: false };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        message.id = reader.bigUint64();
        break;
      case 0x12:
        message.name = reader.text();
        break;
      case 0x1a:
        message.peerUrls.push(reader.text());
        break;
      case 0x22:
        message.clientUrls.push(reader.text());
        break;
      case 0x28:
        message.isLearner = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

export const encodeMember = encoder(writeMember);
export const decodeMember = decoder(readMember);

function writeMemberListRequest(writer: Writer, message: MemberListRequest): void {
  writer.bool(0x08, message.linearizable);
}

function readMemberListRequest(reader: Reader): MemberListRequest {
  const message: MemberListRequest = { linearizable: false };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.linearizable = reader.bool();
    else reader.skip(tag);
  }
  return message;
}

export const encodeMemberListRequest = encoder(writeMemberListRequest);
export const decodeMemberListRequest = decoder(readMemberListRequest);

function writeMemberListResponse(writer: Writer, message: MemberListResponse): void {
  writer.messages(0x12, message.members, writeMember);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readMemberListResponse(reader: Reader): MemberListResponse {
  const message: MemberListResponse = { header: undefined, members: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x12) message.members.push(reader.message(readMember));
    else reader.skip(tag);
  }
  return message;
}

export const encodeMemberListResponse = encoder(writeMemberListResponse);
export const decodeMemberListResponse = decoder(readMemberListResponse);

/** The answers to MemberRemove, MemberUpdate and MemberPromote have the fields of MemberListResponse. */
export const encodeMembersResponse: (message: MembersResponse) => Buffer = encodeMemberListResponse;
export const decodeMembersResponse: (bytes: Uint8Array) => MembersResponse = decodeMemberListResponse;

function writeMemberAddRequest(writer: Writer, message: MemberAddRequest): void {
  writer.bool(0x10, message.isLearner);
  writer.texts(0x0a, message.peerUrls);
}

function readMemberAddRequest(reader: Reader): MemberAddRequest {
  const message: MemberAddRequest = { peerUrls: [], isLearner: false };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.peerUrls.push(reader.text());
    else if (tag === 0x10) message.isLearner = reader.bool();
    else reader.skip(tag);
  }
  return message;
}

export const encodeMemberAddRequest = encoder(writeMemberAddRequest);
export const decodeMemberAddRequest = decoder(readMemberAddRequest);

function writeMemberAddResponse(writer: Writer, message: MemberAddResponse): void {
  writer.messages(0x1a, message.members, writeMember);
  writer.message(0x12, message.member, writeMember);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readMemberAddResponse(reader: Reader): MemberAddResponse {
  const message: MemberAddResponse = { header: undefined, member: undefined, members: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x12) message.member = reader.message(readMember);
    else if (tag === 0x1a) message.members.push(reader.message(readMember));
    else reader.skip(tag);
  }
  return message;
}

export const encodeMemberAddResponse = encoder(writeMemberAddResponse);
export const decodeMemberAddResponse = decoder(readMemberAddResponse);

function writeMemberIdRequest(writer: Writer, message: MemberIdRequest): void {
  writer.bigUint64(0x08, message.id);
}

function readMemberIdRequest(reader: Reader): MemberIdRequest {
  const message: MemberIdRequest = { id: 0n };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.id = reader.bigUint64();
    else reader.skip(tag);
  }
  return message;
}

export const encodeMemberIdRequest = encoder(writeMemberIdRequest);
export const decodeMemberIdRequest = decoder(readMemberIdRequest);

function writeMemberUpdateRequest(writer: Writer, message: MemberUpdateRequest): void {
  writer.texts(0x12, message.peerUrls);
  writer.bigUint64(0x08, message.id);
}

function readMemberUpdateRequest(reader: Reader): MemberUpdateRequest {
  const message: MemberUpdateRequest = { id: 0n, peerUrls: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.id = reader.bigUint64();
    else if (tag === 0x12) message.peerUrls.push(reader.text());
    else reader.skip(tag);
  }
  return message;
}

export const encodeMemberUpdateRequest = encoder(writeMemberUpdateRequest);
export const decodeMemberUpdateRequest = decoder(readMemberUpdateRequest);
