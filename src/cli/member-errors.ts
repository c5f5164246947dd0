import type { ErrorName } from "../lib/errors.ts";

/** What lies behind etcd's refusals of changes to the members and the leader, and what to do next. */
export const memberErrorTexts: Partial<Readonly<Record<ErrorName, { message: string; hint: string }>>> = {
  memberNotFound: {
    message: "no such member",
    hint: "metastore member list; the id of a member that was removed never comes back",
  },
  memberExists: {
    message: "a member with that id exists",
    hint: "metastore member list; try again in a second",
  },
  peerUrlExists: {
    message: "another member has one of these peer URLs",
    hint: "metastore member list shows whose it is",
  },
  memberUrlsInvalid: {
    message: "these peer URLs are no addresses of a member",
    hint: "write http://HOST:PORT, without a path",
  },
  memberNotLearner: {
    message: "only a learner can be promoted",
    hint: "metastore member list shows who is one",
  },
  learnerNotReady: {
    message: "the learner has not caught up with the leader yet",
    hint: "metastore cluster status --once shows how far it lags; try again when that is little",
  },
  learnerTooMany: {
    message: "the cluster has as many learners as it may",
    hint: "promote or remove one first, or start the servers with a larger --max-learners",
  },
  learner: {
    message: "a learner serves no such request",
    hint: "name a voter in --endpoints: metastore member list",
  },
  memberNotEnoughStarted: {
    message: "too few members would be left that run: the cluster could lose its quorum",
    hint: "start the members that metastore member list shows as unstarted, or remove one of those first",
  },
  unhealthy: {
    message: "the cluster is not healthy enough for this change",
    hint: "all members must have been connected for 5 seconds: metastore cluster health --cluster",
  },
  notLeader: {
    message: "that member is not the leader",
    hint: "metastore leader show",
  },
  badLeaderTransferee: {
    message: "leadership can be handed to voters of the cluster only",
    hint: "metastore member list",
  },
  leaderTransferTimeout: {
    message: "the leader could not hand over in time, and stays the leader",
    hint: "metastore cluster status --once shows whether the other member keeps up",
  },
};
