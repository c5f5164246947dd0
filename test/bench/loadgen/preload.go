package main

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// preloadBatch is how many keys a transaction puts.
const preloadBatch = 100

// preload puts every key once, by all clients at once.
func preload(s settings, connections []*grpc.ClientConn) error {
	value := bytes.Repeat([]byte("v"), s.valueSize)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range s.clients {
		group.Go(func() {
			connection := connections[worker%len(connections)]
			for ctx.Err() == nil {
				first := int(next.Add(preloadBatch)) - preloadBatch
				if first >= s.keys {
					return
				}
				if err := putAll(ctx, connection, first, min(first+preloadBatch, s.keys), value); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

func putAll(ctx context.Context, connection *grpc.ClientConn, from, to int, value []byte) error {
	txn := &pb.TxnRequest{}
	for index := from; index < to; index++ {
		put := &pb.PutRequest{Key: keyOf(index), Value: value}
		txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}})
	}
	encoded, err := proto.Marshal(txn)
	if err != nil {
		return err
	}
	return connection.Invoke(ctx, "/etcdserverpb.KV/Txn", encoded, nobody{})
}
