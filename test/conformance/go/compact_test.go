package conformance

import (
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestCompactForgetsTheRevisionsBeforeAndKeepsItsOwn(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	second := k.put("a", "2")
	third := k.put("a", "3")
	resp, err := k.client.Compact(k.ctx, second)
	k.ok(err)
	k.is("revision", resp.Header.Revision, third)
	_, err = k.client.Get(k.ctx, k.key("a"), clientv3.WithRev(first))
	k.fails(err, rpctypes.ErrCompacted)
	k.is("at the compact revision", string(k.one("a", clientv3.WithRev(second)).Value), "2")
	k.is("latest", string(k.one("a").Value), "3")
}

func TestCompactKeepsTheNewestVersionOfEveryKey(t *testing.T) {
	k := start(t)
	k.put("quiet", "old")
	k.put("busy", "1")
	k.put("gone", "1")
	k.del("gone")
	last := k.put("busy", "2")
	_, err := k.client.Compact(k.ctx, last, clientv3.WithCompactPhysical())
	k.ok(err)
	k.is("keys", k.names(k.get("", clientv3.WithPrefix()).Kvs), "busy quiet")
	k.is("value", string(k.one("quiet").Value), "old")
	k.is("version", k.one("busy").Version, int64(2))
	k.is("version grows on", k.put("busy", "3"), last+1)
	k.is("version after", k.one("busy").Version, int64(3))
}

func TestCompactTwiceIsCompactedAndTheFutureIsFuture(t *testing.T) {
	k := start(t)
	revision := k.put("a", "1")
	_, err := k.client.Compact(k.ctx, revision)
	k.ok(err)
	_, err = k.client.Compact(k.ctx, revision)
	k.fails(err, rpctypes.ErrCompacted)
	_, err = k.client.Compact(k.ctx, revision-1)
	k.fails(err, rpctypes.ErrCompacted)
	_, err = k.client.Compact(k.ctx, revision+1000)
	k.fails(err, rpctypes.ErrFutureRev)
}

func TestATxnReadOfACompactedRevisionFailsWhole(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	last := k.put("a", "2")
	_, err := k.client.Compact(k.ctx, last)
	k.ok(err)
	_, err = k.client.Txn(k.ctx).Then(clientv3.OpPut(k.key("b"), "1"), clientv3.OpGet(k.key("a"), clientv3.WithRev(first))).Commit()
	k.fails(err, rpctypes.ErrCompacted)
	k.is("count", k.get("b").Count, int64(0))
}

func TestAKeyDeletedAndCompactedStartsAnew(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	deleted := k.del("a").Header.Revision
	_, err := k.client.Compact(k.ctx, deleted, clientv3.WithCompactPhysical())
	k.ok(err)
	k.is("at the compact revision", k.get("a", clientv3.WithRev(deleted)).Count, int64(0))
	revision := k.put("a", "2")
	k.is("revision goes on", revision, deleted+1)
	k.is("create revision", k.one("a").CreateRevision, revision)
	k.is("version", k.one("a").Version, int64(1))
}

func TestCompactionLeavesLeasesAlone(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	k.put("a", "1", clientv3.WithLease(lease))
	last := k.put("a", "2", clientv3.WithLease(lease))
	_, err := k.client.Compact(k.ctx, last, clientv3.WithCompactPhysical())
	k.ok(err)
	_, err = k.client.Revoke(k.ctx, lease)
	k.ok(err)
	k.is("count", k.get("a").Count, int64(0))
}
