package conformance

import (
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func TestStatusTellsWhoServesAndHowFarItIs(t *testing.T) {
	k := start(t)
	revision := k.put("a", "1")
	resp, err := k.client.Status(k.ctx, k.endpoint)
	k.ok(err)
	k.is("revision", resp.Header.Revision, revision)
	members, err := k.client.MemberList(k.ctx)
	k.ok(err)
	k.is("the leader is a member", slices.ContainsFunc(members.Members, func(member *pb.Member) bool {
		return member.ID == resp.Leader
	}), true)
	k.is("learner", resp.IsLearner, false)
	k.is("errors", len(resp.Errors), 0)
	if resp.RaftIndex == 0 || resp.RaftTerm == 0 || resp.RaftAppliedIndex == 0 || resp.DbSize <= 0 || resp.DbSizeInUse <= 0 {
		k.Fatalf("a field is zero: %v", resp)
	}
	if resp.RaftAppliedIndex > resp.RaftIndex || resp.DbSizeInUse > resp.DbSize {
		k.Fatalf("applied beyond the log or more in use than there is: %v", resp)
	}
	if strings.Count(resp.Version, ".") < 2 {
		k.Fatalf("version is %q", resp.Version)
	}
}

func TestTheRaftIndexGrowsWithWrites(t *testing.T) {
	k := start(t)
	before, err := k.client.Status(k.ctx, k.endpoint)
	k.ok(err)
	for range 10 {
		k.put("a", "1")
	}
	after, err := k.client.Status(k.ctx, k.endpoint)
	k.ok(err)
	if after.RaftIndex < before.RaftIndex+10 {
		k.Fatalf("index went from %d to %d over 10 writes", before.RaftIndex, after.RaftIndex)
	}
}

func TestHashKVIsStableAndSeesEveryWrite(t *testing.T) {
	k := start(t)
	first := k.put("a", "1")
	one, err := k.client.HashKV(k.ctx, k.endpoint, 0)
	k.ok(err)
	again, err := k.client.HashKV(k.ctx, k.endpoint, 0)
	k.ok(err)
	k.is("hash", again.Hash, one.Hash)
	k.is("header revision", one.Header.Revision, first)
	k.put("a", "1")
	changed, err := k.client.HashKV(k.ctx, k.endpoint, 0)
	k.ok(err)
	if changed.Hash == one.Hash {
		k.Fatal("the hash did not see a write")
	}
	past, err := k.client.HashKV(k.ctx, k.endpoint, first)
	k.ok(err)
	k.is("hash of the past revision", past.Hash, one.Hash)
}

func TestHashKVOfAFutureRevisionIsRefused(t *testing.T) {
	k := start(t)
	revision := k.put("a", "1")
	_, err := k.client.HashKV(k.ctx, k.endpoint, revision+1000)
	k.fails(err, rpctypes.ErrFutureRev)
}

func TestHashKVOfACompactedRevisionIsRefused(t *testing.T) {
	k := start(t)
	k.put("a", "1")
	last := k.put("a", "2")
	_, err := k.client.Compact(k.ctx, last, clientv3.WithCompactPhysical())
	k.ok(err)
	_, err = k.client.HashKV(k.ctx, k.endpoint, last-1)
	k.fails(err, rpctypes.ErrCompacted)
	resp, err := k.client.HashKV(k.ctx, k.endpoint, 0)
	k.ok(err)
	k.is("compact revision", resp.CompactRevision, last)
}

func TestHashAnswers(t *testing.T) {
	k := start(t)
	k.connect()
	resp, err := pb.NewMaintenanceClient(k.client.ActiveConnection()).Hash(k.ctx, &pb.HashRequest{})
	k.ok(err)
	if resp.Header.MemberId == 0 {
		k.Fatalf("header is %v", resp.Header)
	}
}

func TestAHealthyServerHasNoAlarms(t *testing.T) {
	k := start(t)
	resp, err := k.client.AlarmList(k.ctx)
	k.ok(err)
	k.is("alarms", len(resp.Alarms), 0)
}

func TestDisarmingWithNothingRaisedAnswersEmpty(t *testing.T) {
	k := start(t)
	resp, err := k.client.AlarmDisarm(k.ctx, &clientv3.AlarmMember{})
	k.ok(err)
	k.is("alarms", len(resp.Alarms), 0)
}

func TestAnAlarmRaisedByHandStopsPutsUntilDisarmed(t *testing.T) {
	k := startAtOneMember(t)
	state, err := k.client.Status(k.ctx, k.endpoint)
	k.ok(err)
	member := state.Header.MemberId
	k.put("a", "1")
	maintenance := pb.NewMaintenanceClient(k.client.ActiveConnection())
	_, err = maintenance.Alarm(k.ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: member, Alarm: pb.AlarmType_NOSPACE})
	k.ok(err)
	k.Cleanup(func() { // also when a check below fails, so that the other cases can write
		_, _ = maintenance.Alarm(k.client.Ctx(), &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: member, Alarm: pb.AlarmType_NOSPACE})
	})
	listed, err := k.client.AlarmList(k.ctx)
	k.ok(err)
	k.is("alarms", len(listed.Alarms), 1)
	k.is("member", listed.Alarms[0].MemberID, member)
	_, err = k.client.Put(k.ctx, k.key("a"), "2")
	k.fails(err, rpctypes.ErrNoSpace)
	_, err = k.client.Grant(k.ctx, 60)
	k.fails(err, rpctypes.ErrNoSpace)
	_, err = k.client.Txn(k.ctx).Then(clientv3.OpPut(k.key("a"), "2")).Commit()
	k.fails(err, rpctypes.ErrNoSpace)
	k.is("reads go on", string(k.one("a").Value), "1")
	k.is("deletes go on", k.del("a").Deleted, int64(1))
	disarmed, err := k.client.AlarmDisarm(k.ctx, &clientv3.AlarmMember{})
	k.ok(err)
	k.is("disarmed", len(disarmed.Alarms), 1)
	k.put("a", "3")
}

