package conformance

import (
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	recipe "go.etcd.io/etcd/client/v3/experimental/recipes"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/mirror"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/ordering"
	"go.uber.org/zap"
)

func TestNamespacePrefixesKeysBothWays(t *testing.T) {
	k := start(t)
	kv := namespace.NewKV(k.client.KV, k.prefix)
	_, err := kv.Put(k.ctx, "a", "1")
	k.ok(err)
	k.is("outside", string(k.one("a").Value), "1")
	inside, err := kv.Get(k.ctx, "a", clientv3.WithPrefix())
	k.ok(err)
	k.is("inside", string(inside.Kvs[0].Key), "a")
	resp, err := kv.Txn(k.ctx).If(clientv3.Compare(clientv3.Version("a"), "=", 1)).
		Then(clientv3.OpPut("b", "2"), clientv3.OpGet("", clientv3.WithPrefix())).Commit()
	k.ok(err)
	k.is("txn", resp.Succeeded, true)
	k.is("txn range", values(resp.Responses[1].GetResponseRange().Kvs), "1 2")
	deleted, err := kv.Delete(k.ctx, "", clientv3.WithPrefix())
	k.ok(err)
	k.is("deleted", deleted.Deleted, int64(2))
}

func TestNamespaceWatchesAndLeases(t *testing.T) {
	k := start(t)
	watcher := namespace.NewWatcher(k.client.Watcher, k.prefix)
	defer watcher.Close()
	channel := watcher.Watch(k.ctx, "a", clientv3.WithCreatedNotify())
	k.next(channel)
	lease := k.lease(60)
	k.put("a", "1", clientv3.WithLease(lease))
	k.is("key", string(k.next(channel).Events[0].Kv.Key), "a")
	resp, err := namespace.NewLease(k.client.Lease, k.prefix).TimeToLive(k.ctx, lease, clientv3.WithAttachedKeys())
	k.ok(err)
	k.is("attached", string(resp.Keys[0]), "a")
}

func TestOrderingSeesNoRevisionGoBack(t *testing.T) {
	k := startAtOneMember(t)
	violated := false
	kv := ordering.NewKV(k.client.KV, func(op clientv3.Op, resp clientv3.OpResponse, revision int64) error {
		violated = true
		return ordering.ErrNoGreaterRev
	})
	for range 20 {
		k.put("a", "1")
		_, err := kv.Get(k.ctx, k.key("a"), clientv3.WithSerializable())
		k.ok(err)
		_, err = kv.Txn(k.ctx).Then(clientv3.OpGet(k.key("a"))).Commit()
		k.ok(err)
	}
	k.is("violated", violated, false)
}

func TestLeasingCachesReadsAndKeepsThemTrue(t *testing.T) {
	k := start(t)
	first, closeFirst, err := leasing.NewKV(k.client, k.key("lease/"))
	k.ok(err)
	defer closeFirst()
	second, closeSecond, err := leasing.NewKV(k.secondClient(), k.key("lease/"))
	k.ok(err)
	defer closeSecond()
	_, err = first.Put(k.ctx, k.key("a"), "1")
	k.ok(err)
	for range 3 {
		resp, err := first.Get(k.ctx, k.key("a"))
		k.ok(err)
		k.is("cached", values(resp.Kvs), "1")
	}
	_, err = second.Put(k.ctx, k.key("a"), "2")
	k.ok(err)
	resp, err := first.Get(k.ctx, k.key("a"))
	k.ok(err)
	k.is("after another's write", values(resp.Kvs), "2")
}

func TestMirrorCopiesTheBaseAndFollowsUpdates(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	k.put("b", "2")
	syncer := mirror.NewSyncer(k.client, k.prefix, 0)
	base, failures := syncer.SyncBase(k.ctx)
	var keys []string
	for resp := range base {
		for _, kv := range resp.Kvs {
			keys = append(keys, strings.TrimPrefix(string(kv.Key), k.prefix))
		}
	}
	for err := range failures {
		k.ok(err)
	}
	k.is("base", strings.Join(keys, " "), "a b")
	updates := syncer.SyncUpdates(k.ctx)
	k.put("c", "3")
	k.is("update", k.events(updates, 1), "PUT c=3")
}

func TestKubernetesClientListsAndPutsOptimistically(t *testing.T) {
	k := start(t)
	client, err := kubernetes.New(clientv3.Config{Endpoints: []string{k.endpoint}, Logger: zap.NewNop()})
	k.ok(err)
	defer client.Close()
	created, err := client.Kubernetes.OptimisticPut(k.ctx, k.key("pods/a"), []byte("1"), 0, kubernetes.PutOptions{})
	k.ok(err)
	k.is("created", created.Succeeded, true)
	stale, err := client.Kubernetes.OptimisticPut(k.ctx, k.key("pods/a"), []byte("2"), 0, kubernetes.PutOptions{GetOnFailure: true})
	k.ok(err)
	k.is("stale", stale.Succeeded, false)
	k.is("what is there", string(stale.KV.Value), "1")
	updated, err := client.Kubernetes.OptimisticPut(k.ctx, k.key("pods/a"), []byte("2"), created.Revision, kubernetes.PutOptions{})
	k.ok(err)
	k.is("updated", updated.Succeeded, true)
	k.put("pods/b", "1")
	k.put("pods/c", "1")
	page, err := client.Kubernetes.List(k.ctx, k.key("pods/"), kubernetes.ListOptions{Limit: 2})
	k.ok(err)
	k.is("page", k.names(page.Kvs), "pods/a pods/b")
	k.is("count", page.Count, int64(3))
	rest, err := client.Kubernetes.List(k.ctx, k.key("pods/"), kubernetes.ListOptions{
		Limit: 2, Revision: page.Revision, Continue: string(page.Kvs[1].Key) + "\x00",
	})
	k.ok(err)
	k.is("rest", k.names(rest.Kvs), "pods/c")
	count, err := client.Kubernetes.Count(k.ctx, k.key("pods/"), kubernetes.CountOptions{})
	k.ok(err)
	k.is("count of all", count, int64(3))
	deleted, err := client.Kubernetes.OptimisticDelete(k.ctx, k.key("pods/a"), updated.Revision, kubernetes.DeleteOptions{})
	k.ok(err)
	k.is("deleted", deleted.Succeeded, true)
	one, err := client.Kubernetes.Get(k.ctx, k.key("pods/b"), kubernetes.GetOptions{})
	k.ok(err)
	k.is("get", string(one.KV.Value), "1")
}

