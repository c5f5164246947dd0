package conformance

import (
	"context"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fruit puts five keys whose order by key, value, version, creation and change all differ. It returns the revision
// before the first of them.
func fruit(k *kit) int64 {
	k.Helper()
	before := k.get("x").Header.Revision
	k.put("c", "5") // +1
	k.put("a", "4") // +2
	k.put("e", "1") // +3
	k.put("b", "2") // +4
	k.put("d", "3") // +5
	k.put("a", "4") // +6
	k.put("b", "2") // +7
	k.put("b", "2") // +8
	k.put("e", "1") // +9
	k.put("e", "1") // +10
	k.put("e", "1") // +11
	k.put("c", "5") // +12
	for range 4 {
		k.put("c", "5") // ..+16
	}
	return before
}

func TestGetOfAMissingKeyIsEmptyAndNoError(t *testing.T) {
	k := start(t)
	resp := k.get("missing")
	k.is("count", resp.Count, int64(0))
	k.is("keys", len(resp.Kvs), 0)
	k.is("more", resp.More, false)
}

func TestGetWithoutAKeyIsRefused(t *testing.T) {
	k := start(t)
	_, err := k.rawKV().Range(k.ctx, &pb.RangeRequest{})
	k.fails(err, rpctypes.ErrGRPCEmptyKey)
}

func TestRangeLeavesOutItsEnd(t *testing.T) {
	k := start(t)
	fruit(k)
	k.is("keys", k.names(k.get("b", clientv3.WithRange(k.key("d"))).Kvs), "b c")
}

func TestRangeWithTheEndBeforeTheStartIsEmpty(t *testing.T) {
	k := start(t)
	fruit(k)
	resp := k.get("d", clientv3.WithRange(k.key("b")))
	k.is("keys", len(resp.Kvs), 0)
	k.is("count", resp.Count, int64(0))
	same := k.get("d", clientv3.WithRange(k.key("d")))
	k.is("empty interval", len(same.Kvs), 0)
}

func TestRangeFromAKeyIsOpenEnded(t *testing.T) {
	k := start(t)
	fruit(k)
	resp := k.get("c", clientv3.WithFromKey(), clientv3.WithLimit(3))
	k.is("keys", k.names(resp.Kvs), "c d e")
}

func TestRangeOfEverythingCountsEveryKey(t *testing.T) {
	k := start(t)
	fruit(k)
	resp, err := k.client.Get(k.ctx, "\x00", clientv3.WithFromKey(), clientv3.WithCountOnly())
	k.ok(err)
	if resp.Count < 5 {
		k.Fatalf("count is %d, want at least 5", resp.Count)
	}
}

func TestPrefixStopsAtTheNextByte(t *testing.T) {
	k := start(t)
	for _, name := range []string{"p", "p/1", "p/\xff", "p0", "q"} {
		k.put(name, "v")
	}
	k.is("keys", k.names(k.get("p/", clientv3.WithPrefix()).Kvs), "p/1 p/\xff")
}

func TestLimitSetsMoreAndCountIgnoresIt(t *testing.T) {
	k := start(t)
	fruit(k)
	cut := k.get("", clientv3.WithPrefix(), clientv3.WithLimit(2))
	k.is("keys", k.names(cut.Kvs), "a b")
	k.is("more", cut.More, true)
	k.is("count", cut.Count, int64(5))
	exact := k.get("", clientv3.WithPrefix(), clientv3.WithLimit(5))
	k.is("more at the exact limit", exact.More, false)
	k.is("keys at the exact limit", len(exact.Kvs), 5)
}

func TestCountOnlySendsNoKeys(t *testing.T) {
	k := start(t)
	fruit(k)
	resp := k.get("", clientv3.WithPrefix(), clientv3.WithCountOnly(), clientv3.WithLimit(1))
	k.is("count", resp.Count, int64(5))
	k.is("keys", len(resp.Kvs), 0)
	k.is("more", resp.More, false)
}

func TestKeysOnlySendsNoValues(t *testing.T) {
	k := start(t)
	before := fruit(k)
	resp := k.get("", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	k.is("keys", k.names(resp.Kvs), "a b c d e")
	for _, kv := range resp.Kvs {
		k.is("value length", len(kv.Value), 0)
	}
	k.is("create revision", resp.Kvs[0].CreateRevision, before+2)
	k.is("version", resp.Kvs[0].Version, int64(2))
}

func TestSortByEveryTargetBothWays(t *testing.T) {
	cases := []struct {
		name       string
		target     clientv3.SortTarget
		ascending  string
		descending string
	}{
		{"key", clientv3.SortByKey, "a b c d e", "e d c b a"},
		{"value", clientv3.SortByValue, "e b d a c", "c a d b e"},
		{"version", clientv3.SortByVersion, "d a b e c", "c e b a d"},
		{"creation", clientv3.SortByCreateRevision, "c a e b d", "d b e a c"},
		{"change", clientv3.SortByModRevision, "d a b e c", "c e b a d"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := start(t)
			fruit(k)
			up := k.get("", clientv3.WithPrefix(), clientv3.WithSort(c.target, clientv3.SortAscend))
			k.is("ascending", k.names(up.Kvs), c.ascending)
			down := k.get("", clientv3.WithPrefix(), clientv3.WithSort(c.target, clientv3.SortDescend))
			k.is("descending", k.names(down.Kvs), c.descending)
		})
	}
}

func TestSortHappensBeforeTheLimit(t *testing.T) {
	k := start(t)
	fruit(k)
	resp := k.get("", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByValue, clientv3.SortDescend), clientv3.WithLimit(2))
	k.is("keys", k.names(resp.Kvs), "c a")
	k.is("more", resp.More, true)
	k.is("count", resp.Count, int64(5))
}

