import { Metadata } from "@grpc/grpc-js";
import { decoder, encoder } from "../codec/index.ts";
import type { Connection } from "./connection.ts";

const authenticatePath = "/etcdserverpb.Auth/Authenticate";
/** (field 1 or 2 << 3) | length-delimited: the name and password of the request, the token of the response. */
const firstTag = 0x0a;
const secondTag = 0x12;

interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** The Writer fills messages from their end. */
const encodeAuthenticateRequest = encoder<Credentials>((writer, user) => {
  writer.text(secondTag, user.password);
  writer.text(firstTag, user.name);
});

const decodeAuthenticateToken = decoder((reader) => {
  let token = "";
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === secondTag) token = reader.text();
    else reader.skip(tag);
  }
  return token;
});

/** Gets a token for the user once, puts it on every call, and gets a new one when the server refuses it. */
export class Authenticator {
  readonly #user: Credentials | undefined;
  #metadata = new Metadata();
  #pending: Promise<Metadata> | undefined;
  #hasToken = false;

  constructor(user: Credentials | undefined) {
    this.#user = user;
  }

  get hasUser(): boolean {
    return this.#user !== undefined;
  }

  /** The metadata of a call; authenticates first when there is a user and no token yet. */
  async metadata(connection: Connection, deadlineMs: number): Promise<Metadata> {
    if (this.#user === undefined || this.#hasToken) return this.#metadata;
    this.#pending ??= this.#authenticate(connection, deadlineMs, this.#user).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** Forgets the token, so that the next call asks for one. */
  invalidate(): void {
    this.#hasToken = false;
  }

  async #authenticate(connection: Connection, deadlineMs: number, user: Credentials): Promise<Metadata> {
    const request = encodeAuthenticateRequest(user);
    const response = await connection.unary(authenticatePath, request, new Metadata(), deadlineMs, undefined);
    const metadata = new Metadata();
    metadata.set("token", decodeAuthenticateToken(response));
    this.#metadata = metadata;
    this.#hasToken = true;
    return metadata;
  }
}
