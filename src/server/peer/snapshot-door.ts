import type { IncomingMessage, ServerResponse } from "node:http";
import { AssertionError } from "../../lib/assert.ts";
import type { Clock } from "../../lib/clock.ts";
import { DecodeError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { PeerHandler } from "../node/index.ts";
import { hexId } from "./headers.ts";
import { send, textAnswer } from "./http-answers.ts";
import type { PeerLimits } from "./limits.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import type { PeerObserver } from "./types.ts";

export interface SnapshotDoorOptions {
  readonly self: bigint;
  readonly clock: Clock;
  readonly limits: PeerLimits;
  readonly log: Log;
  readonly observer: PeerObserver;
}

/**
 * Takes in what peers send to POST /raft/snapshot. One per peer: a newer one takes the place of one that is still
 * under way, which its sender has given up. The answer is 204 only after the member has taken the snapshot.
 */
export class SnapshotDoor {
  readonly #options: SnapshotDoorOptions;
  readonly #underWay = new Map<SnapshotReceiver, bigint>();

  constructor(options: SnapshotDoorOptions) {
    this.#options = options;
  }

  async serve(
    handler: PeerHandler,
    peer: bigint,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { self, clock, limits, log, observer } = this.#options;
    this.abort((each) => each === peer, "the peer has begun another snapshot");
    if (this.#underWay.size >= limits.snapshotReceptionsMax) {
      send(request, response, textAnswer(503, "this member is taking in other snapshots; try again"), clock);
      return;
    }
    const receiver = new SnapshotReceiver({
      request,
      peer,
      self,
      clock,
      limits,
      onReceived: (bytes) => observer.received(peer, bytes),
    });
    this.#underWay.set(receiver, peer);
    observer.snapshotReceiveStarted(peer);
    const startMs = clock.nowMs();
    let failure: Error | undefined;
    try {
      if (request.headers.expect !== undefined) response.writeContinue();
      const message = await receiver.message();
      await handler.receiveSnapshot(message, receiver.chunks());
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      failure = error instanceof Error ? error : new Error(String(error));
    }
    this.#underWay.delete(receiver);
    receiver.release();
    observer.snapshotReceiveEnded(peer, failure === undefined, clock.nowMs() - startMs);
    if (failure === undefined) {
      // Perhaps not all of it was read, when the member did not need it: the rest is not waited for.
      send(request, response, { status: 204, headers: {}, body: "" }, clock);
      return;
    }
    observer.receiveFailed(peer);
    log.warn("a snapshot from a peer was not taken", { peer: hexId(peer), reason: failure.message });
    const isSendersFault = receiver.problem !== undefined || failure instanceof DecodeError;
    const answer = isSendersFault
      ? textAnswer(400, failure.message)
      : textAnswer(500, "this member could not take the snapshot");
    send(request, response, answer, clock);
  }

  /** Ends those under way from peers that `isMeant` names. */
  abort(isMeant: (peer: bigint) => boolean, reason: string): void {
    for (const [receiver, peer] of this.#underWay) if (isMeant(peer)) receiver.abort(reason);
  }
}
