package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// watchStream is one Watch call of the wire, below the client library.
type watchStream struct {
	k      *kit
	stream grpc.BidiStreamingClient[pb.WatchRequest, pb.WatchResponse]
	cancel context.CancelFunc
	inbox  chan *pb.WatchResponse
	failed chan error
}

func (k *kit) watchStream() *watchStream {
	k.Helper()
	k.connect()
	ctx, cancel := context.WithCancel(k.ctx)
	k.Cleanup(cancel)
	stream, err := pb.NewWatchClient(k.client.ActiveConnection()).Watch(ctx, grpc.MaxCallRecvMsgSize(64<<20))
	k.ok(err)
	w := &watchStream{k: k, stream: stream, cancel: cancel, inbox: make(chan *pb.WatchResponse, 64), failed: make(chan error, 1)}
	go func() {
		for {
			resp, err := stream.Recv()
			if err != nil {
				w.failed <- err
				return
			}
			w.inbox <- resp
		}
	}()
	return w
}

func (w *watchStream) create(request *pb.WatchCreateRequest) {
	w.k.Helper()
	if request.StartRevision == 0 && len(serverEndpoints()) > 1 {
		request = proto.Clone(request).(*pb.WatchCreateRequest)
		request.StartRevision = w.k.nextRevision()
	}
	w.k.ok(w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}}))
}

func (w *watchStream) cancelWatch(id int64) {
	w.k.Helper()
	w.k.ok(w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}}))
}

func (w *watchStream) next() *pb.WatchResponse {
	w.k.Helper()
	select {
	case resp := <-w.inbox:
		return resp
	case err := <-w.failed:
		w.k.Fatalf("the stream ended: %v", err)
	case <-time.After(10 * time.Second):
		w.k.Fatal("no answer for 10 s")
	}
	return nil
}

func (w *watchStream) quiet() {
	w.k.Helper()
	select {
	case resp := <-w.inbox:
		w.k.Fatalf("unexpected answer: %v", resp)
	case err := <-w.failed:
		w.k.Fatalf("the stream ended: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
}

func TestWatchIdsCountFromZeroOnEachStream(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	for want := range int64(3) {
		w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
		resp := w.next()
		k.is("created", resp.Created, true)
		k.is("id", resp.WatchId, want)
		k.is("canceled", resp.Canceled, false)
	}
	other := k.watchStream()
	other.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	k.is("id on another stream", other.next().WatchId, int64(0))
}

func TestAChosenWatchIdIsKeptAndSkippedByTheCounter(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a")), WatchId: 1})
	k.is("chosen", w.next().WatchId, int64(1))
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	k.is("first free", w.next().WatchId, int64(0))
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	k.is("skips the chosen", w.next().WatchId, int64(2))
}

func TestAWatchIdInUseIsRefusedOnItsStream(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a")), WatchId: 7})
	w.next()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a")), WatchId: 7})
	resp := w.next()
	k.is("created", resp.Created, true)
	k.is("canceled", resp.Canceled, true)
	k.is("id", resp.WatchId, int64(-1))
	k.is("reason", resp.CancelReason, "mvcc: duplicate watch ID provided on the WatchStream")
	k.put("a", "1")
	k.is("the first one lives", w.next().WatchId, int64(7))
}

func TestAnEmptyRangeCannotBeWatched(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("b")), RangeEnd: []byte(k.key("a"))})
	resp := w.next()
	k.is("canceled", resp.Canceled, true)
	k.is("id", resp.WatchId, int64(-1))
	k.is("created", resp.Created, true)
	if serverVersion >= "3.5" {
		k.is("reason", resp.CancelReason, "mvcc: watcher range is empty")
	}
}

func TestACancelledWatchIsAnsweredOnceAndIsSilentAfter(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	id := w.next().WatchId
	w.cancelWatch(id)
	resp := w.next()
	k.is("canceled", resp.Canceled, true)
	k.is("created", resp.Created, false)
	k.is("id", resp.WatchId, id)
	k.is("reason", resp.CancelReason, "")
	k.put("a", "1")
	w.quiet()
}

func TestTheCancelOfAnUnknownWatchIsNotAnswered(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	w.next()
	w.cancelWatch(99)
	w.quiet()
}

func TestANegativeStartRevisionIsCancelledAtOnce(t *testing.T) {
	k := start(t)
	k.needs(3, 6, "the check of negative start revisions")
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a")), StartRevision: -2})
	resp := w.next()
	k.is("created", resp.Created, true)
	k.is("canceled", resp.Canceled, true)
	k.is("id", resp.WatchId, int64(-1))
	k.is("reason", resp.CancelReason, "etcdserver: mvcc: required revision has been compacted")
	k.is("compact revision", resp.CompactRevision, int64(0))
}

func TestACompactedStartIsCreatedFirstAndCancelledThen(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	last := k.put("a", "2")
	_, err := k.client.Compact(k.ctx, last)
	k.ok(err)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a")), StartRevision: last - 1})
	first := w.next()
	k.is("created", first.Created, true)
	k.is("canceled at creation", first.Canceled, false)
	second := w.next()
	k.is("canceled", second.Canceled, true)
	k.is("id", second.WatchId, first.WatchId)
	k.is("compact revision", second.CompactRevision, last)
	k.is("reason", second.CancelReason, "")
}

