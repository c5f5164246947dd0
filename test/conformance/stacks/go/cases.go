package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	mebibyte  = 1 << 20
	bigValues = 24
)

var cases = []struct {
	name string
	run  func(context.Context, *door) error
}{
	{"unary", unary},
	{"errors", errorStatuses},
	{"metadata", manyMetadata},
	{"value-1mib", value1MiB},
	{"request-too-large", requestTooLarge},
	{"answer-24mib", answer24MiB},
	{"answer-over-client-limit", answerOverClientLimit},
	{"snapshot", snapshot},
	{"range-stream", rangeStream},
	{"watch", watchEvents},
	{"watch-100-streams", watch100Streams},
	{"lease-keep-alive", leaseKeepAlive},
	{"small-window", smallWindow},
	{"slow-watch", slowWatch},
	{"cancel-unary", cancelUnary},
	{"cancel-streams", cancelStreams},
	{"deadline", deadlines},
	{"calls-1000", calls1000},
	{"same-connection", sameConnection},
}

func unary(ctx context.Context, d *door) error {
	put := func(key []byte, value string) (*pb.PutResponse, error) {
		return d.kv.Put(ctx, &pb.PutRequest{Key: key, Value: []byte(value), PrevKv: true})
	}
	first, err := put(d.key("unary/a"), "1")
	if err != nil {
		return err
	}
	d.ports = d.connectedPorts()
	second, err := put(d.key("unary/a"), "2")
	if err != nil {
		return err
	}
	if first.PrevKv != nil || string(second.GetPrevKv().GetValue()) != "1" || second.Header.Revision != first.Header.Revision+1 {
		return fmt.Errorf("puts answered %v, %v", first, second)
	}
	for _, name := range []string{"b", "c"} {
		if _, err := put(d.key("unary/", name), name); err != nil {
			return err
		}
	}
	found, err := d.kv.Range(ctx, &pb.RangeRequest{Key: d.key("unary/"), RangeEnd: prefixEnd(d.key("unary/")), Limit: 2})
	if err != nil {
		return err
	}
	if found.Count != 3 || !found.More || len(found.Kvs) != 2 || string(found.Kvs[0].Value) != "2" || found.Kvs[0].Version != 2 {
		return fmt.Errorf("range answered %v", found)
	}
	txn := &pb.TxnRequest{
		Compare: []*pb.Compare{{
			Target: pb.Compare_VERSION, Key: d.key("unary/a"), TargetUnion: &pb.Compare_Version{Version: 2},
		}},
		Success: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: d.key("unary/a"), Value: []byte("3")}}},
			{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: d.key("unary/a")}}},
		},
		Failure: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: d.key("unary/a")}}},
		},
	}
	then, err := d.kv.Txn(ctx, txn)
	if err != nil {
		return err
	}
	if !then.Succeeded || len(then.Responses) != 2 || string(then.Responses[1].GetResponseRange().Kvs[0].Value) != "3" {
		return fmt.Errorf("txn answered %v", then)
	}
	otherwise, err := d.kv.Txn(ctx, txn)
	if err != nil {
		return err
	}
	if otherwise.Succeeded || len(otherwise.Responses) != 1 || otherwise.Responses[0].GetResponseDeleteRange().Deleted != 1 {
		return fmt.Errorf("second txn answered %v", otherwise)
	}
	return nil
}

