package conformance

import (
	"fmt"
	"os"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestAFreshStoreStandsAtRevisionOne(t *testing.T) {
	k := start(t)
	if os.Getenv("METASTORE_FRESH") == "" {
		k.Skip("the store may be in use; METASTORE_FRESH=1 says that it is new")
	}
	k.is("revision", firstRevision, int64(1))
}

func TestPutAnswersWithTheNextRevision(t *testing.T) {
	k := start(t)
	before := k.get("a").Header.Revision
	k.is("first", k.put("a", "1"), before+1)
	k.is("second", k.put("b", "1"), before+2)
	k.is("same value again", k.put("b", "1"), before+3)
}

func TestPutFillsTheWholeHeader(t *testing.T) {
	k := start(t)
	resp, err := k.client.Put(k.ctx, k.key("a"), "1")
	k.ok(err)
	h := resp.Header
	if h.ClusterId == 0 || h.MemberId == 0 || h.RaftTerm == 0 || h.Revision < 2 {
		k.Fatalf("header has a zero field: %v", h)
	}
	again := k.get("a").Header
	// With several endpoints another member may answer.
	if again.ClusterId != h.ClusterId || (len(serverEndpoints()) == 1 && again.MemberId != h.MemberId) {
		k.Fatalf("ids changed from %v to %v", h, again)
	}
}

func TestPutKeepsCreateRevisionAndCountsVersions(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	k.put("a", "2")
	third := k.put("a", "3")
	kv := k.one("a")
	k.is("create revision", kv.CreateRevision, first)
	k.is("mod revision", kv.ModRevision, third)
	k.is("version", kv.Version, int64(3))
	k.is("value", string(kv.Value), "3")
	k.is("lease", kv.Lease, int64(0))
}

func TestDeleteStartsANewGeneration(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	k.put("a", "2")
	k.del("a")
	revision := k.put("a", "3")
	kv := k.one("a")
	k.is("create revision", kv.CreateRevision, revision)
	k.is("version", kv.Version, int64(1))
}

func TestPutWithPrevKVAnswersTheValueBefore(t *testing.T) {
	k := start(t)
	none, err := k.client.Put(k.ctx, k.key("a"), "1", clientv3.WithPrevKV())
	k.ok(err)
	if none.PrevKv != nil {
		k.Fatalf("a new key has a previous value: %v", none.PrevKv)
	}
	resp, err := k.client.Put(k.ctx, k.key("a"), "2", clientv3.WithPrevKV())
	k.ok(err)
	k.is("previous value", string(resp.PrevKv.Value), "1")
	k.is("previous mod revision", resp.PrevKv.ModRevision, none.Header.Revision)
	plain, err := k.client.Put(k.ctx, k.key("a"), "3")
	k.ok(err)
	if plain.PrevKv != nil {
		k.Fatal("a previous value came without being asked for")
	}
}

func TestPutIgnoreValueKeepsTheValueAndMovesTheRevision(t *testing.T) {
	k := start(t)
	k.put("a", "kept")
	lease := k.lease(60)
	revision := k.put("a", "", clientv3.WithIgnoreValue(), clientv3.WithLease(lease))
	kv := k.one("a")
	k.is("value", string(kv.Value), "kept")
	k.is("lease", kv.Lease, int64(lease))
	k.is("mod revision", kv.ModRevision, revision)
	k.is("version", kv.Version, int64(2))
}

func TestPutIgnoreValueOnAMissingKeyIsKeyNotFound(t *testing.T) {
	k := start(t)
	_, err := k.client.Put(k.ctx, k.key("missing"), "", clientv3.WithIgnoreValue())
	k.fails(err, rpctypes.ErrKeyNotFound)
}

func TestPutIgnoreValueWithAValueIsRefused(t *testing.T) {
	k := start(t)
	_, err := k.rawKV().Put(k.ctx, &pb.PutRequest{Key: []byte(k.key("a")), Value: []byte("v"), IgnoreValue: true})
	k.fails(err, rpctypes.ErrGRPCValueProvided)
}

func TestPutIgnoreLeaseKeepsTheLease(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	k.put("a", "1", clientv3.WithLease(lease))
	k.put("a", "2", clientv3.WithIgnoreLease())
	kv := k.one("a")
	k.is("lease", kv.Lease, int64(lease))
	k.is("value", string(kv.Value), "2")
}

func TestPutIgnoreLeaseOnAMissingKeyIsKeyNotFound(t *testing.T) {
	k := start(t)
	_, err := k.client.Put(k.ctx, k.key("missing"), "v", clientv3.WithIgnoreLease())
	k.fails(err, rpctypes.ErrKeyNotFound)
}

func TestPutIgnoreLeaseWithALeaseIsRefused(t *testing.T) {
	k := start(t)
	_, err := k.rawKV().Put(k.ctx, &pb.PutRequest{Key: []byte(k.key("a")), Lease: 7, IgnoreLease: true})
	k.fails(err, rpctypes.ErrGRPCLeaseProvided)
}

func TestPutWithoutAKeyIsRefused(t *testing.T) {
	k := start(t)
	_, err := k.client.Put(k.ctx, "", "v")
	k.fails(err, rpctypes.ErrEmptyKey)
}

func TestPutWithAnUnknownLeaseIsLeaseNotFound(t *testing.T) {
	k := start(t)
	before := k.get("a").Header.Revision
	_, err := k.client.Put(k.ctx, k.key("a"), "v", clientv3.WithLease(clientv3.LeaseID(0x7ead)))
	k.fails(err, rpctypes.ErrLeaseNotFound)
	after := k.get("a")
	k.is("revision", after.Header.Revision, before)
	k.is("count", after.Count, int64(0))
}

func TestAnEmptyValueIsAValue(t *testing.T) {
	k := start(t)
	k.put("a", "")
	kv := k.one("a")
	k.is("length", len(kv.Value), 0)
	k.is("version", kv.Version, int64(1))
}

func TestKeysAndValuesAreAnyBytes(t *testing.T) {
	k := start(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	name := string(all) + "\xff\xfe\x00"
	value := strings.Repeat(string(all), 4)
	k.put(name, value)
	kv := k.one(name)
	k.is("key", string(kv.Key), k.key(name))
	k.is("value", string(kv.Value), value)
}

func TestKeysSortByUnsignedBytes(t *testing.T) {
	k := start(t)
	for _, name := range []string{"\xff", "\x00", "a", "\x80", "\x7f", "aa", "a\x00", ""} {
		k.put(name, "v")
	}
	got := k.names(k.get("", clientv3.WithPrefix()).Kvs)
	k.is("order", got, strings.Join([]string{"", "\x00", "a", "a\x00", "aa", "\x7f", "\x80", "\xff"}, " "))
}

func TestAValueOfOneMegabyteComesBackWhole(t *testing.T) {
	k := start(t)
	value := strings.Repeat("0123456789abcdef", 1<<16)
	k.put("big", value)
	if got := string(k.one("big").Value); got != value {
		k.Fatalf("the value changed: %d bytes of %d", len(got), len(value))
	}
	k.del("big")
}

func TestAValueOverTheRequestLimitIsRefusedByTheServer(t *testing.T) {
	k := start(t)
	_, err := k.client.Put(k.ctx, k.key("big"), strings.Repeat("x", 1600*1024))
	k.fails(err, rpctypes.ErrRequestTooLarge)
	k.is("count", k.get("big").Count, int64(0))
}

func TestAnAnswerMayBeLargerThanARequest(t *testing.T) {
	k := start(t)
	value := strings.Repeat("x", 1<<20)
	for i := range 6 {
		k.put(fmt.Sprintf("big%d", i), value)
	}
	kvs := k.get("", clientv3.WithPrefix()).Kvs
	k.is("keys", len(kvs), 6)
	for _, kv := range kvs {
		k.is("length", len(kv.Value), 1<<20)
	}
	k.del("", clientv3.WithPrefix())
}

func TestDeleteCountsAndReturnsWhatItDeleted(t *testing.T) {
	k := start(t)
	k.put("b", "2")
	k.put("a", "1")
	last := k.put("c", "3")
	resp := k.del("", clientv3.WithPrefix(), clientv3.WithPrevKV())
	k.is("deleted", resp.Deleted, int64(3))
	k.is("previous keys", k.names(resp.PrevKvs), "a b c")
	k.is("previous values", values(resp.PrevKvs), "1 2 3")
	k.is("revision", resp.Header.Revision, last+1)
}

func TestDeleteWithoutPrevKVReturnsNone(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	resp := k.del("a")
	k.is("deleted", resp.Deleted, int64(1))
	k.is("previous", len(resp.PrevKvs), 0)
}

func TestDeleteOfNothingMovesNoRevision(t *testing.T) {
	k := start(t)
	before := k.put("a", "1")
	resp := k.del("missing", clientv3.WithPrevKV())
	k.is("deleted", resp.Deleted, int64(0))
	k.is("revision", resp.Header.Revision, before)
	k.is("next", k.put("b", "1"), before+1)
}

func TestDeleteOfARangeLeavesItsEnd(t *testing.T) {
	k := start(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		k.put(name, "v")
	}
	resp := k.del("b", clientv3.WithRange(k.key("d")))
	k.is("deleted", resp.Deleted, int64(2))
	k.is("left", k.names(k.get("", clientv3.WithPrefix()).Kvs), "a d")
}

func TestDeleteWithoutAKeyIsRefused(t *testing.T) {
	k := start(t)
	_, err := k.rawKV().DeleteRange(k.ctx, &pb.DeleteRangeRequest{})
	k.fails(err, rpctypes.ErrGRPCEmptyKey)
}

func TestADeletedKeyIsGoneForEveryRead(t *testing.T) {
	k := startAtOneMember(t)
	k.put("a", "1")
	k.del("a")
	k.is("linearizable", k.get("a").Count, int64(0))
	k.is("serializable", k.get("a", clientv3.WithSerializable()).Count, int64(0))
	k.is("count only", k.get("a", clientv3.WithCountOnly()).Count, int64(0))
}
