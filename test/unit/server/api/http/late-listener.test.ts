import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate as settled } from "node:timers/promises";
import { createDeferred } from "../../../../../src/lib/deferred.ts";
import { lateListener } from "../../../../../src/server/api/http/index.ts";

const request = {} as IncomingMessage;

function response(): ServerResponse & { wasDestroyed: boolean } {
  const fake = {
    wasDestroyed: false,
    destroy() {
      fake.wasDestroyed = true;
    },
  };
  return fake as unknown as ServerResponse & { wasDestroyed: boolean };
}

describe("A late listener", () => {
  it("is made once, by the first request, and serves all that waited in their order", async () => {
    const made = createDeferred<(req: IncomingMessage, res: ServerResponse) => void>();
    const served: object[] = [];
    let makings = 0;
    const { listener } = lateListener(() => {
      makings++;
      return made.promise;
    });
    const responses = [response(), response(), response()];
    listener(request, responses[0]!);
    listener(request, responses[1]!);
    await settled();
    assert.equal(served.length, 0);
    made.resolve((_req, res) => served.push(res));
    await settled();
    listener(request, responses[2]!);
    assert.equal(makings, 1);
    assert.equal(served.length, 3);
    for (const [i, res] of responses.entries()) assert.ok(served[i] === res);
  });

  it("cuts off what waited for one that cannot be made", async () => {
    const { listener, load } = lateListener(() => Promise.reject(new Error("no module")));
    const cut = response();
    listener(request, cut);
    await assert.rejects(load(), /no module/);
    await settled();
    assert.ok(cut.wasDestroyed);
  });
});
