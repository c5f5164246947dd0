package main

import (
	"bytes"
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// listSize is how many keys the list workload reads at once.
const listSize = 1000

const preloadBatch = 100

const leaseTTLSeconds = 3600

func keyOf(index int) []byte { return fmt.Appendf(nil, "bench/%08d", index) }

// scatter spreads callers over the keys without a shared random source.
func scatter(worker, serial, keys int) int {
	mixed := uint64(worker)*0x9e3779b97f4a7c15 + uint64(serial)*0xbf58476d1ce4e5b9
	mixed ^= mixed >> 31
	return int(mixed % uint64(keys))
}

// preload puts every key once.
func preload(s settings, connection *grpc.ClientConn) error {
	kv := pb.NewKVClient(connection)
	value := bytes.Repeat([]byte("v"), s.valueSize)
	for first := 0; first < s.keys; first += preloadBatch {
		txn := &pb.TxnRequest{}
		for index := first; index < min(first+preloadBatch, s.keys); index++ {
			put := &pb.PutRequest{Key: keyOf(index), Value: value}
			txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}})
		}
		if _, err := kv.Txn(context.Background(), txn); err != nil {
			return err
		}
	}
	return nil
}

func workload(s settings) (caller, error) {
	value := bytes.Repeat([]byte("v"), s.valueSize)
	switch s.workload {
	case "put":
		return func(ctx context.Context, connection *grpc.ClientConn, worker, serial int) error {
			_, err := pb.NewKVClient(connection).Put(ctx, &pb.PutRequest{Key: keyOf(scatter(worker, serial, s.keys)), Value: value})
			return err
		}, nil
	case "txn":
		return func(ctx context.Context, connection *grpc.ClientConn, worker, serial int) error {
			_, err := pb.NewKVClient(connection).Txn(ctx, compareAndPut(keyOf(scatter(worker, serial, s.keys)), value))
			return err
		}, nil
	case "range", "range-serializable":
		serializable := s.workload == "range-serializable"
		return func(ctx context.Context, connection *grpc.ClientConn, worker, serial int) error {
			return read(ctx, connection, &pb.RangeRequest{Key: keyOf(scatter(worker, serial, s.keys)), Serializable: serializable}, 1)
		}, nil
	case "list":
		if s.keys < listSize {
			return nil, fmt.Errorf("the list workload needs %d keys", listSize)
		}
		return func(ctx context.Context, connection *grpc.ClientConn, worker, serial int) error {
			first := scatter(worker, serial, s.keys-listSize+1)
			return read(ctx, connection, &pb.RangeRequest{Key: keyOf(first), RangeEnd: keyOf(first + listSize)}, listSize)
		}, nil
	case "lease":
		return func(ctx context.Context, connection *grpc.ClientConn, worker, serial int) error {
			_, err := pb.NewLeaseClient(connection).LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: leaseTTLSeconds})
			return err
		}, nil
	}
	return nil, fmt.Errorf("there is no workload %q", s.workload)
}

func read(ctx context.Context, connection *grpc.ClientConn, request *pb.RangeRequest, want int) error {
	answer, err := pb.NewKVClient(connection).Range(ctx, request)
	if err == nil && len(answer.Kvs) != want {
		err = fmt.Errorf("a read of %d keys answered %d", want, len(answer.Kvs))
	}
	return err
}

// compareAndPut is the txn of an optimistic update: it compares, puts, and reads in the other branch.
func compareAndPut(key, value []byte) *pb.TxnRequest {
	return &pb.TxnRequest{
		Compare: []*pb.Compare{{
			Key: key, Target: pb.Compare_VERSION, Result: pb.Compare_GREATER, TargetUnion: &pb.Compare_Version{Version: 0},
		}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}},
		Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}},
	}
}
