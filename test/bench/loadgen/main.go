// Command loadgen drives one server, or the members of a cluster, of the etcd v3 API with one workload and prints what it measured as a line of JSON.
//
// It speaks through grpc-go's generated stubs, over several connections, without clientv3 in between. The lines "begin"
// and "end" on stdout mark the measured period, so that the caller may read the server's CPU time at both.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// clientsPerConnection keeps frames of many clients from queueing behind one socket.
const clientsPerConnection = 20

const connectionsMax = 50

type settings struct {
	endpoint  string
	workload  string
	clients   int
	watchers  int
	seconds   float64
	warmup    float64
	keys      int
	valueSize int
}

type result struct {
	Workload string  `json:"workload"`
	Clients  int     `json:"clients"`
	Count    int64   `json:"count"`
	Errors   int64   `json:"errors"`
	Seconds  float64 `json:"seconds"`
	P50Us    int64   `json:"p50Us"`
	P99Us    int64   `json:"p99Us"`
	MaxUs    int64   `json:"maxUs"`
	// FirstError is the text of the first failed call.
	FirstError string `json:"firstError,omitempty"`
}

func main() {
	var s settings
	flag.StringVar(&s.endpoint, "endpoint", "127.0.0.1:2379", "host:port of the server; several separated by commas")
	flag.StringVar(&s.workload, "workload", "put", "put, txn, range, range-serializable, list, lease, watch or preload")
	flag.IntVar(&s.clients, "clients", 100, "callers at once, each with one call in flight")
	flag.IntVar(&s.watchers, "watchers", 100, "watch streams of the watch workload")
	flag.Float64Var(&s.seconds, "seconds", 5, "length of the measured period")
	flag.Float64Var(&s.warmup, "warmup", 1, "seconds before it")
	flag.IntVar(&s.keys, "keys", 10000, "keys that calls choose from")
	flag.IntVar(&s.valueSize, "value-size", 256, "bytes of a value")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func run(s settings) error {
	connections, err := dial(s)
	if err != nil {
		return err
	}
	defer func() {
		for _, connection := range connections {
			_ = connection.Close()
		}
	}()
	switch s.workload {
	case "preload":
		return preload(s, connections[0])
	case "watch":
		return report(watchFanOut(s, connections))
	default:
		call, err := workload(s)
		if err != nil {
			return err
		}
		return report(closedLoop(s, connections, call), nil)
	}
}

func report(r result, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func dial(s settings) ([]*grpc.ClientConn, error) {
	callers := max(s.clients, s.watchers)
	endpoints := strings.Split(s.endpoint, ",")
	count := min(connectionsMax, (callers+clientsPerConnection-1)/clientsPerConnection)
	// To the endpoints in turn; to each of them when there are callers enough.
	count = max(count, min(callers, len(endpoints)))
	connections := make([]*grpc.ClientConn, count)
	for i := range connections {
		connection, err := grpc.NewClient(endpoints[i%len(endpoints)], grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
		if err != nil {
			return nil, err
		}
		connections[i] = connection
	}
	return connections, nil
}

// caller makes one call; worker and serial tell which of all.
type caller func(ctx context.Context, connection *grpc.ClientConn, worker, serial int) error

// closedLoop runs one caller per client, back to back, and measures the calls that begin after the warm-up.
func closedLoop(s settings, connections []*grpc.ClientConn, call caller) result {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var measuring, stopped atomic.Bool
	var errors atomic.Int64
	var firstError atomic.Value
	latencies := make([][]int64, s.clients)
	var group sync.WaitGroup
	for worker := range s.clients {
		group.Add(1)
		go func() {
			defer group.Done()
			connection := connections[worker%len(connections)]
			for serial := 0; !stopped.Load(); serial++ {
				begin := time.Now()
				counts := measuring.Load()
				err := call(ctx, connection, worker, serial)
				if stopped.Load() {
					return
				}
				if err != nil {
					errors.Add(1)
					firstError.CompareAndSwap(nil, err.Error())
				} else if counts {
					latencies[worker] = append(latencies[worker], time.Since(begin).Microseconds())
				}
			}
		}()
	}
	time.Sleep(seconds(s.warmup))
	fmt.Println("begin")
	measuring.Store(true)
	begin := time.Now()
	time.Sleep(seconds(s.seconds))
	stopped.Store(true)
	elapsed := time.Since(begin).Seconds()
	fmt.Println("end")
	cancel()
	group.Wait()
	r := summary(s, slices.Concat(latencies...), elapsed)
	r.Errors = errors.Load()
	r.FirstError, _ = firstError.Load().(string)
	return r
}

func summary(s settings, latencies []int64, elapsed float64) result {
	slices.Sort(latencies)
	at := func(part float64) int64 {
		if len(latencies) == 0 {
			return 0
		}
		return latencies[int(part*float64(len(latencies)-1))]
	}
	return result{
		Workload: s.workload, Clients: s.clients, Count: int64(len(latencies)), Seconds: elapsed,
		P50Us: at(0.5), P99Us: at(0.99), MaxUs: at(1),
	}
}

func seconds(count float64) time.Duration { return time.Duration(count * float64(time.Second)) }
