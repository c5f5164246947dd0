package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const unknownLease = clientv3.LeaseID(0x7ead7ead)

// grantWithID grants a lease under an id of the caller's choice, which clientv3 does not offer.
func (k *kit) grantWithID(id, ttlSeconds int64) (*pb.LeaseGrantResponse, error) {
	k.connect()
	return pb.NewLeaseClient(k.client.ActiveConnection()).LeaseGrant(k.ctx, &pb.LeaseGrantRequest{ID: id, TTL: ttlSeconds})
}

// freshLeaseID is unused with near certainty.
func freshLeaseID() int64 { return time.Now().UnixNano() & 0x7fffffffffff }

func TestGrantChoosesAPositiveIDAndMovesNoRevision(t *testing.T) {
	k := start(t)
	before := k.put("a", "1")
	resp, err := k.client.Grant(k.ctx, 60)
	k.ok(err)
	if resp.ID <= 0 {
		k.Fatalf("id is %d", resp.ID)
	}
	k.is("ttl", resp.TTL, int64(60))
	k.is("error", resp.Error, "")
	k.is("revision", k.get("a").Header.Revision, before)
	_, err = k.client.Revoke(k.ctx, resp.ID)
	k.ok(err)
	k.is("revision after a revoke without keys", k.get("a").Header.Revision, before)
}

func TestGrantKeepsAChosenIDAndRefusesItTwice(t *testing.T) {
	k := start(t)
	id := freshLeaseID()
	resp, err := k.grantWithID(id, 60)
	k.ok(err)
	k.is("id", resp.ID, id)
	_, err = k.grantWithID(id, 60)
	k.fails(err, rpctypes.ErrGRPCLeaseExist)
	_, err = k.client.Revoke(k.ctx, clientv3.LeaseID(id))
	k.ok(err)
	_, err = k.grantWithID(id, 60)
	k.ok(err)
	_, err = k.client.Revoke(k.ctx, clientv3.LeaseID(id))
	k.ok(err)
}

func TestGrantKeepsAllSixtyFourBitsOfAnID(t *testing.T) {
	k := start(t)
	for _, id := range []int64{1<<62 + freshLeaseID(), -freshLeaseID()} {
		resp, err := k.grantWithID(id, 60)
		k.ok(err)
		k.is("id", resp.ID, id)
		k.put("a", "1", clientv3.WithLease(clientv3.LeaseID(id)))
		k.is("lease of the key", k.one("a").Lease, id)
		_, err = k.client.Revoke(k.ctx, clientv3.LeaseID(id))
		k.ok(err)
	}
}

func TestGrantRaisesAShortTTL(t *testing.T) {
	k := start(t)
	for _, ttl := range []int64{1, 0, -5} {
		resp, err := k.client.Grant(k.ctx, ttl)
		k.ok(err)
		if resp.TTL < 2 {
			k.Fatalf("ttl %d was raised to %d only", ttl, resp.TTL)
		}
		_, err = k.client.Revoke(k.ctx, resp.ID)
		k.ok(err)
	}
}

func TestGrantRefusesATooLongTTL(t *testing.T) {
	k := start(t)
	_, err := k.client.Grant(k.ctx, 9_000_000_001)
	k.fails(err, rpctypes.ErrLeaseTTLTooLarge)
	resp, err := k.client.Grant(k.ctx, 9_000_000_000)
	k.ok(err)
	_, err = k.client.Revoke(k.ctx, resp.ID)
	k.ok(err)
}

func TestRevokeDeletesTheKeysInOneRevision(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	k.put("b", "1", clientv3.WithLease(lease))
	k.put("a", "1", clientv3.WithLease(lease))
	before := k.put("c", "1")
	resp, err := k.client.Revoke(k.ctx, lease)
	k.ok(err)
	k.is("revision", resp.Header.Revision, before+1)
	left := k.get("", clientv3.WithPrefix())
	k.is("left", k.names(left.Kvs), "c")
	k.is("revision after", left.Header.Revision, before+1)
}

func TestRevokeOfAnUnknownLeaseFails(t *testing.T) {
	k := start(t)
	_, err := k.client.Revoke(k.ctx, unknownLease)
	k.fails(err, rpctypes.ErrLeaseNotFound)
}

func TestARevokedLeaseCannotBeAttached(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	_, err := k.client.Revoke(k.ctx, lease)
	k.ok(err)
	_, err = k.client.Put(k.ctx, k.key("a"), "1", clientv3.WithLease(lease))
	k.fails(err, rpctypes.ErrLeaseNotFound)
}

