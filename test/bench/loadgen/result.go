package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

type result struct {
	Workload string  `json:"workload"`
	Clients  int     `json:"clients"`
	Count    int64   `json:"count"`
	Errors   int64   `json:"errors"`
	Seconds  float64 `json:"seconds"`
	P50Us    int64   `json:"p50Us"`
	P99Us    int64   `json:"p99Us"`
	MaxUs    int64   `json:"maxUs"`
	// CallMaxUs is how long the longest call of a paced load took from its own begin on.
	CallMaxUs int64 `json:"callMaxUs,omitempty"`
	// OwnCPUMs is the generator's own CPU time in the measured period.
	OwnCPUMs float64 `json:"ownCpuMs"`
	// FirstError is the text of the first failed call.
	FirstError string `json:"firstError,omitempty"`
}

// period is the measured one. It begins and ends with a line on stdout.
type period struct {
	began     time.Time
	beganCPU  time.Duration
	elapsed   time.Duration
	ownCPU    time.Duration
	measuring atomic.Bool
	stopped   atomic.Bool
}

func (p *period) begin() {
	fmt.Println("begin")
	p.beganCPU = ownCPU()
	p.began = time.Now()
	p.measuring.Store(true)
}

func (p *period) end() {
	p.stopped.Store(true)
	p.elapsed = time.Since(p.began)
	p.ownCPU = ownCPU() - p.beganCPU
	fmt.Println("end")
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (p *period) result(s settings, parts [][]int64) result {
	latencies := slices.Concat(parts...)
	slices.Sort(latencies)
	at := func(part float64) int64 {
		if len(latencies) == 0 {
			return 0
		}
		return latencies[int(part*float64(len(latencies)-1))]
	}
	return result{
		Workload: s.workload, Clients: s.clients, Count: int64(len(latencies)), Seconds: p.elapsed.Seconds(),
		P50Us: at(0.5), P99Us: at(0.99), MaxUs: at(1), OwnCPUMs: float64(p.ownCPU.Microseconds()) / 1000,
	}
}

// failures counts failed calls and keeps the first one's text.
type failures struct {
	count atomic.Int64
	first atomic.Value
}

func (f *failures) add(err error) {
	f.count.Add(1)
	f.first.CompareAndSwap(nil, err.Error())
}

func (f *failures) tell(r result) result {
	r.Errors = f.count.Load()
	r.FirstError, _ = f.first.Load().(string)
	return r
}