func errorStatuses(ctx context.Context, d *door) error {
	_, noLease := d.kv.Put(ctx, &pb.PutRequest{Key: d.key("errors"), Lease: 987654321})
	_, noKey := d.kv.Range(ctx, &pb.RangeRequest{})
	_, future := d.kv.Range(ctx, &pb.RangeRequest{Key: d.key("errors"), Revision: 1 << 40})
	unknown := d.conn.Invoke(ctx, "/etcdserverpb.KV/Nope", &pb.RangeRequest{}, &pb.RangeResponse{})
	return errors.Join(
		expectStatus(noLease, codes.NotFound, "etcdserver: requested lease not found"),
		expectStatus(noKey, codes.InvalidArgument, "etcdserver: key is not provided"),
		expectStatus(future, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
		expectStatus(unknown, codes.Unimplemented, "unknown method Nope for service etcdserverpb.KV"),
	)
}

func manyMetadata(ctx context.Context, d *door) error {
	key := d.key("metadata")
	if _, err := d.kv.Put(ctx, &pb.PutRequest{Key: key, Value: []byte("there")}); err != nil {
		return err
	}
	read := func(pairs ...string) error {
		found, err := d.kv.Range(metadata.AppendToOutgoingContext(ctx, pairs...), &pb.RangeRequest{Key: key})
		if err == nil && (len(found.Kvs) != 1 || string(found.Kvs[0].Value) != "there") {
			err = fmt.Errorf("answered %v", found)
		}
		return err
	}
	for i := range 200 {
		binary := string(filled(i, i))
		err := read(fmt.Sprint("x-name-", i), fmt.Sprint("value ", i*i), "x-changing", fmt.Sprint(i), "x-changing", "again", "x-bytes-bin", binary)
		if err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
	}
	// More than one frame holds: HEADERS and CONTINUATION.
	if err := read("x-long", string(bytes.Repeat([]byte("long"), 5_000))); err != nil {
		return fmt.Errorf("20,000 bytes: %w", err)
	}
	return read()
}

func value1MiB(ctx context.Context, d *door) error {
	value := filled(mebibyte, 1)
	if _, err := d.kv.Put(ctx, &pb.PutRequest{Key: d.key("value"), Value: value}); err != nil {
		return err
	}
	found, err := d.kv.Range(ctx, &pb.RangeRequest{Key: d.key("value")})
	if err != nil {
		return err
	}
	if len(found.Kvs) != 1 || !bytes.Equal(found.Kvs[0].Value, value) {
		return errors.New("the value came back changed")
	}
	return nil
}

func requestTooLarge(ctx context.Context, d *door) error {
	_, above := d.kv.Put(ctx, &pb.PutRequest{Key: d.key("too-large"), Value: make([]byte, 1_600_000)})
	_, farAbove := d.kv.Put(ctx, &pb.PutRequest{Key: d.key("too-large"), Value: make([]byte, 8*mebibyte)})
	_, after := d.kv.Put(ctx, &pb.PutRequest{Key: d.key("too-large"), Value: []byte("small")})
	return errors.Join(
		expectStatus(above, codes.InvalidArgument, "etcdserver: request is too large"),
		expectStatus(farAbove, codes.ResourceExhausted, "larger than max"),
		after,
	)
}

func bigRange(d *door, values int) *pb.RangeRequest {
	return &pb.RangeRequest{Key: d.key("big/"), RangeEnd: prefixEnd(d.key("big/")), Limit: int64(values)}
}

func checkBig(found *pb.RangeResponse, values int) error {
	if len(found.Kvs) != values {
		return fmt.Errorf("%d values of %d", len(found.Kvs), values)
	}
	for i, kv := range found.Kvs {
		if !bytes.Equal(kv.Value, filled(mebibyte, i)) {
			return fmt.Errorf("value %d came back changed", i)
		}
	}
	return nil
}

func answer24MiB(ctx context.Context, d *door) error {
	for i := range bigValues {
		request := &pb.PutRequest{Key: d.key(fmt.Sprintf("big/%02d", i)), Value: filled(mebibyte, i)}
		if _, err := d.kv.Put(ctx, request); err != nil {
			return err
		}
	}
	found, err := d.kv.Range(ctx, bigRange(d, bigValues))
	if err != nil {
		return err
	}
	return checkBig(found, bigValues)
}

func answerOverClientLimit(ctx context.Context, d *door) error {
	limited := d.dial(grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(4 * mebibyte)))
	defer limited.conn.Close()
	for range 3 {
		_, err := limited.kv.Range(ctx, bigRange(d, bigValues))
		if err := expectStatus(err, codes.ResourceExhausted, ""); err != nil {
			return err
		}
		found, err := limited.kv.Range(ctx, bigRange(d, 2))
		if err != nil {
			return err
		}
		if err := checkBig(found, 2); err != nil {
			return err
		}
	}
	return nil
}

