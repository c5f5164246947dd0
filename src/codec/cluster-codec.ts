import { decoder, encoder } from "./codec.ts";
import { readResponseHeader, writeResponseHeader } from "./header-codec.ts";
import type { Member, MemberListRequest, MemberListResponse } from "./messages.ts";
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