func TestSortByValueWithKeysOnlySortsByTheHiddenValue(t *testing.T) {
	k := start(t)
	fruit(k)
	resp := k.get("", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByValue, clientv3.SortAscend), clientv3.WithKeysOnly())
	k.is("keys", k.names(resp.Kvs), "e b d a c")
	k.is("values", len(values(resp.Kvs)), 4)
}

func TestASortTargetWithoutAnOrderSortsAscending(t *testing.T) {
	k := start(t)
	fruit(k)
	resp := k.get("", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByValue, clientv3.SortNone))
	k.is("keys", k.names(resp.Kvs), "e b d a c")
}

func TestFirstAndLastHelpersOfTheClient(t *testing.T) {
	k := start(t)
	fruit(k)
	cases := []struct {
		name string
		opts []clientv3.OpOption
		want string
	}{
		{"first key", clientv3.WithFirstKey(), "a"},
		{"last key", clientv3.WithLastKey(), "e"},
		{"first create", clientv3.WithFirstCreate(), "c"},
		{"last create", clientv3.WithLastCreate(), "d"},
		{"first change", clientv3.WithFirstRev(), "d"},
		{"last change", clientv3.WithLastRev(), "c"},
	}
	for _, c := range cases {
		k.is(c.name, k.names(k.get("", c.opts...).Kvs), c.want)
	}
}

func TestRevisionFiltersDropKeysAndCountIgnoresThem(t *testing.T) {
	k := start(t)
	before := fruit(k)
	cases := []struct {
		name string
		opt  clientv3.OpOption
		want string
	}{
		{"min create", clientv3.WithMinCreateRev(before + 4), "b d"},
		{"max create", clientv3.WithMaxCreateRev(before + 2), "a c"},
		{"min mod", clientv3.WithMinModRev(before + 11), "c e"},
		{"max mod", clientv3.WithMaxModRev(before + 6), "a d"},
	}
	for _, c := range cases {
		resp := k.get("", clientv3.WithPrefix(), c.opt)
		k.is(c.name, k.names(resp.Kvs), c.want)
		k.is(c.name+" count", resp.Count, int64(5))
	}
}

func TestMoreIsComputedAfterTheFilters(t *testing.T) {
	k := start(t)
	before := fruit(k)
	exact := k.get("", clientv3.WithPrefix(), clientv3.WithMaxModRev(before+6), clientv3.WithLimit(2))
	k.is("keys", k.names(exact.Kvs), "a d")
	k.is("more", exact.More, false)
	cut := k.get("", clientv3.WithPrefix(), clientv3.WithMaxModRev(before+6), clientv3.WithLimit(1))
	k.is("more when cut", cut.More, true)
}

func TestHistoricalReadSeesTheKeysOfItsRevision(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	k.put("b", "1")
	k.put("a", "2")
	last := k.del("b").Header.Revision
	old := k.get("", clientv3.WithPrefix(), clientv3.WithRev(first+1))
	k.is("keys", k.names(old.Kvs), "a b")
	k.is("values", values(old.Kvs), "1 1")
	k.is("version", old.Kvs[0].Version, int64(1))
	k.is("header revision", old.Header.Revision, last)
	k.is("before the key was there", k.get("a", clientv3.WithRev(first-1)).Count, int64(0))
	k.is("count only in the past", k.get("", clientv3.WithPrefix(), clientv3.WithCountOnly(), clientv3.WithRev(first)).Count, int64(1))
}

