// The cases of the stacks, by grpc-go. See ../README.md for what each case promises.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// How long one case may take.
const caseLimit = 90 * time.Second

// door is one way to the server, with the connection that the cases share.
type door struct {
	name        string
	endpoint    string
	credentials credentials.TransportCredentials
	*clients
	// Local ports of the connections to the server, once the first call was answered.
	ports []int
}

// clients are the services on one connection.
type clients struct {
	conn        *grpc.ClientConn
	kv          pb.KVClient
	watch       pb.WatchClient
	lease       pb.LeaseClient
	maintenance pb.MaintenanceClient
}

func (d *door) dial(options ...grpc.DialOption) *clients {
	options = append([]grpc.DialOption{
		grpc.WithTransportCredentials(d.credentials),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1 << 30)),
	}, options...)
	conn, err := grpc.NewClient("passthrough:///"+d.endpoint, options...)
	if err != nil {
		panic(err)
	}
	return &clients{conn, pb.NewKVClient(conn), pb.NewWatchClient(conn), pb.NewLeaseClient(conn), pb.NewMaintenanceClient(conn)}
}

func (d *door) key(parts ...any) []byte {
	return []byte("go/" + d.name + "/" + fmt.Sprint(parts...))
}

// connectedPorts are the local ports of all established connections to the server (Linux alone tells).
func (d *door) connectedPorts() []int {
	server, _ := strconv.Atoi(d.endpoint[strings.LastIndex(d.endpoint, ":")+1:])
	var ports []int
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table)
		for _, line := range strings.Split(string(text), "\n") {
			fields := strings.Fields(line)
			if len(fields) > 3 && fields[3] == "01" && portOf(fields[2]) == server {
				ports = append(ports, portOf(fields[1]))
			}
		}
	}
	slices.Sort(ports)
	return ports
}

func portOf(address string) int {
	port, err := strconv.ParseInt(address[strings.LastIndex(address, ":")+1:], 16, 32)
	if err != nil {
		return -1
	}
	return int(port)
}

func authority() *x509.CertPool {
	pem, err := os.ReadFile(os.Getenv("METASTORE_AUTHORITY"))
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		panic("METASTORE_AUTHORITY holds no certificate")
	}
	return pool
}

func main() {
	doors := []*door{
		{name: "plain", endpoint: os.Getenv("METASTORE_PLAIN"), credentials: insecure.NewCredentials()},
		{name: "tls", endpoint: os.Getenv("METASTORE_TLS")},
	}
	if doors[1].endpoint != "" {
		doors[1].credentials = credentials.NewTLS(&tls.Config{RootCAs: authority()})
	}
	passed, failed := 0, 0
	for _, d := range doors {
		if d.endpoint == "" {
			continue
		}
		d.clients = d.dial()
		for _, c := range cases {
			if err := runCase(d, c.run); err != nil {
				failed++
				fmt.Printf("not ok %s: %s: %s\n", d.name, c.name, strings.ReplaceAll(err.Error(), "\n", " "))
			} else {
				passed++
				fmt.Printf("ok %s: %s\n", d.name, c.name)
			}
		}
		d.conn.Close()
	}
	fmt.Printf("grpc-stack: grpc-go %s\n%d passed, %d failed\n", grpc.Version, passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func runCase(d *door, run func(context.Context, *door) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx, d) }()
	select {
	case err := <-done:
		return err
	case <-time.After(caseLimit + 5*time.Second):
		return fmt.Errorf("came to no end")
	}
}

// all runs a function n times at once and answers the first error.
func all(n int, run func(i int) error) error {
	results := make(chan error, n)
	for i := range n {
		go func() { results <- run(i) }()
	}
	var first error
	for range n {
		if err := <-results; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// expectStatus answers an error unless err is a status of this code whose text holds this text.
func expectStatus(err error, code codes.Code, text string) error {
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), text) {
		return fmt.Errorf("wanted %s %q, got %w", code, text, orOK(err))
	}
	return nil
}

func orOK(err error) error {
	if err == nil {
		return fmt.Errorf("OK")
	}
	return err
}

// filled is a value that differs in every byte's neighbourhood and with every seed.
func filled(size int, seed int) []byte {
	value := make([]byte, size)
	state := uint32(seed)*2654435761 + 1
	for i := range value {
		state = state*1664525 + 1013904223
		value[i] = byte(state >> 24)
	}
	return value
}

func prefixEnd(prefix []byte) []byte {
	end := slices.Clone(prefix)
	end[len(end)-1]++
	return end
}