func snapshot(ctx context.Context, d *door) error {
	stream, err := d.maintenance.Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		return err
	}
	var bytesRead []byte
	remaining := uint64(1)
	for {
		part, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		bytesRead = append(bytesRead, part.Blob...)
		remaining = part.RemainingBytes
	}
	if len(bytesRead) < bigValues*mebibyte || remaining != 0 {
		return fmt.Errorf("%d bytes, %d remaining", len(bytesRead), remaining)
	}
	content, digest := bytesRead[:len(bytesRead)-sha256.Size], bytesRead[len(bytesRead)-sha256.Size:]
	if sum := sha256.Sum256(content); !bytes.Equal(sum[:], digest) {
		return errors.New("the digest at its end is not that of the bytes before it")
	}
	return nil
}

func rangeStream(ctx context.Context, d *door) error {
	stream, err := d.kv.RangeStream(ctx, bigRange(d, 0))
	if err != nil {
		return err
	}
	whole := &pb.RangeResponse{}
	chunks := 0
	for {
		part, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		chunks++
		whole.Kvs = append(whole.Kvs, part.RangeResponse.Kvs...)
	}
	if chunks < 2 {
		return fmt.Errorf("%d chunks", chunks)
	}
	return checkBig(whole, bigValues)
}

// startWatch opens a stream with one watcher on a prefix and waits until it is created.
func startWatch(ctx context.Context, client pb.WatchClient, prefix []byte) (pb.Watch_WatchClient, int64, error) {
	stream, err := client.Watch(ctx)
	if err != nil {
		return nil, 0, err
	}
	create := &pb.WatchCreateRequest{Key: prefix, RangeEnd: prefixEnd(prefix)}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		return nil, 0, err
	}
	created, err := stream.Recv()
	if err == nil && !created.Created {
		err = fmt.Errorf("created answered %v", created)
	}
	return stream, created.GetWatchId(), err
}

// readEvents takes events until there are n: all different keys, in the order of their revisions.
func readEvents(stream pb.Watch_WatchClient, n int, check func(key string, value []byte) error) error {
	seen := map[string]bool{}
	last := int64(0)
	for len(seen) < n {
		answer, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("after %d events: %w", len(seen), err)
		}
		for _, event := range answer.Events {
			key := string(event.Kv.Key)
			if seen[key] || event.Kv.ModRevision <= last {
				return fmt.Errorf("event %d: key %s, revision %d after %d", len(seen), key, event.Kv.ModRevision, last)
			}
			if err := check(key, event.Kv.Value); err != nil {
				return err
			}
			seen[key], last = true, event.Kv.ModRevision
		}
	}
	return nil
}

func watchEvents(ctx context.Context, d *door) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, id, err := startWatch(ctx, d.watch, d.key("watch/"))
	if err != nil {
		return err
	}
	puts := make(chan error, 1)
	go func() {
		puts <- all(20, func(worker int) error {
			for i := range 100 {
				key := d.key(fmt.Sprintf("watch/%d-%d", worker, i))
				if _, err := d.kv.Put(ctx, &pb.PutRequest{Key: key, Value: key}); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	err = readEvents(stream, 2_000, func(key string, value []byte) error {
		if key != string(value) {
			return fmt.Errorf("key %s has value %q", key, value)
		}
		return nil
	})
	if err := errors.Join(err, <-puts); err != nil {
		return err
	}
	cancelRequest := &pb.WatchCancelRequest{WatchId: id}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: cancelRequest}}); err != nil {
		return err
	}
	canceled, err := stream.Recv()
	if err != nil {
		return err
	}
	if !canceled.Canceled || canceled.WatchId != id {
		return fmt.Errorf("cancel answered %v", canceled)
	}
	return nil
}

