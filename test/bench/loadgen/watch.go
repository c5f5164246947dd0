package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
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
	var measuring, stopped atomic.Bool
	var delivered, counted atomic.Int64
	latencies := make([][]int64, s.watchers)
	failed := make(chan error, s.watchers+1)
	var group sync.WaitGroup
	for index := range s.watchers {
		stream, err := openWatch(ctx, connections[index%len(connections)])
		if err != nil {
			return result{}, err
		}
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				answer, err := stream.Recv()
				if err != nil {
					if !stopped.Load() {
						failed <- err
					}
					return
				}
				now := time.Now().UnixMicro()
				for _, event := range answer.Events {
					delivered.Add(1)
					if measuring.Load() && !stopped.Load() {
						counted.Add(1)
						sent := int64(binary.BigEndian.Uint64(event.Kv.Value))
						latencies[index] = append(latencies[index], now-sent)
					}
				}
			}
		}()
	}
	go write(ctx, s, connections[0], &delivered, failed)
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
	fmt.Println("begin")
	measuring.Store(true)
	begin := time.Now()
	err := wait(seconds(s.seconds))
	stopped.Store(true)
	elapsed := time.Since(begin).Seconds()
	fmt.Println("end")
	cancel()
	group.Wait()
	if err != nil {
		return result{}, err
	}
	var all []int64
	for _, part := range latencies {
		all = append(all, part...)
	}
	s.clients = s.watchers
	return summary(s, all, elapsed), nil
}

func openWatch(ctx context.Context, connection *grpc.ClientConn) (pb.Watch_WatchClient, error) {
	stream, err := pb.NewWatchClient(connection).Watch(ctx)
	if err != nil {
		return nil, err
	}
	create := &pb.WatchCreateRequest{Key: []byte(watchedKey)}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if !answer.Created || answer.Canceled {
		return nil, fmt.Errorf("the watch was not created: %v", answer)
	}
	return stream, nil
}

// write puts the watched key, with the time of the put in front of its value, as fast as the watchers get it.
func write(ctx context.Context, s settings, connection *grpc.ClientConn, delivered *atomic.Int64, failed chan<- error) {
	kv := pb.NewKVClient(connection)
	for puts := int64(0); ctx.Err() == nil; {
		if puts*int64(s.watchers)-delivered.Load() >= aheadMax*int64(s.watchers) {
			time.Sleep(50 * time.Microsecond)
			continue
		}
		value := make([]byte, max(8, s.valueSize))
		binary.BigEndian.PutUint64(value, uint64(time.Now().UnixMicro()))
		if _, err := kv.Put(ctx, &pb.PutRequest{Key: []byte(watchedKey), Value: value}); err != nil {
			if ctx.Err() == nil {
				failed <- err
			}
			return
		}
		puts++
	}
}
