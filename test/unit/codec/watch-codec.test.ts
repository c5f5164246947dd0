import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeWatchResponse,
  type Event,
  encodeEvent,
  encodeWatchResponse,
  type WatchResponse,
} from "../../../src/codec/index.ts";
import { arbitraryMessage } from "./message-model.ts";

describe("watch codec", () => {
  it("assembles from encoded events the very bytes that the whole message has", () => {
    fc.assert(
      fc.property(arbitraryMessage("etcdserverpb.WatchResponse"), (message) => {
        const response = message as unknown as WatchResponse;
        const whole = encodeWatchResponse(response);
        const { events, ...fields } = response;
        assert.ok(encodeWatchResponse(fields, events.map(encodeEvent)).equals(whole));
        assert.deepEqual(decodeWatchResponse(whole), response);
      }),
    );
  });

  it("shares one encoded event among a thousand watchers", () => {
    const event = fc.sample(arbitraryMessage("mvccpb.Event"), { numRuns: 1, seed: 7 })[0] as unknown as Event;
    const encoded = encodeEvent(event);
    const fields = {
      header: undefined,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: "",
      fragment: false,
    };
    const sent = Array.from({ length: 1_000 }, (_, watchId) =>
      encodeWatchResponse({ ...fields, watchId }, [encoded]),
    );
    for (const [watchId, bytes] of sent.entries()) {
      assert.deepEqual(decodeWatchResponse(bytes), { ...fields, watchId, events: [event] });
    }
  });
});
