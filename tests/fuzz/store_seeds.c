/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the seeds of store_fuzz.c into a folder: entries and the records of a snapshot.
 *
 *   store_seeds tests/fuzz/corpus/store
 */
#include <stdio.h>
#include <stdlib.h>

#include "store.h"
#include "transaction.h"

static void check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "store_seeds: %s\n", what);
	exit(1);
}

static void save(const char *folder, const char *name, const void *head, size_t head_size,
		 const void *bytes, size_t size)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	check(file && fwrite(head, 1, head_size, file) == head_size &&
		  fwrite(bytes, 1, size, file) == size && !fclose(file),
	      path);
}

static void add_objects(struct transaction *transaction)
{
	Fl__NetworkAttachmentConfig network = FL__NETWORK_ATTACHMENT_CONFIG__INIT;
	Fl__TaskSpec template = FL__TASK_SPEC__INIT;
	Fl__ServiceSpec spec = FL__SERVICE_SPEC__INIT;
	Fl__Service service = FL__SERVICE__INIT;
	Fl__NodeDescription description = FL__NODE_DESCRIPTION__INIT;
	Fl__Node node = FL__NODE__INIT;
	Fl__Task task = FL__TASK__INIT;

	network.target = (char[]){"n"};
	template.n_networks = 1;
	template.networks = (Fl__NetworkAttachmentConfig *[]){&network};
	spec.name = (char[]){"db"};
	spec.task_template = &template;
	service.id = (char[]){"u"};
	service.spec = &spec;
	description.hostname = (char[]){"host"};
	node.id = (char[]){"n1"};
	node.description = &description;
	task.id = (char[]){"t2"};
	task.service_id = (char[]){"u"};
	task.node_id = (char[]){"n1"};
	task.has_slot = true;
	task.slot = 3;
	check(!transaction_create(transaction, &service.base) &&
		  !transaction_create(transaction, &node.base) &&
		  !transaction_create(transaction, &task.base),
	      "create");
}

static void save_entry(const char *folder, const char *name, struct transaction *transaction)
{
	size_t size;
	const void *bytes = transaction_bytes(transaction, &size);

	save(folder, name, "\0", 1, bytes, size);
	transaction_free(transaction);
}

int main(int argc, char **argv)
{
	struct store *store = store_new();
	struct transaction *transaction = transaction_new(5, false);
	struct store_snapshot *snapshot;
	struct store_result result;
	static uint8_t stream[65536];
	Fl__Service service = FL__SERVICE__INIT;
	const void *bytes;
	size_t size;

	check(argc == 2 && store && transaction, "usage: store_seeds FOLDER");
	add_objects(transaction);
	bytes = transaction_bytes(transaction, &size);
	check(!store_apply(store, 1, bytes, size, &result), "apply");
	store_result_clear(&result);
	save_entry(argv[1], "create", transaction);

	transaction = transaction_new(5, true);
	service.id = (char[]){"s"};
	service.version = 1;
	check(transaction && !transaction_update(transaction, &service.base) &&
		  !transaction_check(transaction, STORE_TASK, "t", 1) &&
		  !transaction_delete(transaction, STORE_TASK, "t", 0),
	      "change");
	save_entry(argv[1], "update-check-delete", transaction);

	snapshot = store_snapshot_new(store_now(store));
	check(snapshot && !store_snapshot_read(snapshot, stream, sizeof(stream), &size),
	      "snapshot");
	save(argv[1], "snapshot", "\1\3", 2, stream + 24, size - 24 - 13);
	store_snapshot_free(snapshot);
	store_free(store);
	return 0;
}
