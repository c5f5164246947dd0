package main

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// makeCallers prepares all clients, several at a time: ten thousand streams one after the other would take long.
func makeCallers(ctx context.Context, s settings, connections []*grpc.ClientConn, prepare makeCaller) ([]caller, error) {
	callers := make([]caller, s.clients)
	err := together(s.clients, len(connections), func(worker int) error {
		var err error
		callers[worker], err = prepare(ctx, connections[worker%len(connections)], worker)
		return err
	})
	return callers, err
}

// together does count pieces of work, `lanes` at a time; the error is one of theirs.
func together(count, lanes int, work func(index int) error) error {
	failed := make(chan error, lanes)
	var group sync.WaitGroup
	for lane := range lanes {
		group.Go(func() {
			for index := lane; index < count; index += lanes {
				if err := work(index); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// closedLoop runs one caller per client, back to back or with pauses, and measures the calls that are answered in the measured period:
// to count only those that begin in it too would take more from who answers slowly.
func closedLoop(s settings, connections []*grpc.ClientConn, prepare makeCaller) (result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	callers, err := makeCallers(ctx, s, connections, prepare)
	if err != nil {
		return result{}, err
	}
	var measured period
	var failed failures
	latencies := make([][]int64, s.clients)
	var group sync.WaitGroup
	for worker, call := range callers {
		group.Go(func() {
			for serial := 0; !measured.stopped.Load(); serial++ {
				begin := time.Now()
				err := call(serial)
				if measured.stopped.Load() {
					return
				}
				if err != nil {
					failed.add(err)
				} else if measured.measuring.Load() {
					latencies[worker] = append(latencies[worker], time.Since(begin).Microseconds())
				}
				time.Sleep(seconds(s.pause))
			}
		})
	}
	time.Sleep(seconds(s.warmup))
	measured.begin()
	time.Sleep(seconds(s.seconds))
	measured.end()
	cancel()
	group.Wait()
	return failed.tell(measured.result(s, latencies)), nil
}
