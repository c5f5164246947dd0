package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// nextRevision is where a watch "from now on" begins when several members may serve it: the now of the member that
// does may be behind what another has answered.
func (k *kit) nextRevision() int64 {
	k.Helper()
	return k.get("now").Header.Revision + 1
}

// watch opens a watch and returns once the server has created it, so that later writes must reach it.
func (k *kit) watch(name string, opts ...clientv3.OpOption) clientv3.WatchChan {
	k.Helper()
	if len(serverEndpoints()) > 1 {
		opts = append([]clientv3.OpOption{clientv3.WithRev(k.nextRevision())}, opts...)
	}
	channel := k.client.Watch(k.ctx, k.key(name), append(opts, clientv3.WithCreatedNotify())...)
	created := k.next(channel)
	if !created.Created {
		k.Fatalf("the first answer is not created: %+v", created)
	}
	return channel
}

func (k *kit) next(channel clientv3.WatchChan) clientv3.WatchResponse {
	k.Helper()
	select {
	case resp, open := <-channel:
		if !open {
			k.Fatal("the watch channel closed")
		}
		return resp
	case <-time.After(10 * time.Second):
		k.Fatal("no answer on the watch for 10 s")
	}
	return clientv3.WatchResponse{}
}

// events collects the next `count` events as "PUT a=1" and "DELETE a".
func (k *kit) events(channel clientv3.WatchChan, count int) string {
	k.Helper()
	var seen []string
	for len(seen) < count {
		resp := k.next(channel)
		k.ok(resp.Err())
		for _, event := range resp.Events {
			seen = append(seen, k.describe(event))
		}
	}
	return strings.Join(seen, ", ")
}

func (k *kit) describe(event *clientv3.Event) string {
	name := strings.TrimPrefix(string(event.Kv.Key), k.prefix)
	if event.Type == clientv3.EventTypeDelete {
		return "DELETE " + name
	}
	return fmt.Sprintf("PUT %s=%s", name, event.Kv.Value)
}

// quiet asks that nothing arrives for a while.
func (k *kit) quiet(channel clientv3.WatchChan) {
	k.Helper()
	select {
	case resp, open := <-channel:
		if open {
			k.Fatalf("unexpected answer on a quiet watch: %+v", resp)
		}
		k.Fatal("the quiet watch closed")
	case <-time.After(300 * time.Millisecond):
	}
}

func TestWatchSeesPutsAndDeletesInOrder(t *testing.T) {
	k := start(t)
	channel := k.watch("a")
	k.put("a", "1")
	k.put("a", "2")
	k.del("a")
	k.put("a", "3")
	k.is("events", k.events(channel, 4), "PUT a=1, PUT a=2, DELETE a, PUT a=3")
}

func TestWatchEventsCarryTheWholeKeyValue(t *testing.T) {
	k := start(t)
	channel := k.watch("a")
	created := k.put("a", "1")
	modified := k.put("a", "2")
	deleted := k.del("a").Header.Revision
	first := k.next(channel).Events[0]
	k.is("is create", first.IsCreate(), true)
	second := k.next(channel).Events[0]
	k.is("is modify", second.IsModify(), true)
	k.is("create revision", second.Kv.CreateRevision, created)
	k.is("mod revision", second.Kv.ModRevision, modified)
	k.is("version", second.Kv.Version, int64(2))
	third := k.next(channel).Events[0]
	k.is("deletion revision", third.Kv.ModRevision, deleted)
	k.is("deletion create revision", third.Kv.CreateRevision, int64(0))
	k.is("deletion version", third.Kv.Version, int64(0))
	k.is("deletion value", len(third.Kv.Value), 0)
}

func TestWatchOfAKeyIsNotAWatchOfItsPrefix(t *testing.T) {
	k := start(t)
	channel := k.watch("a")
	k.put("aa", "1")
	k.put("a", "1")
	k.is("events", k.events(channel, 1), "PUT a=1")
}

func TestWatchOfAPrefixSeesItsKeysOnly(t *testing.T) {
	k := start(t)
	channel := k.watch("p/", clientv3.WithPrefix())
	k.put("p", "0")
	k.put("p/b", "1")
	k.put("p0", "0")
	k.put("p/a", "2")
	k.is("events", k.events(channel, 2), "PUT p/b=1, PUT p/a=2")
}

func TestWatchOfARangeLeavesOutItsEnd(t *testing.T) {
	k := start(t)
	channel := k.watch("b", clientv3.WithRange(k.key("d")))
	for _, name := range []string{"a", "b", "c", "d"} {
		k.put(name, "1")
	}
	k.put("b", "2")
	k.is("events", k.events(channel, 3), "PUT b=1, PUT c=1, PUT b=2")
}

