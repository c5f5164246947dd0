package conformance

import (
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/clientv3util"
)

// holds answers which branch the server takes for these compares.
func (k *kit) holds(compares ...clientv3.Cmp) bool {
	k.Helper()
	resp, err := k.client.Txn(k.ctx).If(compares...).Commit()
	k.ok(err)
	return resp.Succeeded
}

func TestCompareOfEveryTargetAndResult(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	created := k.put("a", "m")
	modified := k.put("a", "m", clientv3.WithLease(lease))
	key := k.key("a")
	targets := []struct {
		name    string
		compare func(result string, delta int64) clientv3.Cmp
	}{
		{"version", func(r string, d int64) clientv3.Cmp { return clientv3.Compare(clientv3.Version(key), r, 2+d) }},
		{"create revision", func(r string, d int64) clientv3.Cmp {
			return clientv3.Compare(clientv3.CreateRevision(key), r, created+d)
		}},
		{"mod revision", func(r string, d int64) clientv3.Cmp {
			return clientv3.Compare(clientv3.ModRevision(key), r, modified+d)
		}},
		{"value", func(r string, d int64) clientv3.Cmp {
			return clientv3.Compare(clientv3.Value(key), r, string(rune('m'+d)))
		}},
		{"lease", func(r string, d int64) clientv3.Cmp {
			return clientv3.Compare(clientv3.LeaseValue(key), r, lease+clientv3.LeaseID(d))
		}},
	}
	want := map[string][3]bool{ // with a comparand below, equal to and above the key's own
		"=": {false, true, false}, "!=": {true, false, true}, ">": {true, false, false}, "<": {false, false, true},
	}
	for _, target := range targets {
		for result, answers := range want {
			for i, delta := range []int64{-1, 0, 1} {
				k.is(fmt.Sprintf("%s %s %+d", target.name, result, delta), k.holds(target.compare(result, delta)), answers[i])
			}
		}
	}
}

func TestCompareOfAMissingKeyTakesZeroButNoValue(t *testing.T) {
	k := start(t)
	key := k.key("missing")
	k.is("version = 0", k.holds(clientv3.Compare(clientv3.Version(key), "=", 0)), true)
	k.is("create = 0", k.holds(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)), true)
	k.is("mod < 5", k.holds(clientv3.Compare(clientv3.ModRevision(key), "<", 5)), true)
	k.is("mod > 0", k.holds(clientv3.Compare(clientv3.ModRevision(key), ">", 0)), false)
	k.is("lease = 0", k.holds(clientv3.Compare(clientv3.LeaseValue(key), "=", 0)), true)
	k.is("value = empty", k.holds(clientv3.Compare(clientv3.Value(key), "=", "")), false)
	k.is("value != x", k.holds(clientv3.Compare(clientv3.Value(key), "!=", "x")), false)
}

func TestCompareOfARangeAsksEveryKey(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	k.put("b", "1")
	k.is("all", k.holds(clientv3.Compare(clientv3.Value(k.prefix), "=", "1").WithPrefix()), true)
	k.put("c", "2")
	k.is("one differs", k.holds(clientv3.Compare(clientv3.Value(k.prefix), "=", "1").WithPrefix()), false)
	k.is("part", k.holds(clientv3.Compare(clientv3.Value(k.key("a")), "=", "1").WithRange(k.key("c"))), true)
	k.is("none", k.holds(clientv3.Compare(clientv3.Version(k.key("x")), "=", 0).WithPrefix()), true)
	k.is("none by value", k.holds(clientv3.Compare(clientv3.Value(k.key("x")), "!=", "1").WithPrefix()), false)
}

func TestComparesAreJoinedByAnd(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	yes := clientv3.Compare(clientv3.Value(k.key("a")), "=", "1")
	no := clientv3.Compare(clientv3.Value(k.key("a")), "=", "2")
	k.is("none", k.holds(), true)
	k.is("both hold", k.holds(yes, yes), true)
	k.is("one does not", k.holds(yes, no), false)
}

func TestKeyExistsAndKeyMissingHelpers(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	k.is("exists", k.holds(clientv3util.KeyExists(k.key("a"))), true)
	k.is("missing", k.holds(clientv3util.KeyMissing(k.key("b"))), true)
	k.is("not missing", k.holds(clientv3util.KeyMissing(k.key("a"))), false)
}

