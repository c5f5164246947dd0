package main

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

const watchedKey = "bench-watched"

// aheadMax is how many puts may be on their way to the watchers at once: enough to keep the server busy, few enough
// that latency is that of delivery and not of a queue.
const aheadMax = 8

const settleTime = 500 * time.Millisecond

// watchFanOut puts one key and counts the events that all watchers get of it. A latency is the time from the begin of
// the put to the arrival of the event; count is events.
func watchFanOut(s settings, connections []*grpc.ClientConn) (result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	streams := make([]grpc.ClientStream, s.watchers)
	err := together(s.watchers, len(connections), func(index int) error {
		var err error
		streams[index], err = openWatch(ctx, connections[index%len(connections)])
		return err
	})
	if err != nil {
		return result{}, err
	}
	var measured period
	var delivered atomic.Int64
	latencies := make([][]int64, s.watchers)
	failed := make(chan error, s.watchers+1)
	var group sync.WaitGroup
	for index, stream := range streams {
		group.Go(func() {
			var answer watchAnswer
			for {
				if err := stream.RecvMsg(&answer); err != nil {
					if !measured.stopped.Load() {
						failed <- err
					}
					return
				}
				now := time.Now().UnixMicro()
				delivered.Add(int64(len(answer.sentUs)))
				if measured.measuring.Load() && !measured.stopped.Load() {
					for _, sent := range answer.sentUs {
						latencies[index] = append(latencies[index], now-sent)
					}
				}
			}
		})
	}
	group.Go(func() {
		if err := write(ctx, s, connections[0], &delivered); err != nil && !measured.stopped.Load() {
			failed <- err
		}
	})
	wait := func(period time.Duration) error {
		select {
		case err := <-failed:
			return err
		case <-time.After(period):
			return nil
		}
	}
	if err := wait(seconds(s.warmup) + settleTime); err != nil {
		return result{}, err
	}
	measured.begin()
	err = wait(seconds(s.seconds))
	measured.end()
	cancel()
	group.Wait()
	s.clients = s.watchers
	return measured.result(s, latencies), err
}

func openWatch(ctx context.Context, connection *grpc.ClientConn) (grpc.ClientStream, error) {
	stream, err := connection.NewStream(ctx, bothWays, "/etcdserverpb.Watch/Watch")
	if err != nil {
		return nil, err
	}
	create := &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte(watchedKey)}}
	request, err := proto.Marshal(&pb.WatchRequest{RequestUnion: create})
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(request); err != nil {
		return nil, err
	}
	var answer watchAnswer
	if err := stream.RecvMsg(&answer); err != nil {
		return nil, err
	}
	if !answer.created || answer.canceled {
		return nil, errors.New("the watch was not created")
	}
	return stream, nil
}

// write puts the watched key, with the time of the put in front of its value, as fast as the watchers get it.
func write(ctx context.Context, s settings, connection *grpc.ClientConn, delivered *atomic.Int64) error {
	value := make([]byte, max(8, s.valueSize))
	for puts := int64(0); ctx.Err() == nil; {
		if puts*int64(s.watchers)-delivered.Load() >= aheadMax*int64(s.watchers) {
			time.Sleep(50 * time.Microsecond)
			continue
		}
		binary.BigEndian.PutUint64(value, uint64(time.Now().UnixMicro()))
		request, err := proto.Marshal(&pb.PutRequest{Key: []byte(watchedKey), Value: value})
		if err != nil {
			return err
		}
		if err := connection.Invoke(ctx, "/etcdserverpb.KV/Put", request, nobody{}); err != nil {
			return err
		}
		puts++
	}
	return nil
}
