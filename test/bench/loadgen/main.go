// Command loadgen drives one server, or the members of a cluster, of the etcd v3 API with one workload and prints what
// it measured as a line of JSON.
//
// It speaks through grpc-go, over several connections, without clientv3 in between. The lines "begin" and "end" on
// stdout mark the measured period, so that the caller may read the server's CPU time at both.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

// garbagePercent lets the heap grow to tens of megabytes between collections: the generator shares the machine with
// the server, and what it spends on garbage the server lacks.
const garbagePercent = 1600

type settings struct {
	endpoint      string
	ca            string
	workload      string
	clients       int
	watchers      int
	perConnection int
	rate          float64
	pause         float64
	seconds       float64
	warmup        float64
	keys          int
	valueSize     int
}

func main() {
	var s settings
	flag.StringVar(&s.endpoint, "endpoint", "127.0.0.1:2379", "host:port of the server; several separated by commas")
	flag.StringVar(&s.ca, "ca", "", "PEM file of the certificate that the server must have; no TLS without")
	flag.StringVar(&s.workload, "workload", "put", "put, txn, range, range-serializable, list, page, count, lease, keep-alive, watch or preload")
	flag.IntVar(&s.clients, "clients", 100, "callers at once, each with one call in flight")
	flag.IntVar(&s.watchers, "watchers", 100, "watch streams of the watch workload")
	flag.IntVar(&s.perConnection, "per-connection", 20, "callers that share a connection, as long as 50 connections suffice")
	flag.Float64Var(&s.rate, "rate", 0, "calls to begin a second, however long they take; 0: each caller when its last call is answered")
	flag.Float64Var(&s.pause, "pause", 0, "seconds between an answer and the next call of its caller, where there is no rate")
	flag.Float64Var(&s.seconds, "seconds", 5, "length of the measured period")
	flag.Float64Var(&s.warmup, "warmup", 1, "seconds before it")
	flag.IntVar(&s.keys, "keys", 10000, "keys that calls choose from")
	flag.IntVar(&keyDigits, "key-digits", keyDigits, "digits of a key, behind the six bytes that all have")
	flag.IntVar(&s.valueSize, "value-size", 256, "bytes of a value")
	flag.Parse()
	debug.SetGCPercent(garbagePercent)
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func run(s settings) error {
	if keyDigits < 1 || keyDigits > keyDigitsMax {
		return fmt.Errorf("a key has 1 to %d digits", keyDigitsMax)
	}
	connections, err := dial(s)
	if err != nil {
		return err
	}
	defer func() {
		for _, connection := range connections {
			_ = connection.Close()
		}
	}()
	if s.workload == "preload" {
		return preload(s, connections)
	}
	if s.workload == "watch" {
		return report(watchFanOut(s, connections))
	}
	prepare, err := workload(s)
	if err != nil {
		return err
	}
	if s.rate > 0 {
		return report(openLoop(s, connections, prepare))
	}
	return report(closedLoop(s, connections, prepare))
}

func report(r result, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func seconds(count float64) time.Duration { return time.Duration(count * float64(time.Second)) }