func watch100Streams(ctx context.Context, d *door) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prefix := d.key("together/")
	streams := make([]pb.Watch_WatchClient, 100)
	err := all(len(streams), func(i int) (err error) {
		streams[i], _, err = startWatch(ctx, d.watch, prefix)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := d.kv.Put(ctx, &pb.PutRequest{Key: d.key("together/x"), Value: []byte("seen")}); err != nil {
		return err
	}
	return all(len(streams), func(i int) error {
		return readEvents(streams[i], 1, func(_ string, value []byte) error {
			if string(value) != "seen" {
				return fmt.Errorf("value %q", value)
			}
			return nil
		})
	})
}

func leaseKeepAlive(ctx context.Context, d *door) error {
	granted, err := d.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 60})
	if err != nil {
		return err
	}
	stream, err := d.lease.LeaseKeepAlive(ctx)
	if err != nil {
		return err
	}
	ask := func(id int64, ttl int64) error {
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: id}); err != nil {
			return err
		}
		answer, err := stream.Recv()
		if err == nil && (answer.ID != id || answer.TTL != ttl) {
			err = fmt.Errorf("answered %v", answer)
		}
		return err
	}
	for range 10 {
		if err := ask(granted.ID, 60); err != nil {
			return err
		}
	}
	if err := ask(987654321, 0); err != nil {
		return fmt.Errorf("no such lease: %w", err)
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != io.EOF {
		return fmt.Errorf("the stream ended with %w", orOK(err))
	}
	return nil
}

func (d *door) dialWithSmallWindow() *clients {
	return d.dial(grpc.WithInitialWindowSize(65_535), grpc.WithInitialConnWindowSize(65_535))
}

func smallWindow(ctx context.Context, d *door) error {
	narrow := d.dialWithSmallWindow()
	defer narrow.conn.Close()
	var running atomic.Int32
	running.Store(16)
	beside := 0
	puts := make(chan error, 1)
	go func() {
		for running.Load() > 0 {
			if _, err := narrow.kv.Put(ctx, &pb.PutRequest{Key: d.key("beside")}); err != nil {
				puts <- err
				return
			}
			beside++
		}
		puts <- nil
	}()
	err := all(16, func(int) error {
		defer running.Add(-1)
		found, err := narrow.kv.Range(ctx, bigRange(d, 8))
		if err != nil {
			return err
		}
		return checkBig(found, 8)
	})
	if err := errors.Join(err, <-puts); err != nil {
		return err
	}
	if beside < 2 {
		return fmt.Errorf("only %d small calls came through beside the large ones", beside)
	}
	return nil
}

func slowWatch(ctx context.Context, d *door) error {
	narrow := d.dialWithSmallWindow()
	defer narrow.conn.Close()
	prefix := d.key("slow/")
	stream, _, err := startWatch(ctx, narrow.watch, prefix)
	if err != nil {
		return err
	}
	for i := range 256 {
		key := d.key(fmt.Sprintf("slow/%03d", i))
		if _, err := d.kv.Put(ctx, &pb.PutRequest{Key: key, Value: filled(65_536, i)}); err != nil {
			return err
		}
	}
	// The connection has a watch on it that nobody reads, and serves others all the same.
	if _, err := narrow.kv.Put(ctx, &pb.PutRequest{Key: d.key("beside")}); err != nil {
		return fmt.Errorf("beside the watch: %w", err)
	}
	next := 0
	return readEvents(stream, 256, func(key string, value []byte) error {
		if key != string(d.key(fmt.Sprintf("slow/%03d", next))) || !bytes.Equal(value, filled(65_536, next)) {
			return fmt.Errorf("event %d is of %s, or its value changed", next, key)
		}
		next++
		return nil
	})
}

