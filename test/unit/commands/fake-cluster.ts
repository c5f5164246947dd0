import { createGrpcTransport, createMethodTable, type Transport } from "../../../src/server/api/index.ts";
import { transportOptions } from "../../suites/transport-suite.ts";
import { tableOptions } from "../server/api/fake-call.ts";
import { FakeNode } from "../server/api/fake-node.ts";

/** A member without a log behind the real API: what commands about members are tried on. */
export interface FakeMember {
  readonly node: FakeNode;
  readonly endpoint: string;
}

const running: { node: FakeNode; transport: Transport }[] = [];

/** Ids of its members: 2n, 9n and the default; names m2, m9 and so on. */
export async function startFakeMember(memberId?: bigint): Promise<FakeMember> {
  const node = new FakeNode(memberId);
  const transport = createGrpcTransport(createMethodTable(node, tableOptions), {
    ...transportOptions,
    messageBytesMax: 2_097_152,
  });
  running.push({ node, transport });
  const port = await transport.listen();
  return { node, endpoint: `127.0.0.1:${port}` };
}

export async function stopFakeMembers(): Promise<void> {
  for (const { node, transport } of running.splice(0)) {
    await transport.close(0);
    node.watchHub.close();
  }
}
