import type { Http2ErrorCode } from "./frames.ts";
import type { ReceiveWindow } from "./receive-window.ts";
import { type Sender, SendState } from "./sender.ts";

/** What a stream may ask of its connection. */
export interface StreamHost {
  readonly sender: Sender;
  /** Address of the peer, for logs. */
  readonly peer: string;
  /** So many bytes of DATA frames are out of the way: the peer gets credit for them. */
  consumed(stream: WireStream, bytes: number): void;
  /** Ends the stream with RST_STREAM. */
  abort(stream: WireStream, code: Http2ErrorCode): void;
  /** The stream's END_STREAM has been written. */
  sendEnded(stream: WireStream): void;
  /** Requests of the connection that are not gRPC. */
  plainRequests: number;
  /** So much waits for the peer that calls should wait until it has taken some; see `waitForPeer`. */
  readonly isChoked: boolean;
  /** Calls the stream's `peerHasTaken` when the connection is not choked any more, unless the stream is over by then. */
  waitForPeer(stream: WireStream): void;
  /** Bytes of unfinished messages kept for the connection change by so much. False: there are too many. */
  keep(bytes: number): boolean;
}

/** One stream of a connection, from its HEADERS to its end on both sides. */
export abstract class WireStream extends SendState {
  readonly host: StreamHost;
  /** END_STREAM has arrived. */
  isRemoteClosed = false;
  /** What `content-length` promises; -1: nothing. */
  readonly declaredBytes: number;
  receivedBytes = 0;
  /** Made when the stream sends more than one DATA frame: most send one. */
  receiveWindow: ReceiveWindow | undefined;

  constructor(host: StreamHost, id: number, declaredBytes: number) {
    super(id, host.sender.streamWindowBytes);
    this.host = host;
    this.declaredBytes = declaredBytes;
  }

  override onSendEnded(): void {
    this.host.sendEnded(this);
  }

  /** What the peer did not take has become less: see StreamHost.waitForPeer. */
  peerHasTaken(): void {}

  /** The stream is known to its connection: it may answer, or end. */
  abstract begin(): void;
  /**
   * source[start, end) of a DATA frame; views of it stay valid. `frameBytes` (padding included) are to be given to
   * `host.consumed` when they are out of the way.
   */
  abstract onData(source: Buffer, start: number, end: number, frameBytes: number): void;
  /** END_STREAM has arrived, behind all data. */
  abstract onRemoteEnd(): void;
  /** The stream is over, in whatever way: its end on both sides, a reset by either, the loss of the connection. */
  abstract onGone(): void;
}
