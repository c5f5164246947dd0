import type { Member } from "../codec/index.ts";
import { type Header, toHeader } from "./key-value.ts";
import { methods } from "./methods.ts";
import type { CallOptions } from "./options.ts";
import type { UnaryCaller } from "./unary-caller.ts";

/** Membership. Every method throws MetaStoreError. */
export class ClusterClient {
  readonly #caller: UnaryCaller;

  constructor(caller: UnaryCaller) {
    this.#caller = caller;
  }

  /** @param options.serializable answers from the asked member's own state, which needs no leader */
  async memberList(
    options: CallOptions & { readonly serializable?: boolean } = {},
  ): Promise<{ readonly header: Header; readonly members: readonly Member[] }> {
    const request = { linearizable: options.serializable !== true };
    const response = await this.#caller.call(methods.memberList, request, options);
    return { header: toHeader(response.header), members: response.members };
  }
}