func TestTimeToLiveTellsTheRestTheGrantAndTheKeys(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	k.put("a", "1", clientv3.WithLease(lease))
	k.put("b", "1", clientv3.WithLease(lease))
	resp, err := k.client.TimeToLive(k.ctx, lease, clientv3.WithAttachedKeys())
	k.ok(err)
	k.is("granted", resp.GrantedTTL, int64(60))
	if resp.TTL < 55 || resp.TTL > 60 {
		k.Fatalf("ttl is %d, want a little under 60", resp.TTL)
	}
	keys := make([]string, 0, len(resp.Keys))
	for _, key := range resp.Keys {
		keys = append(keys, strings.TrimPrefix(string(key), k.prefix))
	}
	slices.Sort(keys)
	k.is("keys", strings.Join(keys, " "), "a b")
	plain, err := k.client.TimeToLive(k.ctx, lease)
	k.ok(err)
	k.is("keys when not asked for", len(plain.Keys), 0)
}

func TestTimeToLiveOfAnUnknownLeaseIsMinusOne(t *testing.T) {
	k := start(t)
	resp, err := k.client.TimeToLive(k.ctx, unknownLease)
	k.ok(err)
	k.is("ttl", resp.TTL, int64(-1))
	k.is("granted", resp.GrantedTTL, int64(0))
	k.is("id", resp.ID, unknownLease)
}

func TestLeasesListsTheLiveOnes(t *testing.T) {
	k := start(t)
	first, second := k.lease(60), k.lease(90)
	_, err := k.client.Revoke(k.ctx, second)
	k.ok(err)
	// As in etcd, a member answers from what it has applied: it may be behind the one that granted and revoked.
	k.eventually("the live one is listed, the revoked one is not", 5*time.Second, func() bool {
		resp, err := k.client.Leases(k.ctx)
		k.ok(err)
		listed := map[clientv3.LeaseID]bool{}
		for _, lease := range resp.Leases {
			listed[lease.ID] = true
		}
		return listed[first] && !listed[second]
	})
}

func TestKeepAliveOnceRenewsAndAnswersTheGrantedTTL(t *testing.T) {
	k := start(t)
	lease := k.lease(5)
	time.Sleep(2100 * time.Millisecond)
	worn, err := k.client.TimeToLive(k.ctx, lease)
	k.ok(err)
	if worn.TTL > 3 {
		k.Fatalf("ttl is %d after 2.1 s of 5", worn.TTL)
	}
	resp, err := k.client.KeepAliveOnce(k.ctx, lease)
	k.ok(err)
	k.is("ttl", resp.TTL, int64(5))
	renewed, err := k.client.TimeToLive(k.ctx, lease)
	k.ok(err)
	if renewed.TTL < 4 {
		k.Fatalf("ttl is %d after the renewal", renewed.TTL)
	}
}

func TestKeepAliveOnceOfAnUnknownLeaseIsLeaseNotFound(t *testing.T) {
	k := start(t)
	_, err := k.client.KeepAliveOnce(k.ctx, unknownLease)
	k.fails(err, rpctypes.ErrLeaseNotFound)
}

func TestKeepAliveHoldsALeaseBeyondItsTTL(t *testing.T) {
	k := start(t)
	lease := k.lease(2)
	k.put("a", "1", clientv3.WithLease(lease))
	answers, err := k.client.KeepAlive(k.ctx, lease)
	k.ok(err)
	deadline := time.After(4500 * time.Millisecond)
	renewals := 0
	for waiting := true; waiting; {
		select {
		case resp, open := <-answers:
			if !open {
				k.Fatal("the keep-alive channel closed")
			}
			k.is("ttl", resp.TTL, int64(2))
			renewals++
		case <-deadline:
			waiting = false
		}
	}
	if renewals < 3 {
		k.Fatalf("%d renewals in 4.5 s", renewals)
	}
	k.is("key", k.get("a").Count, int64(1))
}

func TestKeepAliveOfARevokedLeaseClosesItsChannel(t *testing.T) {
	k := start(t)
	lease := k.lease(2)
	answers, err := k.client.KeepAlive(k.ctx, lease)
	k.ok(err)
	<-answers
	_, err = k.client.Revoke(k.ctx, lease)
	k.ok(err)
	limit := time.After(8 * time.Second)
	for {
		select {
		case _, open := <-answers:
			if !open {
				return
			}
		case <-limit:
			k.Fatal("the channel stays open")
		}
	}
}