func TestReadOfAFutureRevisionIsRefused(t *testing.T) {
	k := start(t)
	revision := k.put("a", "1")
	_, err := k.client.Get(k.ctx, k.key("a"), clientv3.WithRev(revision+1000))
	k.fails(err, rpctypes.ErrFutureRev)
}

func TestANegativeRevisionReadsTheLatest(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	k.is("value", string(k.one("a", clientv3.WithRev(-5)).Value), "1")
}

func TestASerializableReadSeesTheMembersOwnWrites(t *testing.T) {
	k := startAtOneMember(t)
	k.put("a", "1")
	k.is("value", string(k.one("a", clientv3.WithSerializable()).Value), "1")
}

func TestAnUnknownSortOrderIsRefused(t *testing.T) {
	k := start(t)
	k.needs(3, 5, "the check of sort options")
	_, err := k.rawKV().Range(k.ctx, &pb.RangeRequest{Key: []byte(k.key("a")), SortOrder: pb.RangeRequest_SortOrder(9)})
	k.fails(err, rpctypes.ErrGRPCInvalidSortOption)
	_, err = k.rawKV().Range(k.ctx, &pb.RangeRequest{Key: []byte(k.key("a")), SortTarget: pb.RangeRequest_SortTarget(9)})
	k.fails(err, rpctypes.ErrGRPCInvalidSortOption)
}

func TestPagesByTheLastKeyCoverARangeOnce(t *testing.T) {
	k := start(t)
	for i := range 25 {
		k.put(fmt.Sprintf("k%02d", i), "v")
	}
	next, seen := k.key(""), 0
	end := clientv3.GetPrefixRangeEnd(k.prefix)
	for {
		resp, err := k.client.Get(k.ctx, next, clientv3.WithRange(end), clientv3.WithLimit(10))
		k.ok(err)
		seen += len(resp.Kvs)
		if !resp.More {
			break
		}
		next = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
	}
	k.is("keys", seen, 25)
}

func TestAReadWithADeadlineInThePastFails(t *testing.T) {
	k := start(t)
	ctx, cancel := context.WithTimeout(k.ctx, 1)
	defer cancel()
	_, err := k.client.Get(ctx, k.key("a"))
	k.fails(err, context.DeadlineExceeded)
}

func TestRangeStreamAnswersWhatRangeAnswers(t *testing.T) {
	k := start(t)
	for i := range 300 {
		k.put(fmt.Sprintf("k%03d", i), fmt.Sprintf("value %d", i))
	}
	stream, err := k.client.GetStream(k.ctx, k.prefix, clientv3.WithPrefix())
	k.ok(err)
	whole, err := clientv3.GetStreamToGetResponse(stream)
	if status.Code(err) == codes.Unimplemented {
		k.Skipf("the server has no RangeStream: %v", err)
	}
	k.ok(err)
	plain := k.get("", clientv3.WithPrefix())
	k.is("keys", k.names(whole.Kvs), k.names(plain.Kvs))
	k.is("values", values(whole.Kvs), values(plain.Kvs))
	k.is("count", whole.Count, plain.Count)
	k.is("more", whole.More, plain.More)
	k.is("revision", whole.Header.Revision, plain.Header.Revision)
}

func TestRangeStreamKeepsTheLimit(t *testing.T) {
	k := start(t)
	for i := range 30 {
		k.put(fmt.Sprintf("k%03d", i), "v")
	}
	stream, err := k.client.GetStream(k.ctx, k.prefix, clientv3.WithPrefix(), clientv3.WithLimit(17))
	k.ok(err)
	whole, err := clientv3.GetStreamToGetResponse(stream)
	if status.Code(err) == codes.Unimplemented {
		k.Skipf("the server has no RangeStream: %v", err)
	}
	k.ok(err)
	k.is("keys", len(whole.Kvs), 17)
	k.is("more", whole.More, true)
	k.is("count", whole.Count, int64(30))
}

func TestRangeStreamRefusesSorting(t *testing.T) {
	k := start(t)
	stream, err := k.client.GetStream(k.ctx, k.prefix, clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByValue, clientv3.SortDescend))
	k.ok(err)
	_, err = clientv3.GetStreamToGetResponse(stream)
	if status.Code(err) != codes.Unimplemented {
		k.Fatalf("error is %v, want Unimplemented", err)
	}
}