func TestTheCreatedAnswerComesBeforeAnyEventOfItsWatch(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	w := k.watchStream()
	for range 20 {
		w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a")), StartRevision: first})
	}
	created := map[int64]bool{}
	for range 40 {
		resp := w.next()
		if resp.Created {
			created[resp.WatchId] = true
			k.is("created has no events", len(resp.Events), 0)
		} else if !created[resp.WatchId] {
			k.Fatalf("events of watch %d before its created answer", resp.WatchId)
		}
	}
}

func TestTheCreatedAnswerCarriesTheCurrentRevision(t *testing.T) {
	k := start(t)
	revision := k.put("a", "1")
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	resp := w.next()
	k.is("revision", resp.Header.Revision, revision)
	if resp.Header.ClusterId == 0 || resp.Header.MemberId == 0 || resp.Header.RaftTerm == 0 {
		k.Fatalf("header has a zero field: %v", resp.Header)
	}
}

func TestAManualProgressAnswerIsForTheWholeStream(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	w.next()
	revision := k.put("other", "1")
	k.eventually("a progress answer", 10*time.Second, func() bool {
		k.ok(w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}))
		select {
		case resp := <-w.inbox:
			k.is("id", resp.WatchId, int64(-1))
			k.is("events", len(resp.Events), 0)
			k.is("created", resp.Created, false)
			return resp.Header.Revision == revision
		case <-time.After(200 * time.Millisecond):
			return false
		}
	})
}

func TestAProgressAnswerNeverOvertakesEvents(t *testing.T) {
	k := start(t)
	k.needs(3, 5, "the ordering of progress answers behind events")
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.prefix), RangeEnd: []byte(prefixEnd(k.prefix))})
	w.next()
	const writes = 200
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range writes {
			if _, err := k.client.Put(k.ctx, k.key("a"), fmt.Sprint(i)); err != nil {
				k.Errorf("put: %v", err)
				return
			}
			if i%10 == 0 {
				request := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
				if err := w.stream.Send(request); err != nil {
					k.Errorf("progress request: %v", err)
				}
			}
		}
	}()
	promised := int64(0)
	for seen := 0; seen < writes; {
		resp := w.next()
		if len(resp.Events) == 0 {
			promised = max(promised, resp.Header.Revision)
		}
		for _, event := range resp.Events {
			if event.Kv.ModRevision <= promised {
				k.Fatalf("event of revision %d after progress %d", event.Kv.ModRevision, promised)
			}
			seen++
		}
	}
	<-written // the last event may come before the answer to its put
}

func prefixEnd(prefix string) string {
	return prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)
}

// A deletion of five keys of 1 MiB with their previous values is one revision of more than 5 MiB.
func TestABigRevisionIsCutIntoFragmentsWhenAsked(t *testing.T) {
	k := start(t)
	value := strings.Repeat("x", 1<<20)
	for i := range 5 {
		k.put(fmt.Sprint(i), value)
	}
	request := &pb.WatchCreateRequest{Key: []byte(k.prefix), RangeEnd: []byte(prefixEnd(k.prefix)), PrevKv: true}
	whole := k.watchStream()
	whole.create(request)
	whole.next()
	w := k.watchStream()
	fragmented := proto.Clone(request).(*pb.WatchCreateRequest)
	fragmented.Fragment = true
	w.create(fragmented)
	w.next()
	revision := k.del("", clientv3.WithPrefix()).Header.Revision
	events := 0
	for last := false; !last; last = events == 5 {
		resp := w.next()
		events += len(resp.Events)
		k.is("revision", resp.Header.Revision, revision)
		k.is("is a fragment", resp.Fragment, events < 5)
		if size := proto.Size(resp); size > 2<<20+1<<20 {
			k.Fatalf("a fragment has %d bytes", size)
		}
	}
	resp := whole.next()
	k.is("events in the whole answer", len(resp.Events), 5)
	k.is("fragment without being asked", resp.Fragment, false)
}

func TestAnEmptyWatchRequestIsIgnored(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	k.ok(w.stream.Send(&pb.WatchRequest{}))
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	k.is("id", w.next().WatchId, int64(0))
}

func TestAHalfClosedWatchStreamStillDelivers(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	w.next()
	k.ok(w.stream.CloseSend())
	k.put("a", "1")
	k.is("events", len(w.next().Events), 1)
}

func TestACancelledWatchCallEndsWithCanceled(t *testing.T) {
	k := start(t)
	w := k.watchStream()
	w.create(&pb.WatchCreateRequest{Key: []byte(k.key("a"))})
	w.next()
	w.cancel()
	select {
	case err := <-w.failed:
		k.is("code", status.Code(err), codes.Canceled)
	case <-time.After(5 * time.Second):
		k.Fatal("the stream stays open")
	}
}

func TestTheRequireLeaderHeaderIsAccepted(t *testing.T) {
	k := start(t)
	kv := k.rawKV()
	ctx := metadata.AppendToOutgoingContext(k.ctx, "hasleader", "true")
	_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte(k.key("a"))})
	k.ok(err)
}
