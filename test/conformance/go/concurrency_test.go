package conformance

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

func (k *kit) session(opts ...concurrency.SessionOption) *concurrency.Session {
	k.Helper()
	session, err := concurrency.NewSession(k.client, append([]concurrency.SessionOption{concurrency.WithTTL(10)}, opts...)...)
	k.ok(err)
	k.Cleanup(func() { _ = session.Close() })
	return session
}

func TestMutexLetsOneHolderInAtATime(t *testing.T) {
	k := start(t)
	const contenders, rounds = 5, 6
	inside, total := 0, 0
	var group sync.WaitGroup
	for range contenders {
		session := k.session()
		group.Add(1)
		go func() {
			defer group.Done()
			for range rounds {
				mutex := concurrency.NewMutex(session, k.key("lock"))
				if err := mutex.Lock(k.ctx); err != nil {
					k.Errorf("lock: %v", err)
					return
				}
				// Unsynchronised on purpose: only the lock keeps these from racing.
				inside++
				if inside != 1 {
					k.Errorf("%d holders", inside)
				}
				total++
				inside--
				if err := mutex.Unlock(k.ctx); err != nil {
					k.Errorf("unlock: %v", err)
					return
				}
			}
		}()
	}
	group.Wait()
	k.is("total", total, contenders*rounds)
}

func TestTryLockOfAHeldMutexIsRefusedAtOnce(t *testing.T) {
	k := start(t)
	holder := concurrency.NewMutex(k.session(), k.key("lock"))
	other := concurrency.NewMutex(k.session(), k.key("lock"))
	k.ok(holder.TryLock(k.ctx))
	k.fails(other.TryLock(k.ctx), concurrency.ErrLocked)
	k.ok(holder.Unlock(k.ctx))
	k.ok(other.TryLock(k.ctx))
	k.ok(other.Unlock(k.ctx))
}

func TestMutexIsOwnerGuardsATxn(t *testing.T) {
	k := start(t)
	mutex := concurrency.NewMutex(k.session(), k.key("lock"))
	k.ok(mutex.Lock(k.ctx))
	resp, err := k.client.Txn(k.ctx).If(mutex.IsOwner()).Then(clientv3.OpPut(k.key("a"), "1")).Commit()
	k.ok(err)
	k.is("as the owner", resp.Succeeded, true)
	owner := mutex.IsOwner()
	k.ok(mutex.Unlock(k.ctx))
	resp, err = k.client.Txn(k.ctx).If(owner).Then(clientv3.OpPut(k.key("a"), "2")).Commit()
	k.ok(err)
	k.is("after unlock", resp.Succeeded, false)
}

func TestAWaitingLockGivesUpWithItsContext(t *testing.T) {
	k := start(t)
	holder := concurrency.NewMutex(k.session(), k.key("lock"))
	k.ok(holder.Lock(k.ctx))
	ctx, cancel := context.WithTimeout(k.ctx, 300*time.Millisecond)
	defer cancel()
	waiter := concurrency.NewMutex(k.session(), k.key("lock"))
	k.fails(waiter.Lock(ctx), context.DeadlineExceeded)
	k.is("waiting keys", k.get("lock/", clientv3.WithPrefix(), clientv3.WithCountOnly()).Count, int64(1))
	k.ok(holder.Unlock(k.ctx))
}

func TestAClosedSessionReleasesItsLock(t *testing.T) {
	k := start(t)
	session := k.session()
	k.ok(concurrency.NewMutex(session, k.key("lock")).Lock(k.ctx))
	waiter := concurrency.NewMutex(k.session(), k.key("lock"))
	locked := make(chan error, 1)
	go func() { locked <- waiter.Lock(k.ctx) }()
	time.Sleep(100 * time.Millisecond)
	k.ok(session.Close())
	k.ok(<-locked)
	k.ok(waiter.Unlock(k.ctx))
}