func TestTxnRunsTheBranchItsComparesChoose(t *testing.T) {
	k := start(t)
	before := k.put("a", "1")
	yes, err := k.client.Txn(k.ctx).If(clientv3util.KeyExists(k.key("a"))).
		Then(clientv3.OpPut(k.key("then"), "1")).Else(clientv3.OpPut(k.key("else"), "1")).Commit()
	k.ok(err)
	k.is("succeeded", yes.Succeeded, true)
	k.is("revision", yes.Header.Revision, before+1)
	no, err := k.client.Txn(k.ctx).If(clientv3util.KeyMissing(k.key("a"))).
		Then(clientv3.OpPut(k.key("x"), "1")).Else(clientv3.OpDelete(k.key("then"))).Commit()
	k.ok(err)
	k.is("succeeded", no.Succeeded, false)
	k.is("deleted", no.Responses[0].GetResponseDeleteRange().Deleted, int64(1))
	k.is("left", k.names(k.get("", clientv3.WithPrefix()).Kvs), "a")
}

func TestTxnWritesShareOneRevision(t *testing.T) {
	k := start(t)
	k.put("old", "1")
	before := k.put("older", "1")
	resp, err := k.client.Txn(k.ctx).Then(
		clientv3.OpPut(k.key("a"), "1"), clientv3.OpDelete(k.key("old")), clientv3.OpPut(k.key("b"), "1"),
	).Commit()
	k.ok(err)
	k.is("revision", resp.Header.Revision, before+1)
	k.is("a", k.one("a").ModRevision, before+1)
	k.is("b", k.one("b").ModRevision, before+1)
	for i, op := range resp.Responses {
		var inner int64
		if put := op.GetResponsePut(); put != nil {
			inner = put.Header.Revision
		} else {
			inner = op.GetResponseDeleteRange().Header.Revision
		}
		k.is(fmt.Sprintf("inner revision %d", i), inner, before+1)
	}
}

func TestARangeInATxnSeesTheWritesBeforeIt(t *testing.T) {
	k := start(t)
	k.put("a", "old")
	resp, err := k.client.Txn(k.ctx).Then(
		clientv3.OpGet(k.key("a")), clientv3.OpPut(k.key("a"), "new"), clientv3.OpGet(k.key("a")),
		clientv3.OpDelete(k.key("x")), clientv3.OpGet(k.prefix, clientv3.WithPrefix(), clientv3.WithCountOnly()),
	).Commit()
	k.ok(err)
	k.is("before", values(resp.Responses[0].GetResponseRange().Kvs), "old")
	k.is("after", values(resp.Responses[2].GetResponseRange().Kvs), "new")
	k.is("count", resp.Responses[4].GetResponseRange().Count, int64(1))
}

func TestATxnRangeHasAllRangeOptions(t *testing.T) {
	k := start(t)
	before := fruit(k)
	resp, err := k.client.Txn(k.ctx).Then(
		clientv3.OpGet(k.prefix, clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByValue, clientv3.SortDescend), clientv3.WithLimit(2)),
		clientv3.OpGet(k.prefix, clientv3.WithPrefix(), clientv3.WithRev(before+2)),
		clientv3.OpGet(k.prefix, clientv3.WithPrefix(), clientv3.WithMinCreateRev(before+4), clientv3.WithKeysOnly()),
	).Commit()
	k.ok(err)
	k.is("sorted", k.names(resp.Responses[0].GetResponseRange().Kvs), "c a")
	k.is("more", resp.Responses[0].GetResponseRange().More, true)
	k.is("count", resp.Responses[0].GetResponseRange().Count, int64(5))
	k.is("historical", k.names(resp.Responses[1].GetResponseRange().Kvs), "a c")
	k.is("filtered", k.names(resp.Responses[2].GetResponseRange().Kvs), "b d")
}

func TestAReadOnlyTxnMovesNoRevision(t *testing.T) {
	k := startAtOneMember(t)
	before := k.put("a", "1")
	resp, err := k.client.Txn(k.ctx).Then(clientv3.OpGet(k.key("a"))).Commit()
	k.ok(err)
	k.is("revision", resp.Header.Revision, before)
	serial, err := k.client.Txn(k.ctx).Then(clientv3.OpGet(k.key("a"), clientv3.WithSerializable())).Commit()
	k.ok(err)
	k.is("value", values(serial.Responses[0].GetResponseRange().Kvs), "1")
}

func TestAnEmptyTxnSucceeds(t *testing.T) {
	k := start(t)
	before := k.put("a", "1")
	resp, err := k.client.Txn(k.ctx).Commit()
	k.ok(err)
	k.is("succeeded", resp.Succeeded, true)
	k.is("responses", len(resp.Responses), 0)
	k.is("revision", resp.Header.Revision, before)
}

func TestATxnThatChangesNothingMovesNoRevision(t *testing.T) {
	k := start(t)
	before := k.put("a", "1")
	resp, err := k.client.Txn(k.ctx).Then(clientv3.OpDelete(k.key("missing"))).Commit()
	k.ok(err)
	k.is("revision", resp.Header.Revision, before)
}