func TestDefragmentAnswersAndLosesNothing(t *testing.T) {
	k := start(t)
	for range 20 {
		k.put("a", strings.Repeat("x", 1000))
	}
	_, err := k.client.Defragment(k.ctx, k.endpoint)
	k.ok(err)
	k.is("version", k.one("a").Version, int64(20))
}

func TestTheHealthServiceSaysServing(t *testing.T) {
	k := start(t)
	k.connect()
	health := grpc_health_v1.NewHealthClient(k.client.ActiveConnection())
	resp, err := health.Check(k.ctx, &grpc_health_v1.HealthCheckRequest{})
	k.ok(err)
	k.is("status", resp.Status, grpc_health_v1.HealthCheckResponse_SERVING)
}

func TestMemberListNamesTheMemberThatServes(t *testing.T) {
	k := start(t)
	resp, err := k.client.MemberList(k.ctx)
	k.ok(err)
	at := slices.IndexFunc(resp.Members, func(member *pb.Member) bool { return member.ID == resp.Header.MemberId })
	if at < 0 {
		k.Fatalf("the member that serves is not in the list: %v", resp)
	}
	member := resp.Members[at]
	k.is("learner", member.IsLearner, false)
	if member.Name == "" || len(member.PeerURLs) == 0 || len(member.ClientURLs) == 0 {
		k.Fatalf("the member lacks a name or urls: %v", member)
	}
	k.is("revision of a cluster answer", resp.Header.Revision, int64(0))
}

func TestSyncTakesTheEndpointsOfTheMembers(t *testing.T) {
	k := start(t)
	other := k.secondClient()
	k.ok(other.Sync(k.ctx))
	_, err := other.Get(k.ctx, k.key("a"))
	k.ok(err)
	if len(other.Endpoints()) == 0 {
		k.Fatal("no endpoint after Sync")
	}
}
