/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "disk_internal.h"

/* One entry and one hard state, in one record: it is there or it is not. */
static int append_membership(struct disk *d, const struct raft_member *self,
			     struct raft_error *error)
{
	const struct wal_state *s = &d->wal.state;
	struct raft_members members = {.count = 1, .member = {*self}};
	uint64_t newest = s->last_term > s->hard_state.term ? s->last_term : s->hard_state.term;
	struct raft_entry entry = {
	    .index = s->last + 1, .term = newest + 1, .type = RAFT_ENTRY_MEMBERS};
	struct raft_hard_state hard_state = {
	    .term = entry.term, .vote = self->id, .commit = entry.index};
	struct disk_batch batch = {.hard_state = &hard_state, .entries = &entry, .entry_count = 1};
	size_t done;
	int err;

	members.member[0].role = RAFT_VOTER;
	entry.data = raft_members_encode(&members);
	if (!entry.data)
		return raft_error_set(error, -ENOMEM, "%s: no memory", d->folder.path);
	err = disk_write(d, &batch, 1, &done, error);
	raft_bytes_release(entry.data);
	return err;
}

int disk_force_new_cluster(const struct disk_options *options, const struct raft_member *self,
			   struct raft_error *error)
{
	struct raft_restored restored;
	struct disk *d;
	int err = disk_open(options, &d, &restored, error);

	if (err)
		return err;
	disk_restored_clear(&restored);
	if (d->wal.state.last == 0)
		err = raft_error_set(error, -ENODATA, "%s: there is no member in this folder",
				     options->path);
	else
		err = append_membership(d, self, error);
	disk_close(d);
	return err;
}
