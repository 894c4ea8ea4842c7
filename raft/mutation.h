/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_MUTATION_H
#define FL_RAFT_MUTATION_H
/*
 * Bugs on purpose, one at a time, to see whether the tests notice. RAFT_MUTATION(name) is the
 * constant 0 in what is shipped. Built with -DRAFT_MUTATIONS (raft_mutable_dep), it is true while
 * raft_mutation names it; only tests do that.
 */
#define RAFT_MUTATION_LIST(X)                                                                      \
	X(commit_old_term, "commits entries of older terms by counting copies (figure 8)")         \
	X(vote_before_persist, "answers a vote before it is on disk")                              \
	X(own_vote_before_persist, "counts its own vote before it is on disk")                     \
	X(ask_before_persist, "asks for votes before its log and term are on disk")                \
	X(forget_vote, "votes for whoever asks, twice in a term")                                  \
	X(stale_log_vote, "votes for a log that is behind its own")                                \
	X(no_term_check_on_append, "takes entries from the leader of an older term")               \
	X(no_log_match_check, "takes entries that do not follow what it has")                      \
	X(no_step_down_on_higher_term, "a leader goes on after it heard of a newer term")          \
	X(truncate_committed, "cuts committed entries when it is told others")                     \
	X(truncate_on_every_append, "cuts what follows an append, also where it agrees")           \
	X(append_reply_now, "says it has entries before they are on disk")                         \
	X(commit_before_own_persist, "a leader counts its copy before it is on disk")              \
	X(stale_persist, "counts entries as on disk though others were put in their place")        \
	X(apply_before_persist, "gives out committed entries that are not on its disk")            \
	X(commit_past_match, "follows the leader's commit past what is known to match")            \
	X(heartbeat_commit_past_match, "heartbeats tell a commit the follower may not match")      \
	X(stale_read, "answers reads without asking whether it still leads")                       \
	X(read_before_term_commit, "answers reads before anything of its term is committed")       \
	X(read_round_reused, "a read is answered by heartbeats sent before it came")               \
	X(learner_in_quorum, "counts learners' copies and votes")                                  \
	X(two_changes_at_once, "changes the members while another change is not committed")        \
	X(change_before_term_commit, "changes the members before an entry of its term commits")    \
	X(no_members_rollback, "keeps a change of members whose entry was cut off")                \
	X(removed_leader_counts_itself, "a leader on its way out counts its own copy")             \
	X(promote_laggard, "promotes a learner that has not caught up")                            \
	X(old_snapshot, "installs a snapshot older than what is committed")                        \
	X(snapshot_gap, "takes a snapshot's chunk that does not follow the one before")            \
	X(transfer_without_catchup, "hands leadership to a follower that is behind")               \
	X(no_lease, "lets anybody disturb a leader that is alive")                                 \
	X(no_check_quorum, "a leader without a quorum goes on")                                    \
	X(no_prevote, "campaigns without asking first")                                            \
	X(inflight_unbounded, "sends without bound to a follower that does not answer")

enum raft_mutation {
	RAFT_MUTATION_none,
#define RAFT_MUTATION_ENUM(name, text) RAFT_MUTATION_##name,
	RAFT_MUTATION_LIST(RAFT_MUTATION_ENUM)
#undef RAFT_MUTATION_ENUM
	    RAFT_MUTATION_COUNT
};

#ifdef RAFT_MUTATIONS
extern int raft_mutation;
const char *raft_mutation_name(int mutation);
const char *raft_mutation_text(int mutation);
#define RAFT_MUTATION(name) (raft_mutation == RAFT_MUTATION_##name)
#else
#define RAFT_MUTATION(name) 0
#endif
#endif