func TestTxnPutsAndDeletesReturnPrevKV(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	k.put("b", "2")
	resp, err := k.client.Txn(k.ctx).Then(
		clientv3.OpPut(k.key("a"), "3", clientv3.WithPrevKV()), clientv3.OpDelete(k.key("b"), clientv3.WithPrevKV()),
	).Commit()
	k.ok(err)
	k.is("put", string(resp.Responses[0].GetResponsePut().PrevKv.Value), "1")
	k.is("delete", values(resp.Responses[1].GetResponseDeleteRange().PrevKvs), "2")
}

func TestNestedTxnsChooseTheirOwnBranches(t *testing.T) {
	k := start(t)
	before := k.put("a", "1")
	inner := clientv3.OpTxn([]clientv3.Cmp{clientv3util.KeyMissing(k.key("a"))},
		[]clientv3.Op{clientv3.OpPut(k.key("b"), "then")},
		[]clientv3.Op{clientv3.OpPut(k.key("b"), "else"), clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut(k.key("c"), "deep")}, nil)})
	resp, err := k.client.Txn(k.ctx).Then(clientv3.OpPut(k.key("d"), "outer"), inner).Commit()
	k.ok(err)
	k.is("revision", resp.Header.Revision, before+1)
	nested := resp.Responses[1].GetResponseTxn()
	k.is("inner succeeded", nested.Succeeded, false)
	k.is("inner responses", len(nested.Responses), 2)
	k.is("deepest succeeded", nested.Responses[1].GetResponseTxn().Succeeded, true)
	k.is("values", values(k.get("", clientv3.WithPrefix()).Kvs), "1 else deep outer")
	k.is("one revision", k.one("c").ModRevision, before+1)
}

func TestNestedComparesSeeTheStateBeforeTheTxn(t *testing.T) {
	k := start(t)
	inner := clientv3.OpTxn([]clientv3.Cmp{clientv3util.KeyExists(k.key("a"))},
		[]clientv3.Op{clientv3.OpPut(k.key("seen"), "yes")}, []clientv3.Op{clientv3.OpPut(k.key("seen"), "no")})
	_, err := k.client.Txn(k.ctx).Then(clientv3.OpPut(k.key("a"), "1"), inner).Commit()
	k.ok(err)
	k.is("seen", string(k.one("seen").Value), "no")
}

func TestDuplicateKeysInATxnAreRefused(t *testing.T) {
	k := start(t)
	a, b := k.key("a"), k.key("b")
	put := func(key string) clientv3.Op { return clientv3.OpPut(key, "v") }
	nest := func(then, otherwise []clientv3.Op) clientv3.Op { return clientv3.OpTxn(nil, then, otherwise) }
	cases := []struct {
		name    string
		refused bool
		ops     []clientv3.Op
	}{
		{"put twice", true, []clientv3.Op{put(a), put(a)}},
		{"put then delete", true, []clientv3.Op{put(a), clientv3.OpDelete(a)}},
		{"delete then put", true, []clientv3.Op{clientv3.OpDelete(a), put(a)}},
		{"put in a deleted range", true, []clientv3.Op{clientv3.OpDelete(k.prefix, clientv3.WithPrefix()), put(a)}},
		{"put beside a deleted range", false, []clientv3.Op{clientv3.OpDelete(a, clientv3.WithRange(b)), put(b)}},
		{"delete twice", false, []clientv3.Op{clientv3.OpDelete(a), clientv3.OpDelete(k.prefix, clientv3.WithPrefix())}},
		{"two keys", false, []clientv3.Op{put(a), put(b)}},
		{"put and nested put", true, []clientv3.Op{put(a), nest([]clientv3.Op{put(a)}, nil)}},
		{"put and nested delete", true, []clientv3.Op{put(a), nest([]clientv3.Op{clientv3.OpDelete(a)}, nil)}},
		{"delete and nested put", true, []clientv3.Op{clientv3.OpDelete(a), nest([]clientv3.Op{put(a)}, nil)}},
		{"two nested puts", true, []clientv3.Op{nest([]clientv3.Op{put(a)}, nil), nest(nil, []clientv3.Op{put(a)})}},
		{"both branches of one nested txn", false, []clientv3.Op{nest([]clientv3.Op{put(a)}, []clientv3.Op{put(a)})}},
		{"put and get", false, []clientv3.Op{put(a), clientv3.OpGet(a)}},
	}
	for _, c := range cases {
		_, err := k.client.Txn(k.ctx).Then(c.ops...).Commit()
		if c.refused {
			if err != rpctypes.ErrDuplicateKey {
				k.Fatalf("%s: error is %v, want %v", c.name, err, rpctypes.ErrDuplicateKey)
			}
		} else if err != nil {
			k.Fatalf("%s: %v", c.name, err)
		}
	}
}

func TestTheTwoBranchesOfATxnMayPutTheSameKey(t *testing.T) {
	k := start(t)
	_, err := k.client.Txn(k.ctx).Then(clientv3.OpPut(k.key("a"), "1")).Else(clientv3.OpPut(k.key("a"), "2")).Commit()
	k.ok(err)
}