func TestWatchFromAPastRevisionReplaysHistoryAndGoesOn(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	k.put("other", "x")
	k.del("a")
	k.put("a", "2")
	channel := k.watch("a", clientv3.WithRev(first))
	k.is("history", k.events(channel, 3), "PUT a=1, DELETE a, PUT a=2")
	k.put("a", "3")
	k.is("present", k.events(channel, 1), "PUT a=3")
}

func TestWatchFromAFutureRevisionWaitsForIt(t *testing.T) {
	k := start(t)
	now := k.put("a", "0")
	channel := k.watch("a", clientv3.WithRev(now+3))
	k.put("a", "1")
	k.put("a", "2")
	k.quiet(channel)
	k.put("a", "3")
	k.is("events", k.events(channel, 1), "PUT a=3")
}

func TestWatchPrevKVIsTheValueBefore(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	channel := k.watch("", clientv3.WithPrefix(), clientv3.WithPrevKV())
	k.put("a", "2")
	k.del("a")
	k.put("b", "1")
	second := k.next(channel).Events[0]
	k.is("previous of the change", string(second.PrevKv.Value), "1")
	third := k.next(channel).Events[0]
	k.is("previous of the deletion", string(third.PrevKv.Value), "2")
	k.is("previous version", third.PrevKv.Version, int64(2))
	if created := k.next(channel).Events[0]; created.PrevKv != nil {
		k.Fatalf("a creation has a previous value: %v", created.PrevKv)
	}
}

func TestWatchPrevKVHoldsInHistoryToo(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	k.put("a", "2")
	k.del("a")
	channel := k.watch("a", clientv3.WithRev(first), clientv3.WithPrevKV())
	var previous []string
	for len(previous) < 3 {
		for _, event := range k.next(channel).Events {
			value := "-"
			if event.PrevKv != nil {
				value = string(event.PrevKv.Value)
			}
			previous = append(previous, value)
		}
	}
	k.is("previous", strings.Join(previous, " "), "- 1 2")
}

func TestWatchWithoutPrevKVSendsNone(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	channel := k.watch("a")
	k.put("a", "2")
	if event := k.next(channel).Events[0]; event.PrevKv != nil {
		k.Fatal("a previous value came without being asked for")
	}
}

func TestWatchFilterPutLeavesDeletes(t *testing.T) {
	k := start(t)
	channel := k.watch("a", clientv3.WithFilterPut())
	k.put("a", "1")
	k.del("a")
	k.put("a", "2")
	k.del("a")
	k.is("events", k.events(channel, 2), "DELETE a, DELETE a")
}

func TestWatchFilterDeleteLeavesPuts(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	k.del("a")
	k.put("a", "2")
	channel := k.watch("a", clientv3.WithFilterDelete(), clientv3.WithRev(first))
	k.del("a")
	k.put("a", "3")
	k.is("events", k.events(channel, 3), "PUT a=1, PUT a=2, PUT a=3")
}

func TestWatchWithBothFiltersSendsNothing(t *testing.T) {
	k := start(t)
	channel := k.watch("a", clientv3.WithFilterDelete(), clientv3.WithFilterPut())
	k.put("a", "1")
	k.del("a")
	k.quiet(channel)
}

func TestTheEventsOfATxnArriveInOneAnswer(t *testing.T) {
	k := start(t)
	k.put("b", "0")
	channel := k.watch("", clientv3.WithPrefix())
	resp, err := k.client.Txn(k.ctx).Then(
		clientv3.OpPut(k.key("c"), "1"), clientv3.OpDelete(k.key("b")), clientv3.OpPut(k.key("a"), "1"),
	).Commit()
	k.ok(err)
	answer := k.next(channel)
	k.is("events", len(answer.Events), 3)
	k.is("first", k.describe(answer.Events[0]), "PUT c=1")
	k.is("second", k.describe(answer.Events[1]), "DELETE b")
	k.is("third", k.describe(answer.Events[2]), "PUT a=1")
	for _, event := range answer.Events {
		k.is("revision", event.Kv.ModRevision, resp.Header.Revision)
	}
	k.is("header", answer.Header.Revision, resp.Header.Revision)
}

func TestADeletedRangeSendsItsEventsInKeyOrder(t *testing.T) {
	k := start(t)
	for _, name := range []string{"c", "a", "b"} {
		k.put(name, "1")
	}
	channel := k.watch("", clientv3.WithPrefix())
	k.del("", clientv3.WithPrefix())
	k.is("events", k.events(channel, 3), "DELETE a, DELETE b, DELETE c")
}

func TestSeveralWatchersOfOneClientEachSeeTheirOwn(t *testing.T) {
	k := start(t)
	first, second, all := k.watch("a"), k.watch("b"), k.watch("", clientv3.WithPrefix())
	again := k.watch("a")
	k.put("a", "1")
	k.put("b", "2")
	k.is("first", k.events(first, 1), "PUT a=1")
	k.is("again", k.events(again, 1), "PUT a=1")
	k.is("second", k.events(second, 1), "PUT b=2")
	k.is("all", k.events(all, 2), "PUT a=1, PUT b=2")
}

