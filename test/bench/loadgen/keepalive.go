package main

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

var bothWays = &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

// keepAlive gives each client a lease and a stream of its own; a call is one message and its answer.
func keepAlive(ctx context.Context, connection *grpc.ClientConn, _ int) (caller, error) {
	grant, err := proto.Marshal(&pb.LeaseGrantRequest{TTL: leaseTTLSeconds})
	if err != nil {
		return nil, err
	}
	lease := &integer{field: 2}
	if err := connection.Invoke(ctx, "/etcdserverpb.Lease/LeaseGrant", grant, lease); err != nil {
		return nil, err
	}
	request, err := proto.Marshal(&pb.LeaseKeepAliveRequest{ID: lease.value})
	if err != nil {
		return nil, err
	}
	stream, err := connection.NewStream(ctx, bothWays, "/etcdserverpb.Lease/LeaseKeepAlive")
	if err != nil {
		return nil, err
	}
	var sent any = request
	ttl := &integer{field: 3}
	return func(int) error {
		if err := stream.SendMsg(sent); err != nil {
			return err
		}
		if err := stream.RecvMsg(ttl); err != nil {
			return err
		}
		if ttl.value != leaseTTLSeconds {
			return fmt.Errorf("a lease of %d s has become one of %d", leaseTTLSeconds, ttl.value)
		}
		return nil
	}, nil
}