// stillServes makes a large and a small call on the shared connection.
func stillServes(ctx context.Context, d *door) error {
	if _, err := d.kv.Put(ctx, &pb.PutRequest{Key: d.key("after")}); err != nil {
		return err
	}
	found, err := d.kv.Range(ctx, bigRange(d, bigValues))
	if err != nil {
		return err
	}
	return checkBig(found, bigValues)
}

func cancelUnary(ctx context.Context, d *door) error {
	var canceled atomic.Int32
	for round := range 40 {
		callCtx, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(time.Duration(round)*500*time.Microsecond, cancel)
		_, err := d.kv.Range(callCtx, bigRange(d, bigValues))
		timer.Stop()
		cancel()
		if err == nil {
			continue
		}
		if err := expectStatus(err, codes.Canceled, ""); err != nil {
			return err
		}
		canceled.Add(1)
	}
	if canceled.Load() < 20 {
		return fmt.Errorf("only %d of 40 were canceled before they were answered", canceled.Load())
	}
	return stillServes(ctx, d)
}

func cancelStreams(ctx context.Context, d *door) error {
	for range 40 {
		callCtx, cancel := context.WithCancel(ctx)
		parts, err := d.maintenance.Snapshot(callCtx, &pb.SnapshotRequest{})
		if err == nil {
			_, err = parts.Recv()
		}
		watch, _, watchErr := startWatch(callCtx, d.watch, d.key("canceled/"))
		cancel()
		if err := errors.Join(err, watchErr); err != nil {
			return err
		}
		for err == nil {
			_, err = parts.Recv()
		}
		_, watchErr = watch.Recv()
		if err := errors.Join(expectStatus(err, codes.Canceled, ""), expectStatus(watchErr, codes.Canceled, "")); err != nil {
			return err
		}
	}
	return stillServes(ctx, d)
}

func deadlines(ctx context.Context, d *door) error {
	started := time.Now()
	watchCtx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, _, err := startWatch(watchCtx, d.watch, d.key("deadline/"))
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	if took := time.Since(started); took < 1900*time.Millisecond || took > 10*time.Second {
		return fmt.Errorf("a watch with a deadline of 2 s ended after %s with %s", took, status.Code(err))
	}
	if err := expectStatus(err, codes.DeadlineExceeded, ""); err != nil {
		return err
	}
	for round := range 20 {
		callCtx, cancel := context.WithTimeout(ctx, time.Duration(1+round/2)*time.Millisecond)
		_, err := d.kv.Range(callCtx, bigRange(d, bigValues))
		cancel()
		if err := expectStatus(err, codes.DeadlineExceeded, ""); err != nil {
			return err
		}
	}
	return stillServes(ctx, d)
}

func calls1000(ctx context.Context, d *door) error {
	key := func(i int) []byte { return d.key("load/", i) }
	err := all(1_000, func(i int) error {
		_, err := d.kv.Put(ctx, &pb.PutRequest{Key: key(i), Value: filled(100, i)})
		return err
	})
	if err != nil {
		return err
	}
	return all(1_000, func(i int) error {
		found, err := d.kv.Range(ctx, &pb.RangeRequest{Key: key(i)})
		if err == nil && (len(found.Kvs) != 1 || !bytes.Equal(found.Kvs[0].Value, filled(100, i))) {
			err = fmt.Errorf("key %d answered %v", i, found)
		}
		return err
	})
}

func sameConnection(_ context.Context, d *door) error {
	// The connections of other cases need a moment to go.
	var now []int
	for range 50 {
		now = d.connectedPorts()
		if len(d.ports) == 1 && slices.Equal(now, d.ports) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("connected from %v at first, from %v at last", d.ports, now)
}