func TestAnOrphanedSessionLosesItsLockWhenItsLeaseExpires(t *testing.T) {
	k := start(t)
	session := k.session(concurrency.WithTTL(2))
	k.ok(concurrency.NewMutex(session, k.key("lock")).Lock(k.ctx))
	session.Orphan()
	waiter := concurrency.NewMutex(k.session(), k.key("lock"))
	begin := time.Now()
	k.ok(waiter.Lock(k.ctx))
	if waited := time.Since(begin); waited > 7*time.Second {
		k.Fatalf("waited %s for a lease of 2 s", waited)
	}
	k.ok(waiter.Unlock(k.ctx))
}

func TestLockerIsASyncLocker(t *testing.T) {
	k := start(t)
	locker := concurrency.NewLocker(k.session(), k.key("lock"))
	locker.Lock()
	k.is("held", k.get("lock/", clientv3.WithPrefix()).Count, int64(1))
	locker.Unlock()
	k.is("released", k.get("lock/", clientv3.WithPrefix()).Count, int64(0))
}

func TestElectionHasOneLeaderAndPassesOn(t *testing.T) {
	k := start(t)
	first := concurrency.NewElection(k.session(), k.key("seat"))
	second := concurrency.NewElection(k.session(), k.key("seat"))
	k.ok(first.Campaign(k.ctx, "one"))
	won := make(chan error, 1)
	go func() { won <- second.Campaign(k.ctx, "two") }()
	leader, err := second.Leader(k.ctx)
	k.ok(err)
	k.is("leader", values(leader.Kvs), "one")
	select {
	case err := <-won:
		k.Fatalf("the second candidate won while the first leads: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	k.ok(first.Resign(k.ctx))
	k.ok(<-won)
	leader, err = first.Leader(k.ctx)
	k.ok(err)
	k.is("leader", values(leader.Kvs), "two")
	k.ok(second.Resign(k.ctx))
	_, err = first.Leader(k.ctx)
	k.fails(err, concurrency.ErrElectionNoLeader)
}

func TestElectionProclaimChangesTheValueOfTheLeaderOnly(t *testing.T) {
	k := start(t)
	leader := concurrency.NewElection(k.session(), k.key("seat"))
	k.fails(leader.Proclaim(k.ctx, "early"), concurrency.ErrElectionNotLeader)
	k.ok(leader.Campaign(k.ctx, "one"))
	k.ok(leader.Proclaim(k.ctx, "uno"))
	resp, err := leader.Leader(k.ctx)
	k.ok(err)
	k.is("value", values(resp.Kvs), "uno")
	k.ok(leader.Resign(k.ctx))
}

func TestElectionObserversSeeEveryLeader(t *testing.T) {
	k := start(t)
	observed := concurrency.NewElection(k.session(), k.key("seat")).Observe(k.ctx)
	want := []string{"one", "uno", "two"}
	first := concurrency.NewElection(k.session(), k.key("seat"))
	second := concurrency.NewElection(k.session(), k.key("seat"))
	step := func(value string) {
		k.Helper()
		select {
		case resp := <-observed:
			k.is("observed", values(resp.Kvs), value)
		case <-time.After(5 * time.Second):
			k.Fatalf("%s was not observed", value)
		}
	}
	k.ok(first.Campaign(k.ctx, want[0]))
	step(want[0])
	k.ok(first.Proclaim(k.ctx, want[1]))
	step(want[1])
	k.ok(first.Resign(k.ctx))
	k.ok(second.Campaign(k.ctx, want[2]))
	step(want[2])
	k.ok(second.Resign(k.ctx))
}

func TestAnElectionIsResumedByItsKeyAndRevision(t *testing.T) {
	k := start(t)
	session := k.session()
	first := concurrency.NewElection(session, k.key("seat"))
	k.ok(first.Campaign(k.ctx, "one"))
	resumed := concurrency.ResumeElection(session, k.key("seat"), first.Key(), first.Rev())
	k.ok(resumed.Proclaim(k.ctx, "again"))
	resp, err := resumed.Leader(k.ctx)
	k.ok(err)
	k.is("value", values(resp.Kvs), "again")
	k.ok(resumed.Resign(k.ctx))
}

func increment(stm concurrency.STM, key string) error {
	value := stm.Get(key)
	if value == "" {
		// The weaker levels read without a quorum, maybe before the first put has come to that member: the commit, which
		// compares what was read, then refuses and the attempt is repeated.
		value = "0"
	}
	count, err := strconv.Atoi(value)
	if err != nil {
		return err
	}
	stm.Put(key, strconv.Itoa(count+1))
	return nil
}

func TestSTMLosesNoIncrementUnderContention(t *testing.T) {
	for name, level := range map[string]concurrency.Isolation{
		"serializable snapshot": concurrency.SerializableSnapshot, "serializable": concurrency.Serializable, "repeatable reads": concurrency.RepeatableReads,
	} {
		t.Run(name, func(t *testing.T) {
			k := start(t)
			k.put("n", "0")
			const workers, rounds = 6, 10
			var group sync.WaitGroup
			for range workers {
				group.Add(1)
				go func() {
					defer group.Done()
					for range rounds {
						_, err := concurrency.NewSTM(k.client, func(stm concurrency.STM) error { return increment(stm, k.key("n")) },
							concurrency.WithIsolation(level), concurrency.WithAbortContext(k.ctx))
						if err != nil {
							k.Errorf("stm: %v", err)
						}
					}
				}()
			}
			group.Wait()
			k.is("total", string(k.one("n").Value), fmt.Sprint(workers*rounds))
		})
	}
}

func TestSTMKeepsTheSumOfTransfers(t *testing.T) {
	k := start(t)
	const accounts, each = 5, 100
	for i := range accounts {
		k.put(fmt.Sprintf("acc%d", i), strconv.Itoa(each))
	}
	var group sync.WaitGroup
	for w := range 5 {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range 10 {
				from, to := k.key(fmt.Sprintf("acc%d", (w+i)%accounts)), k.key(fmt.Sprintf("acc%d", (w+2*i+1)%accounts))
				if from == to {
					continue
				}
				_, err := concurrency.NewSTM(k.client, func(stm concurrency.STM) error {
					source, _ := strconv.Atoi(stm.Get(from))
					target, _ := strconv.Atoi(stm.Get(to))
					stm.Put(from, strconv.Itoa(source-i))
					stm.Put(to, strconv.Itoa(target+i))
					return nil
				}, concurrency.WithAbortContext(k.ctx))
				if err != nil {
					k.Errorf("stm: %v", err)
				}
			}
		}()
	}
	group.Wait()
	sum := 0
	for _, kv := range k.get("acc", clientv3.WithPrefix()).Kvs {
		value, err := strconv.Atoi(string(kv.Value))
		k.ok(err)
		sum += value
	}
	k.is("sum", sum, accounts*each)
}

func TestSTMDeletesAndPrefetches(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	k.put("b", "2")
	_, err := concurrency.NewSTM(k.client, func(stm concurrency.STM) error {
		k.is("rev of a missing key", stm.Rev(k.key("missing")), int64(0))
		stm.Put(k.key("c"), stm.Get(k.key("a"))+stm.Get(k.key("b")))
		stm.Del(k.key("a"))
		return nil
	}, concurrency.WithPrefetch(k.key("a"), k.key("b")), concurrency.WithAbortContext(k.ctx))
	k.ok(err)
	k.is("keys", k.names(k.get("", clientv3.WithPrefix()).Kvs), "b c")
	k.is("value", string(k.one("c").Value), "12")
}

func TestAnSTMThatFailsWritesNothing(t *testing.T) {
	k := start(t)
	refused := fmt.Errorf("refused")
	_, err := concurrency.NewSTM(k.client, func(stm concurrency.STM) error {
		stm.Put(k.key("a"), "1")
		return refused
	}, concurrency.WithAbortContext(k.ctx))
	k.fails(err, refused)
	k.is("count", k.get("a").Count, int64(0))
}