func TestCancellingAWatchClosesItAndLeavesTheOthers(t *testing.T) {
	k := start(t)
	ctx, cancel := context.WithCancel(k.ctx)
	gone := k.client.Watch(ctx, k.key("a"), clientv3.WithCreatedNotify())
	k.next(gone)
	stays := k.watch("a")
	cancel()
	select {
	case _, open := <-gone:
		k.is("open", open, false)
	case <-time.After(5 * time.Second):
		k.Fatal("the cancelled watch stays open")
	}
	k.put("a", "1")
	k.is("events", k.events(stays, 1), "PUT a=1")
}

func TestAWatcherMissesNothingAndSeesNothingTwiceUnderLoad(t *testing.T) {
	k := start(t)
	const writers, writes = 8, 100
	channel := k.watch("", clientv3.WithPrefix())
	var group sync.WaitGroup
	for w := range writers {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range writes {
				if _, err := k.client.Put(k.ctx, k.key(fmt.Sprintf("w%d", w)), fmt.Sprint(i)); err != nil {
					k.Errorf("put: %v", err)
					return
				}
			}
		}()
	}
	next := make(map[string]int)
	last, seen := int64(0), 0
	for seen < writers*writes {
		resp := k.next(channel)
		k.ok(resp.Err())
		for _, event := range resp.Events {
			if event.Kv.ModRevision <= last {
				k.Fatalf("revision %d after %d", event.Kv.ModRevision, last)
			}
			last = event.Kv.ModRevision
			k.is("value", string(event.Kv.Value), fmt.Sprint(next[string(event.Kv.Key)]))
			next[string(event.Kv.Key)]++
			seen++
		}
	}
	group.Wait() // the last event may come before the answer to its put
}

func TestAWatchFromHistoryAndALiveWatchSeeTheSameEvents(t *testing.T) {
	k := start(t)
	live := k.watch("", clientv3.WithPrefix())
	first := k.put("k0", "0")
	for i := 1; i < 1500; i++ {
		if i%3 == 0 {
			k.del(fmt.Sprintf("k%d", i-1))
		} else {
			k.put(fmt.Sprintf("k%d", i), fmt.Sprint(i))
		}
	}
	history := k.watch("", clientv3.WithPrefix(), clientv3.WithRev(first))
	if k.events(live, 1500) != k.events(history, 1500) {
		k.Fatal("the two watches differ")
	}
}

func TestAProgressRequestAnswersWithTheCurrentRevision(t *testing.T) {
	k := start(t)
	channel := k.watch("a")
	revision := k.put("other", "1")
	// A server may drop the request while the watcher is not in step yet, so it is repeated.
	k.eventually("a progress answer", 10*time.Second, func() bool {
		k.ok(k.client.RequestProgress(k.ctx))
		select {
		case resp := <-channel:
			return resp.IsProgressNotify() && resp.Header.Revision >= revision
		case <-time.After(200 * time.Millisecond):
			return false
		}
	})
}

func TestAWatchedLeaseExpiryIsADelete(t *testing.T) {
	k := start(t)
	lease := k.lease(2)
	k.put("b", "1", clientv3.WithLease(lease))
	last := k.put("a", "1", clientv3.WithLease(lease))
	// Not "from now on": the member that watches may be behind the one that took the put.
	channel := k.watch("", clientv3.WithPrefix(), clientv3.WithRev(last+1))
	resp := k.next(channel)
	k.is("events", len(resp.Events), 2)
	k.is("first", k.describe(resp.Events[0]), "DELETE a")
	k.is("second", k.describe(resp.Events[1]), "DELETE b")
	k.is("one revision", resp.Events[0].Kv.ModRevision, resp.Events[1].Kv.ModRevision)
}

func TestAWatchOfACompactedRevisionIsCancelledWithTheCompactRevision(t *testing.T) {
	k := startAtOneMember(t)
	first := k.put("a", "1")
	k.put("a", "2")
	last := k.put("a", "3")
	_, err := k.client.Compact(k.ctx, last)
	k.ok(err)
	channel := k.client.Watch(k.ctx, k.key("a"), clientv3.WithRev(first))
	resp := k.next(channel)
	k.fails(resp.Err(), rpctypes.ErrCompacted)
	k.is("canceled", resp.Canceled, true)
	k.is("compact revision", resp.CompactRevision, last)
	fine := k.watch("a", clientv3.WithRev(last))
	k.is("at the compact revision", k.events(fine, 1), "PUT a=3")
}

func TestAWatchWithRequiredLeaderWorksWhileThereIsOne(t *testing.T) {
	k := start(t)
	channel := k.client.Watch(clientv3.WithRequireLeader(k.ctx), k.key("a"), clientv3.WithCreatedNotify())
	k.next(channel)
	k.put("a", "1")
	k.is("events", k.events(channel, 1), "PUT a=1")
}
