package conformance

import (
	"context"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestErrorsCrossTheWireWithEtcdsCodeAndText(t *testing.T) {
	k := start(t)
	kv := k.rawKV()
	lease := pb.NewLeaseClient(k.client.ActiveConnection())
	key := []byte(k.key("a"))
	future := k.put("a", "1") + 1000
	nothing := func(_ any, err error) error { return err }
	cases := []struct {
		name string
		err  error
		code codes.Code
		text string
	}{
		{"range", nothing(kv.Range(k.ctx, &pb.RangeRequest{})), codes.InvalidArgument, "etcdserver: key is not provided"},
		{"put", nothing(kv.Put(k.ctx, &pb.PutRequest{})), codes.InvalidArgument, "etcdserver: key is not provided"},
		{"delete", nothing(kv.DeleteRange(k.ctx, &pb.DeleteRangeRequest{})), codes.InvalidArgument, "etcdserver: key is not provided"},
		{"ignore value", nothing(kv.Put(k.ctx, &pb.PutRequest{Key: []byte(k.key("x")), IgnoreValue: true})), codes.InvalidArgument, "etcdserver: key not found"},
		{"future read", nothing(kv.Range(k.ctx, &pb.RangeRequest{Key: key, Revision: future})), codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision"},
		{"future compaction", nothing(kv.Compact(k.ctx, &pb.CompactionRequest{Revision: future})), codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision"},
		{"unknown lease", nothing(kv.Put(k.ctx, &pb.PutRequest{Key: key, Lease: 0x7ead})), codes.NotFound, "etcdserver: requested lease not found"},
		{"revoke", nothing(lease.LeaseRevoke(k.ctx, &pb.LeaseRevokeRequest{ID: 0x7ead})), codes.NotFound, "etcdserver: requested lease not found"},
		{"long lease", nothing(lease.LeaseGrant(k.ctx, &pb.LeaseGrantRequest{TTL: 1 << 50})), codes.OutOfRange, "etcdserver: too large lease TTL"},
		{"empty operation", nothing(kv.Txn(k.ctx, &pb.TxnRequest{Failure: []*pb.RequestOp{{}}})), codes.InvalidArgument, "etcdserver: key not found"},
	}
	for _, c := range cases {
		got := status.Convert(c.err)
		if got.Code() != c.code || got.Message() != c.text {
			k.Errorf("%s: %s %q, want %s %q", c.name, got.Code(), got.Message(), c.code, c.text)
		}
	}
}

func TestAnUnknownMethodIsUnimplementedAndNamesIt(t *testing.T) {
	k := start(t)
	k.connect()
	err := k.client.ActiveConnection().Invoke(k.ctx, "/etcdserverpb.KV/Nonsense", &pb.RangeRequest{}, &pb.RangeResponse{})
	k.failsOnWire(err, codes.Unimplemented, "unknown method Nonsense for service etcdserverpb.KV")
}

func TestAnUnknownServiceIsUnimplementedAndNamesIt(t *testing.T) {
	k := start(t)
	k.connect()
	err := k.client.ActiveConnection().Invoke(k.ctx, "/nonsense.Service/Call", &pb.RangeRequest{}, &pb.RangeResponse{})
	k.failsOnWire(err, codes.Unimplemented, "unknown service nonsense.Service")
}

func TestAMessageOverTheTransportLimitIsResourceExhausted(t *testing.T) {
	k := start(t)
	kv := k.rawKV()
	_, err := kv.Put(k.ctx, &pb.PutRequest{Key: []byte(k.key("a")), Value: []byte(strings.Repeat("x", 3<<20))})
	got := status.Convert(err)
	if got.Code() != codes.ResourceExhausted || !strings.Contains(got.Message(), "received message larger than max") {
		k.Fatalf("status is %s %q", got.Code(), got.Message())
	}
	_, err = kv.Put(k.ctx, &pb.PutRequest{Key: []byte(k.key("a")), Value: []byte("v")})
	k.ok(err)
}

func TestAMessageThatIsNotProtobufIsRefusedAndTheConnectionLives(t *testing.T) {
	k := start(t)
	k.connect()
	conn := k.client.ActiveConnection()
	err := conn.Invoke(k.ctx, "/etcdserverpb.KV/Put", []byte{0x0a, 0xff, 0xff, 0xff}, &pb.PutResponse{}, grpc.ForceCodec(bytesCodec{}))
	if status.Code(err) != codes.Internal {
		k.Fatalf("error is %v, want Internal", err)
	}
	k.put("a", "1")
}

// bytesCodec sends bytes as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error { return nil }
func (bytesCodec) Name() string                       { return "proto" }

func TestUnknownFieldsOfARequestAreIgnored(t *testing.T) {
	k := start(t)
	k.connect()
	key := k.key("a")
	message := append([]byte{0x0a, byte(len(key))}, key...)
	message = append(message, 0x12, 0x01, 'v')
	message = append(message, 0xfa, 0x3e, 0x03, 'n', 'e', 'w') // field 1007, three bytes
	err := k.client.ActiveConnection().Invoke(k.ctx, "/etcdserverpb.KV/Put", message, &pb.PutResponse{}, grpc.ForceCodec(bytesCodec{}))
	k.ok(err)
	k.is("value", string(k.one("a").Value), "v")
}

func TestACancelledCallEndsAtOnce(t *testing.T) {
	k := start(t)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := k.client.Put(ctx, k.key("a"), "1")
	k.fails(err, context.Canceled)
}

func TestAnyClientAPIVersionHeaderIsAccepted(t *testing.T) {
	k := start(t)
	kv := k.rawKV()
	ctx := metadata.AppendToOutgoingContext(k.ctx, "client-api-version", "99.1")
	_, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte(k.key("a"))})
	k.ok(err)
}

func TestAThousandCallsAtOnceOnOneConnectionAllAnswer(t *testing.T) {
	k := start(t)
	failures := make(chan error, 1000)
	for range 1000 {
		go func() {
			_, err := k.client.Put(k.ctx, k.key("a"), "1")
			failures <- err
		}()
	}
	for range 1000 {
		k.ok(<-failures)
	}
	k.is("version", k.one("a").Version, int64(1000))
}

func TestAClientWithKeepAlivePingsIsNotThrownOut(t *testing.T) {
	k := start(t)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{k.endpoint}, DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: time.Second, PermitWithoutStream: false,
	})
	k.ok(err)
	defer client.Close()
	for range 3 {
		_, err := client.Put(k.ctx, k.key("a"), "1")
		k.ok(err)
		time.Sleep(200 * time.Millisecond)
	}
}