func TestAKeepAliveStreamAnswersInOrderAndZeroForTheUnknown(t *testing.T) {
	k := start(t)
	k.connect()
	lease := k.lease(60)
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	stream, err := pb.NewLeaseClient(k.client.ActiveConnection()).LeaseKeepAlive(ctx)
	k.ok(err)
	ids := []int64{int64(lease), int64(unknownLease), int64(lease)}
	for _, id := range ids {
		k.ok(stream.Send(&pb.LeaseKeepAliveRequest{ID: id}))
	}
	for i, want := range []int64{60, 0, 60} {
		resp, err := stream.Recv()
		k.ok(err)
		k.is(fmt.Sprintf("id %d", i), resp.ID, ids[i])
		k.is(fmt.Sprintf("ttl %d", i), resp.TTL, want)
	}
}

func TestAnExpiredLeaseTakesItsKeysWithIt(t *testing.T) {
	k := start(t)
	lease := k.lease(2)
	begin := time.Now()
	k.put("a", "1", clientv3.WithLease(lease))
	k.put("b", "1")
	k.eventually("the key is gone", 8*time.Second, func() bool { return k.get("a").Count == 0 })
	if waited := time.Since(begin); waited < 1800*time.Millisecond {
		k.Fatalf("gone after %s, before its time", waited)
	}
	k.is("the other key", k.get("b").Count, int64(1))
	resp, err := k.client.TimeToLive(k.ctx, lease)
	k.ok(err)
	k.is("ttl", resp.TTL, int64(-1))
	_, err = k.client.Revoke(k.ctx, lease)
	k.fails(err, rpctypes.ErrLeaseNotFound)
}

func TestAPutWithoutALeaseDetachesTheKey(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	k.put("a", "1", clientv3.WithLease(lease))
	k.put("a", "2")
	k.is("lease", k.one("a").Lease, int64(0))
	_, err := k.client.Revoke(k.ctx, lease)
	k.ok(err)
	k.is("value", string(k.one("a").Value), "2")
}

func TestAPutWithAnotherLeaseMovesTheKey(t *testing.T) {
	k := start(t)
	first, second := k.lease(60), k.lease(60)
	k.put("a", "1", clientv3.WithLease(first))
	k.put("a", "2", clientv3.WithLease(second))
	_, err := k.client.Revoke(k.ctx, first)
	k.ok(err)
	k.is("after the first", k.get("a").Count, int64(1))
	_, err = k.client.Revoke(k.ctx, second)
	k.ok(err)
	k.is("after the second", k.get("a").Count, int64(0))
}

func TestADeletedKeyIsDetached(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	k.put("a", "1", clientv3.WithLease(lease))
	k.del("a")
	resp, err := k.client.TimeToLive(k.ctx, lease, clientv3.WithAttachedKeys())
	k.ok(err)
	k.is("keys", len(resp.Keys), 0)
	k.put("a", "2")
	_, err = k.client.Revoke(k.ctx, lease)
	k.ok(err)
	k.is("key", k.get("a").Count, int64(1))
}

func TestATxnAttachesKeysToALease(t *testing.T) {
	k := start(t)
	lease := k.lease(60)
	_, err := k.client.Txn(k.ctx).Then(
		clientv3.OpPut(k.key("a"), "1", clientv3.WithLease(lease)), clientv3.OpPut(k.key("b"), "1", clientv3.WithLease(lease)),
	).Commit()
	k.ok(err)
	before := k.get("a").Header.Revision
	resp, err := k.client.Revoke(k.ctx, lease)
	k.ok(err)
	k.is("revision", resp.Header.Revision, before+1)
	k.is("left", k.get("", clientv3.WithPrefix()).Count, int64(0))
}

func TestGrantedLeasesFillTheWholeHeader(t *testing.T) {
	k := start(t)
	revision := k.put("a", "1")
	resp, err := k.client.Grant(k.ctx, 60)
	k.ok(err)
	h := resp.ResponseHeader
	if h.ClusterId == 0 || h.MemberId == 0 || h.RaftTerm == 0 {
		k.Fatalf("header has a zero field: %v", h)
	}
	k.is("revision", h.Revision, revision)
	_, err = k.client.Revoke(k.ctx, resp.ID)
	k.ok(err)
}
