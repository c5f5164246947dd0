package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// firstRevision is the revision of the store before any case ran.
var firstRevision int64

var serverVersion string

var caseNumber atomic.Int64

// serverEndpoints are those of the members to test, from METASTORE_ENDPOINT: one, or several of one cluster.
func serverEndpoints() []string {
	return strings.Split(os.Getenv("METASTORE_ENDPOINT"), ",")
}

func TestMain(m *testing.M) {
	endpoint := serverEndpoints()[0]
	if endpoint == "" {
		fmt.Fprintln(os.Stderr, "METASTORE_ENDPOINT is not set: give the host:port of the server to test")
		os.Exit(2)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: serverEndpoints(), DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot make a client:", err)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	state, err := client.Status(ctx, endpoint)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the server at", endpoint, "does not answer Status:", err)
		os.Exit(2)
	}
	firstRevision, serverVersion = state.Header.Revision, state.Version
	_ = client.Close()
	os.Exit(m.Run())
}

// kit is what one case works with: a client of its own and a prefix no other case uses.
type kit struct {
	*testing.T
	ctx      context.Context
	client   *clientv3.Client
	endpoint string
	prefix   string
}

func start(t *testing.T) *kit {
	t.Helper()
	return startAt(t, serverEndpoints())
}

// startAtOneMember is for what one member alone promises: its own reads follow its own writes.
func startAtOneMember(t *testing.T) *kit {
	t.Helper()
	return startAt(t, serverEndpoints()[:1])
}

func startAt(t *testing.T, endpoints []string) *kit {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(func() {
		cancel()
		_ = client.Close()
	})
	prefix := fmt.Sprintf("c%d-%x/", caseNumber.Add(1), time.Now().UnixNano())
	return &kit{T: t, ctx: ctx, client: client, endpoint: endpoints[0], prefix: prefix}
}

// secondClient is another client with a connection of its own.
func (k *kit) secondClient() *clientv3.Client {
	k.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: serverEndpoints(), DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	k.ok(err)
	k.Cleanup(func() { _ = client.Close() })
	return client
}

// needs skips the case on a server older than major.minor, saying what is missing there.
func (k *kit) needs(major, minor int, what string) {
	k.Helper()
	parts := strings.SplitN(serverVersion, ".", 3)
	gotMajor, errMajor := strconv.Atoi(parts[0])
	gotMinor := 0
	var errMinor error
	if len(parts) > 1 {
		gotMinor, errMinor = strconv.Atoi(parts[1])
	}
	if errMajor != nil || errMinor != nil {
		k.Fatalf("the server's version %q is not a version", serverVersion)
	}
	if gotMajor < major || (gotMajor == major && gotMinor < minor) {
		k.Skipf("%s came with %d.%d, the server is %s", what, major, minor, serverVersion)
	}
}

func (k *kit) key(name string) string { return k.prefix + name }

func (k *kit) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatalf("unexpected error: %v", err)
	}
}

// fails asks for the exact error value of rpctypes (or any comparable error).
func (k *kit) fails(err, want error) {
	k.Helper()
	if !errors.Is(err, want) {
		k.Fatalf("error is %v, want %v", err, want)
	}
}

// failsOnWire asks for code and text as they cross the wire, from a call that bypasses the client's mapping.
func (k *kit) failsOnWire(err error, code codes.Code, text string) {
	k.Helper()
	got := status.Convert(err)
	if got.Code() != code || got.Message() != text {
		k.Fatalf("status is %s %q, want %s %q", got.Code(), got.Message(), code, text)
	}
}

func (k *kit) is(what string, got, want any) {
	k.Helper()
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		k.Fatalf("%s is %#v, want %#v", what, got, want)
	}
}

func (k *kit) put(name, value string, opts ...clientv3.OpOption) int64 {
	k.Helper()
	resp, err := k.client.Put(k.ctx, k.key(name), value, opts...)
	k.ok(err)
	return resp.Header.Revision
}

func (k *kit) get(name string, opts ...clientv3.OpOption) *clientv3.GetResponse {
	k.Helper()
	resp, err := k.client.Get(k.ctx, k.key(name), opts...)
	k.ok(err)
	return resp
}

// one is the only key value of a Get.
func (k *kit) one(name string, opts ...clientv3.OpOption) *mvccpb.KeyValue {
	k.Helper()
	resp := k.get(name, opts...)
	if len(resp.Kvs) != 1 {
		k.Fatalf("%s has %d key values, want 1", name, len(resp.Kvs))
	}
	return resp.Kvs[0]
}

func (k *kit) del(name string, opts ...clientv3.OpOption) *clientv3.DeleteResponse {
	k.Helper()
	resp, err := k.client.Delete(k.ctx, k.key(name), opts...)
	k.ok(err)
	return resp
}

func (k *kit) lease(ttlSeconds int64) clientv3.LeaseID {
	k.Helper()
	resp, err := k.client.Grant(k.ctx, ttlSeconds)
	k.ok(err)
	k.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = k.client.Revoke(ctx, resp.ID)
	})
	return resp.ID
}

// names joins the keys of a result without the prefix of the case.
func (k *kit) names(kvs []*mvccpb.KeyValue) string {
	names := make([]string, 0, len(kvs))
	for _, kv := range kvs {
		names = append(names, strings.TrimPrefix(string(kv.Key), k.prefix))
	}
	return strings.Join(names, " ")
}

func values(kvs []*mvccpb.KeyValue) string {
	out := make([]string, 0, len(kvs))
	for _, kv := range kvs {
		out = append(out, string(kv.Value))
	}
	return strings.Join(out, " ")
}

// rawKV is the generated stub, for requests that clientv3 would not let out.
func (k *kit) rawKV() pb.KVClient {
	k.connect()
	return pb.NewKVClient(k.client.ActiveConnection())
}

func (k *kit) connect() {
	k.Helper()
	_, err := k.client.Get(k.ctx, k.key("connect"))
	k.ok(err)
}

// eventually tries until the condition holds; it fails after the time given.
func (k *kit) eventually(what string, limit time.Duration, condition func() bool) {
	k.Helper()
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			k.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
