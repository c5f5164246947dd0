package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const connectionsMax = 50

const connectTime = 30 * time.Second

// dial opens a connection for every s.perConnection callers, so that frames of many do not queue behind one socket.
func dial(s settings) ([]*grpc.ClientConn, error) {
	callers := max(s.clients, s.watchers)
	endpoints := strings.Split(s.endpoint, ",")
	count := min(connectionsMax, (callers+s.perConnection-1)/s.perConnection)
	// To the endpoints in turn; to each of them when there are callers enough.
	count = max(count, min(callers, len(endpoints)))
	transport := insecure.NewCredentials()
	if s.ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(s.ca, ""); err != nil {
			return nil, err
		}
	}
	connections := make([]*grpc.ClientConn, count)
	for i := range connections {
		connection, err := grpc.NewClient(endpoints[i%len(endpoints)],
			grpc.WithTransportCredentials(transport),
			// A failed call is to be seen, and to keep one for a second attempt costs.
			grpc.WithDisableRetry(),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.ForceCodecV2(rawCodec{})))
		if err != nil {
			return nil, err
		}
		connections[i] = connection
	}
	return connections, connected(connections)
}

// connected waits until all are up: what they cost belongs to no call.
func connected(connections []*grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	for _, connection := range connections {
		connection.Connect()
	}
	for _, connection := range connections {
		for state := connection.GetState(); state != connectivity.Ready; state = connection.GetState() {
			if !connection.WaitForStateChange(ctx, state) {
				return fmt.Errorf("no connection to %s within %s", connection.Target(), connectTime)
			}
		}
	}
	return nil
}
