import { createMethodTable, type Transport, type TransportFactory } from "../../src/server/api/index.ts";
import { transportOptions } from "../suites/transport-suite.ts";
import { tableOptions } from "../unit/server/api/fake-call.ts";
import { FakeNode } from "../unit/server/api/fake-node.ts";
import type { CallPlan } from "./call-plan.ts";
import { CallRecords } from "./call-records.ts";
import { GrpcCaller } from "./grpc-caller.ts";
import { Http2Caller } from "./http2-caller.ts";
import type { Outcome } from "./outcome.ts";
import { syntheticMethods } from "./synthetic-methods.ts";
import { sizeLimits } from "./synthetic-plans.ts";

/** A member whose answers depend on its calls alone: what is left of a lease is told as if no time had passed. */
class TimelessNode extends FakeNode {
  override async leaseTimeToLive(id: bigint, keys: boolean) {
    const answer = await super.leaseTimeToLive(id, keys);
    return { ...answer, ttl: answer.ttl > 0 ? answer.grantedTtl : answer.ttl };
  }
}

/** One transport over a fresh store and the synthetic methods, and callers of it. */
export class World {
  readonly records: CallRecords;
  readonly #node: FakeNode;
  readonly #transport: Transport;
  readonly #http2: Http2Caller;
  readonly #grpc: GrpcCaller;

  private constructor(node: FakeNode, transport: Transport, port: number, records: CallRecords) {
    this.records = records;
    this.#node = node;
    this.#transport = transport;
    this.#http2 = new Http2Caller(port, records);
    this.#grpc = new GrpcCaller(port, records);
  }

  static async start(factory: TransportFactory): Promise<World> {
    const node = new TimelessNode();
    const records = new CallRecords();
    const methods = records.recorded(
      new Map([...createMethodTable(node, tableOptions), ...syntheticMethods]),
    );
    const transport = factory(methods, { ...transportOptions, ...sizeLimits });
    return new World(node, transport, await transport.listen(), records);
  }

  run(plan: CallPlan, id: string): Promise<Outcome> {
    return plan.via === "http2" ? this.#http2.call(plan, id) : this.#grpc.call(plan, id);
  }

  async close(): Promise<void> {
    this.#http2.close();
    this.#grpc.close();
    await this.#transport.close(0);
    this.#node.watchHub.close();
  }
}
