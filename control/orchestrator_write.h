/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_ORCHESTRATOR_WRITE_H
#define FL_ORCHESTRATOR_WRITE_H
/* From what is decided in a roster to transactions: what differs from the store, each change alone.
 */
#include "orchestrator.h"

/* What a run is writing. */
struct write {
	const struct store_view *view;
	int64_t now;
	const struct orchestrator_config *config;
	struct transaction *transactions[ORCHESTRATOR_TRANSACTIONS_MAX];
	size_t count;
	size_t changes;
};

/* -ENOSPC: the transactions are full, and what is in them is good; -ENOMEM, or the source of ids'.
 */
int write_roster(struct write *write, struct roster *roster, const char *service_id);
void write_take(struct write *write, struct orchestrator_run *run);
void write_clear(struct write *write);
#endif