func TestDuplicateKeysInTheBranchNotTakenAreRefusedToo(t *testing.T) {
	k := start(t)
	_, err := k.client.Txn(k.ctx).Else(clientv3.OpPut(k.key("a"), "1"), clientv3.OpPut(k.key("a"), "2")).Commit()
	k.fails(err, rpctypes.ErrDuplicateKey)
}

func manyPuts(k *kit, count int) []clientv3.Op {
	ops := make([]clientv3.Op, count)
	for i := range ops {
		ops[i] = clientv3.OpPut(k.key(fmt.Sprintf("k%03d", i)), "v")
	}
	return ops
}

func TestATxnHolds128OperationsAndNoMore(t *testing.T) {
	k := start(t)
	_, err := k.client.Txn(k.ctx).Then(manyPuts(k, 128)...).Commit()
	k.ok(err)
	k.is("count", k.get("", clientv3.WithPrefix(), clientv3.WithCountOnly()).Count, int64(128))
	_, err = k.client.Txn(k.ctx).Then(manyPuts(k, 129)...).Commit()
	k.fails(err, rpctypes.ErrTooManyOps)
	_, err = k.client.Txn(k.ctx).Else(manyPuts(k, 129)...).Commit()
	k.fails(err, rpctypes.ErrTooManyOps)
	compares := make([]clientv3.Cmp, 129)
	for i := range compares {
		compares[i] = clientv3util.KeyMissing(k.key("x"))
	}
	_, err = k.client.Txn(k.ctx).If(compares...).Commit()
	k.fails(err, rpctypes.ErrTooManyOps)
}

func TestATxnOperationWithoutAKeyIsRefused(t *testing.T) {
	k := start(t)
	_, err := k.client.Txn(k.ctx).Then(clientv3.OpPut("", "v")).Commit()
	k.fails(err, rpctypes.ErrEmptyKey)
	_, err = k.rawKV().Txn(k.ctx, &pb.TxnRequest{Compare: []*pb.Compare{{}}})
	k.fails(err, rpctypes.ErrGRPCEmptyKey)
	_, err = k.rawKV().Txn(k.ctx, &pb.TxnRequest{Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{}}}}})
	k.fails(err, rpctypes.ErrGRPCEmptyKey)
}

func TestATxnOperationThatIsNoneOfTheFourIsRefused(t *testing.T) {
	k := start(t)
	_, err := k.rawKV().Txn(k.ctx, &pb.TxnRequest{Success: []*pb.RequestOp{{}}})
	k.fails(err, rpctypes.ErrGRPCKeyNotFound)
}

func TestATxnFailsWholeWhenAPutNamesAnUnknownLease(t *testing.T) {
	k := start(t)
	before := k.put("a", "1")
	_, err := k.client.Txn(k.ctx).Then(clientv3.OpPut(k.key("b"), "1"), clientv3.OpPut(k.key("c"), "1", clientv3.WithLease(0x7ead))).Commit()
	k.fails(err, rpctypes.ErrLeaseNotFound)
	after := k.get("", clientv3.WithPrefix())
	k.is("keys", k.names(after.Kvs), "a")
	k.is("revision", after.Header.Revision, before)
}

func TestATxnFailsWholeWhenARangeAsksForTheFuture(t *testing.T) {
	k := start(t)
	before := k.put("a", "1")
	_, err := k.client.Txn(k.ctx).Then(clientv3.OpPut(k.key("b"), "1"), clientv3.OpGet(k.key("a"), clientv3.WithRev(before+1000))).Commit()
	k.fails(err, rpctypes.ErrFutureRev)
	k.is("count", k.get("b").Count, int64(0))
}

func TestATxnFailsWholeWhenIgnoreValueHasNoKey(t *testing.T) {
	k := start(t)
	_, err := k.client.Txn(k.ctx).Then(clientv3.OpPut(k.key("b"), "1"), clientv3.OpPut(k.key("missing"), "", clientv3.WithIgnoreValue())).Commit()
	k.fails(err, rpctypes.ErrKeyNotFound)
	k.is("count", k.get("b").Count, int64(0))
}

func TestOnlyOneOfManyRacingTxnsCreatesAKey(t *testing.T) {
	k := start(t)
	won := make(chan bool, 20)
	for i := range 20 {
		go func() {
			resp, err := k.client.Txn(k.ctx).If(clientv3util.KeyMissing(k.key("a"))).Then(clientv3.OpPut(k.key("a"), fmt.Sprint(i))).Commit()
			won <- err == nil && resp.Succeeded
		}()
	}
	winners := 0
	for range 20 {
		if <-won {
			winners++
		}
	}
	k.is("winners", winners, 1)
	k.is("version", k.one("a").Version, int64(1))
}