func TestEndpointsAreRegisteredListedAndWatched(t *testing.T) {
	k := start(t)
	manager, err := endpoints.NewManager(k.client, strings.TrimSuffix(k.prefix, "/"))
	k.ok(err)
	updates, err := manager.NewWatchChannel(k.ctx)
	k.ok(err)
	k.ok(manager.AddEndpoint(k.ctx, k.key("one"), endpoints.Endpoint{Addr: "10.0.0.1:80"}))
	select {
	case update := <-updates:
		k.is("address", update[0].Endpoint.Addr, "10.0.0.1:80")
	case <-time.After(5 * time.Second):
		k.Fatal("the endpoint was not announced")
	}
	// List reads serializably: with several endpoints the member that answers may be behind.
	isListed := func(count int) func() bool {
		return func() bool {
			listed, err := manager.List(k.ctx)
			k.ok(err)
			return len(listed) == count
		}
	}
	k.eventually("one is listed", 5*time.Second, isListed(1))
	k.ok(manager.DeleteEndpoint(k.ctx, k.key("one")))
	k.eventually("none is listed after the deletion", 5*time.Second, isListed(0))
}

func TestQueueGivesItsItemsInOrder(t *testing.T) {
	k := start(t)
	queue := recipe.NewQueue(k.client, k.key("queue"))
	for _, item := range []string{"1", "2", "3"} {
		k.ok(queue.Enqueue(item))
	}
	for _, want := range []string{"1", "2", "3"} {
		got, err := queue.Dequeue()
		k.ok(err)
		k.is("item", got, want)
	}
	waited := make(chan string, 1)
	go func() {
		item, _ := queue.Dequeue()
		waited <- item
	}()
	time.Sleep(100 * time.Millisecond)
	k.ok(recipe.NewQueue(k.secondClient(), k.key("queue")).Enqueue("late"))
	k.is("waited for", <-waited, "late")
}

func TestPriorityQueueGivesTheSmallestFirst(t *testing.T) {
	k := start(t)
	queue := recipe.NewPriorityQueue(k.client, k.key("queue"))
	k.ok(queue.Enqueue("low", 9))
	k.ok(queue.Enqueue("high", 1))
	first, err := queue.Dequeue()
	k.ok(err)
	k.is("first", first, "high")
	second, err := queue.Dequeue()
	k.ok(err)
	k.is("second", second, "low")
}

func TestBarrierHoldsUntilReleased(t *testing.T) {
	k := start(t)
	barrier := recipe.NewBarrier(k.client, k.key("barrier"))
	k.ok(barrier.Hold())
	passed := make(chan error, 1)
	go func() { passed <- recipe.NewBarrier(k.secondClient(), k.key("barrier")).Wait() }()
	select {
	case err := <-passed:
		k.Fatalf("passed a held barrier: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	k.ok(barrier.Release())
	k.ok(<-passed)
}

func TestRWMutexSharesReadsAndNotWrites(t *testing.T) {
	k := start(t)
	first := recipe.NewRWMutex(k.session(), k.key("rw"))
	second := recipe.NewRWMutex(k.session(), k.key("rw"))
	writer := recipe.NewRWMutex(k.session(), k.key("rw"))
	k.ok(first.RLock())
	k.ok(second.RLock())
	written := make(chan error, 1)
	go func() { written <- writer.Lock() }()
	select {
	case err := <-written:
		k.Fatalf("wrote beside readers: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	k.ok(first.RUnlock())
	k.ok(second.RUnlock())
	k.ok(<-written)
	k.ok(writer.Unlock())
}

func TestDoubleBarrierWaitsForAll(t *testing.T) {
	k := start(t)
	const parties = 3
	entered := make(chan error, parties)
	for range parties {
		barrier := recipe.NewDoubleBarrier(k.session(), k.key("double"), parties)
		go func() {
			if err := barrier.Enter(); err != nil {
				entered <- err
				return
			}
			entered <- barrier.Leave()
		}()
	}
	for range parties {
		k.ok(<-entered)
	}
}

func TestWaitEventsFindsAnEventAfterARevision(t *testing.T) {
	k := start(t)
	revision := k.put("a", "1")
	k.del("a")
	event, err := recipe.WaitEvents(k.client, k.key("a"), revision, []mvccpb.Event_EventType{mvccpb.Event_DELETE})
	k.ok(err)
	k.is("event", k.describe(event), "DELETE a")
}

func TestASessionWithAGivenLeaseUsesIt(t *testing.T) {
	k := start(t)
	lease := k.lease(30)
	session := k.session(concurrency.WithLease(lease))
	k.is("lease", session.Lease(), lease)
	k.ok(session.Close())
	_, err := k.client.Revoke(k.ctx, lease)
	k.fails(err, rpctypes.ErrLeaseNotFound)
}
