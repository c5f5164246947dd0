package main

import (
	"bytes"
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

const (
	// listSize is how many keys the list and page workloads read at once.
	listSize = 1000
	// groupSize is how many keys the count workload counts.
	groupSize = 10000
)

const leaseTTLSeconds = 3600

// caller makes one call; serial tells which of this client's.
type caller func(serial int) error

// makeCaller prepares what one client needs: its request, its stream.
type makeCaller func(ctx context.Context, connection *grpc.ClientConn, worker int) (caller, error)

func workload(s settings) (makeCaller, error) {
	value := bytes.Repeat([]byte("v"), s.valueSize)
	key := placeholder(0)
	one := func(worker, serial int, r request) { r.setKey(0, scatter(worker, serial, s.keys)) }
	switch s.workload {
	case "put":
		return unary("/etcdserverpb.KV/Put", &pb.PutRequest{Key: key, Value: value}, 1, one, occurrences{})
	case "txn":
		return unary("/etcdserverpb.KV/Txn", compareAndPut(key, value), 1, one, occurrences{field: 3, count: 2})
	case "range", "range-serializable":
		message := &pb.RangeRequest{Key: key, Serializable: s.workload == "range-serializable"}
		return unary("/etcdserverpb.KV/Range", message, 1, one, occurrences{field: 2, count: 1})
	case "list":
		if s.keys < listSize {
			return nil, fmt.Errorf("the list workload needs %d keys", listSize)
		}
		message := &pb.RangeRequest{Key: key, RangeEnd: placeholder(1)}
		page := func(worker, serial int, r request) {
			first := scatter(worker, serial, s.keys-listSize+1)
			r.setKey(0, first)
			r.setKey(1, first+listSize)
		}
		return unary("/etcdserverpb.KV/Range", message, 2, page, occurrences{field: 2, count: listSize})
	case "page":
		if s.keys < listSize {
			return nil, fmt.Errorf("the page workload needs %d keys", listSize)
		}
		message := &pb.RangeRequest{Key: key, RangeEnd: []byte(prefixEnd), Limit: listSize}
		page := func(worker, serial int, r request) { r.setKey(0, scatter(worker, serial, s.keys-listSize+1)) }
		return unary("/etcdserverpb.KV/Range", message, 1, page, occurrences{field: 2, count: listSize})
	case "count":
		if s.keys < groupSize {
			return nil, fmt.Errorf("the count workload needs %d keys", groupSize)
		}
		message := &pb.RangeRequest{Key: key, RangeEnd: placeholder(1), CountOnly: true}
		group := func(worker, serial int, r request) {
			first := groupSize * scatter(worker, serial, s.keys/groupSize)
			r.setKey(0, first)
			r.setKey(1, first+groupSize)
		}
		return unary("/etcdserverpb.KV/Range", message, 2, group, occurrences{field: 4, count: 1})
	case "lease":
		nothing := func(int, int, request) {}
		return unary("/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{TTL: leaseTTLSeconds}, 0, nothing, occurrences{})
	case "keep-alive":
		return keepAlive, nil
	}
	return nil, fmt.Errorf("there is no workload %q", s.workload)
}

// unary makes callers of a method; `fill` puts the keys of a call into its request. The answer must have want.count
// fields want.field; it is not looked at when want.field is 0.
func unary(method string, message proto.Message, keys int, fill func(worker, serial int, r request), want occurrences) (makeCaller, error) {
	model, err := requestOf(message, keys)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, connection *grpc.ClientConn, worker int) (caller, error) {
		own := model.clone()
		// Boxed once, not with every call.
		var sent any = own.bytes
		if want.field == 0 {
			return func(serial int) error {
				fill(worker, serial, own)
				return connection.Invoke(ctx, method, sent, nobody{})
			}, nil
		}
		got := &occurrences{field: want.field}
		return func(serial int) error {
			fill(worker, serial, own)
			err := connection.Invoke(ctx, method, sent, got)
			if err == nil && got.count != want.count {
				err = fmt.Errorf("an answer to %s has %d times field %d, not %d", method, got.count, got.field, want.count)
			}
			return err
		}, nil
	}, nil
}

// scatter spreads callers over the keys without a shared random source.
func scatter(worker, serial, keys int) int {
	mixed := uint64(worker)*0x9e3779b97f4a7c15 + uint64(serial)*0xbf58476d1ce4e5b9
	mixed ^= mixed >> 31
	return int(mixed % uint64(keys))
}

// compareAndPut is the txn of an optimistic update: it compares, puts and reads back.
func compareAndPut(key, value []byte) *pb.TxnRequest {
	return &pb.TxnRequest{
		Compare: []*pb.Compare{{
			Key: key, Target: pb.Compare_VERSION, Result: pb.Compare_GREATER, TargetUnion: &pb.Compare_Version{Version: 0},
		}},
		Success: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}},
			{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}},
		},
	}
}
