package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// overdueTime is how long calls may be late before they count as failed.
const overdueTime = 10 * time.Second

// openLoop begins s.rate calls a second at even distances, by whichever of the clients is free. A latency counts from
// the moment when the call was to begin, so a server that stalls pays for all calls that had to wait meanwhile. How long
// the longest call itself took is told beside it: it leaves out what the schedule fell behind, by whosever fault.
func openLoop(s settings, connections []*grpc.ClientConn, prepare makeCaller) (result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	callers, err := makeCallers(ctx, s, connections, prepare)
	if err != nil {
		return result{}, err
	}
	var measured period
	var failed failures
	var next atomic.Int64
	distance := seconds(1 / s.rate)
	start := time.Now()
	from := start.Add(seconds(s.warmup))
	to := from.Add(seconds(s.seconds))
	latencies := make([][]int64, s.clients)
	longest := make([]int64, s.clients)
	var group sync.WaitGroup
	for worker, call := range callers {
		group.Go(func() {
			for serial := 0; ; serial++ {
				due := start.Add(time.Duration(next.Add(1)-1) * distance)
				if !due.Before(to) {
					return
				}
				time.Sleep(time.Until(due))
				begin := time.Now()
				if err := call(serial); err != nil {
					failed.add(err)
				} else if !due.Before(from) {
					latencies[worker] = append(latencies[worker], time.Since(due).Microseconds())
					longest[worker] = max(longest[worker], time.Since(begin).Microseconds())
				}
			}
		})
	}
	time.Sleep(time.Until(from))
	measured.begin()
	time.Sleep(time.Until(to))
	measured.end()
	overdue := time.AfterFunc(overdueTime, cancel)
	defer overdue.Stop()
	group.Wait()
	all := failed.tell(measured.result(s, latencies))
	all.CallMaxUs = slices.Max(longest)
	return all, nil
}
