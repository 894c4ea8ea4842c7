/* SPDX-License-Identifier: BSD-2-Clause */
#include "certificates.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca_bed.h"

/*
 * The disk stops before its stop-th operation that changes something or makes it last (0: never),
 * for good (the power is gone: what comes after does nothing either) or once (one error).
 */
static struct {
	unsigned int stop, operations;
	bool once;
	char trace[64];
} disk;

int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __real_unlinkat(int folder, const char *name, int flags);
int __wrap_unlinkat(int folder, const char *name, int flags);
int __real_fsync(int file);
int __wrap_fsync(int file);
ssize_t __real_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size);

static bool works(char letter)
{
	const unsigned int number = ++disk.operations;

	if (number < sizeof(disk.trace))
		disk.trace[number - 1] = letter;
	if (disk.stop && (disk.once ? number == disk.stop : number >= disk.stop)) {
		errno = EIO;
		return false;
	}
	return true;
}

int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	return works('r') ? __real_renameat(from_folder, from, to_folder, to) : -1;
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
	return works('u') ? __real_unlinkat(folder, name, flags) : -1;
}

int __wrap_fsync(int file)
{
	return works(fcntl(file, F_GETFL) & O_DIRECTORY ? 'S' : 's') ? __real_fsync(file) : -1;
}

ssize_t __wrap_write(int file, const void *data, size_t size)
{
	return works('w') ? __real_write(file, data, size) : -1;
}

static void disk_works(void)
{
	memset(&disk, 0, sizeof(disk));
}

/* -- a node ------------------------------------------------------------------------------------ */

struct bed {
	char state[32];
	uint64_t seed;
	struct cluster_ca ca;
	struct certificates *c;
};

static void reopen(struct bed *bed)
{
	certificates_close(bed->c);
	assert_int_equal(certificates_open(bed->state, bed_random, &bed->seed, &bed->c, NULL), 0);
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	disk_works();
	strcpy(bed->state, "/tmp/fairlead-ca-XXXXXX");
	assert_non_null(mkdtemp(bed->state));
	bed->ca = bed_cluster(&bed->seed);
	reopen(bed);
	*state = bed;
	return 0;
}

static void path_of(const struct bed *bed, const char *name, char path[128])
{
	snprintf(path, 128, "%s/certificates/%s", bed->state, name);
}

static int teardown(void **state)
{
	static const char *const names[] = {"swarm-root-ca.crt",      "swarm-node.crt",
					    "swarm-node.key",         "swarm-node.key.next",
					    ".swarm-node.crt.tmp",    ".swarm-node.key.tmp",
					    ".swarm-root-ca.crt.tmp", ".swarm-node.key.next.tmp"};
	struct bed *bed = *state;
	char path[128];

	disk_works();
	certificates_close(bed->c);
	cluster_ca_clear(&bed->ca);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(bed, names[i], path);
		unlink(path);
	}
	path_of(bed, "", path);
	assert_int_equal(rmdir(path), 0); /* nothing else was left in it */
	assert_int_equal(rmdir(bed->state), 0);
	free(bed);
	return 0;
}

/* What the manager answers to a request. */
static char *answer(const struct bed *bed, const char *csr, const struct signer_order *order)
{
	struct signer *signer;
	char *certificate;

	assert_int_equal(cluster_ca_signer(&bed->ca, &signer, NULL), 0);
	assert_int_equal(signer_issue(signer, pem_of(csr), order, &certificate, NULL), 0);
	signer_free(signer);
	return certificate;
}

static int renew(struct bed *bed, const struct signer_order *order, struct problem *problem)
{
	char *csr, *certificate, *trust = cluster_ca_trust(&bed->ca);
	int err;

	assert_int_equal(certificates_request(bed->c, &csr, NULL), 0);
	certificate = answer(bed, csr, order);
	err = certificates_install(bed->c, pem_of(trust), pem_of(certificate), order->now_s, NULL,
				   problem);
	free(csr);
	free(certificate);
	free(trust);
	return err;
}

static void join(struct bed *bed)
{
	const struct signer_order order = bed_order(9);

	assert_int_equal(renew(bed, &order, NULL), 0);
}

static mode_t mode_of(const struct bed *bed, const char *name)
{
	struct stat status;
	char path[128];

	path_of(bed, name, path);
	return stat(path, &status) ? 0 : status.st_mode & 07777;
}

static char *read_file(const struct bed *bed, const char *name)
{
	char path[128], *text = calloc(1, 16384);
	FILE *file;

	path_of(bed, name, path);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, 16383, file) > 0);
	fclose(file);
	return text;
}

static void write_file(const struct bed *bed, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	path_of(bed, name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_join(void **state)
{
	struct bed *bed = *state;
	struct node_identity identity;
	struct problem problem;
	mode_t mask;

	assert_int_equal(certificates_load(bed->c, NULL, &problem), -ENOENT);
	mask = umask(0);
	join(bed);
	umask(mask);
	assert_int_equal(mode_of(bed, ""), 0700);
	assert_int_equal(mode_of(bed, "swarm-root-ca.crt"), 0644);
	assert_int_equal(mode_of(bed, "swarm-node.crt"), 0644);
	assert_int_equal(mode_of(bed, "swarm-node.key"), 0600);
	assert_int_equal(mode_of(bed, "swarm-node.key.next"), 0);
	assert_null(bed->c->pending_key);

	reopen(bed);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), 0);
	assert_int_equal(certificates_check(bed->c, BED_NOW, false, &identity, NULL), 0);
	assert_string_equal(identity.node, BED_NODE);
	assert_string_equal(bed->c->trust, bed->ca.root.certificate);
	assert_int_equal(
	    node_certificate_check_key(pem_of(bed->c->certificate), pem_of(bed->c->file.key), NULL),
	    0);
}

static void test_umask_takes_nothing(void **state)
{
	struct bed *bed = *state;
	const mode_t mask = umask(0777);

	join(bed);
	umask(mask);
	assert_int_equal(mode_of(bed, "swarm-node.crt"), 0644);
	assert_int_equal(mode_of(bed, "swarm-node.key"), 0600);
}

/* Each file is written beside, synced, renamed, and the folder synced; in the right order. */
static void test_order(void **state)
{
	struct bed *bed = *state;

	disk_works();
	join(bed);
	assert_string_equal(disk.trace, "uwsrS" /* the roots */
					"uwsrS" /* the next key */
					"uwsrS" /* the certificate */
					"r");   /* the next key takes its place */
}

static void test_role_change(void **state)
{
	struct bed *bed = *state;
	struct signer_order order = bed_order(0);
	struct node_identity identity;
	struct problem problem;

	join(bed);
	assert_int_equal(renew(bed, &order, NULL), 0);
	assert_int_equal(certificates_check(bed->c, BED_NOW, false, &identity, NULL), 0);
	assert_int_equal(identity.role, NODE_WORKER);
	order = bed_order(10);
	assert_int_equal(renew(bed, &order, NULL), 0);
	assert_int_equal(certificates_check(bed->c, BED_NOW, false, &identity, NULL), 0);
	assert_int_equal(identity.raft_id, 10);

	/* The role may change, the node may not; nor may the cluster. */
	order.node = "another";
	assert_int_equal(renew(bed, &order, &problem), -EACCES);
	assert_string_equal(problem.message, "Permission denied: the new certificate is node "
					     "another's, and this is " BED_NODE);
	order = bed_order(11);
	order.cluster = "other";
	assert_int_equal(renew(bed, &order, &problem), -EACCES);
	assert_int_equal(certificates_check(bed->c, BED_NOW, false, &identity, NULL), 0);
	assert_int_equal(identity.raft_id, 10);
}

static void test_refused_offers(void **state)
{
	struct bed *bed = *state;
	struct signer_order order = bed_order(9);
	struct cluster_ca other = bed_cluster(&bed->seed);
	const struct pem trust = pem_of(bed->ca.root.certificate);
	char *csr, *certificate, *stale;
	struct problem problem;

	assert_int_equal(certificates_request(bed->c, &csr, NULL), 0);
	stale = answer(bed, csr, &order);
	free(csr);
	assert_int_equal(certificates_request(bed->c, &csr, NULL), 0);
	certificate = answer(bed, csr, &order);
	/* Of an older request, of roots that did not sign it, of another time; rubbish. */
	assert_int_equal(
	    certificates_install(bed->c, trust, pem_of(stale), BED_NOW, NULL, &problem),
	    -EKEYREJECTED);
	assert_string_equal(problem.message, "certificate key mismatch");
	assert_int_equal(certificates_install(bed->c, pem_of(other.root.certificate),
					      pem_of(certificate), BED_NOW, NULL, &problem),
			 -EKEYREJECTED);
	assert_int_equal(certificates_install(bed->c, trust, pem_of(certificate),
					      BED_NOW - CA_DAY_S, NULL, &problem),
			 -EKEYEXPIRED);
	assert_int_equal(
	    certificates_install(bed->c, trust, pem_of("rubbish"), BED_NOW, NULL, &problem),
	    -EINVAL);
	assert_int_equal(
	    certificates_install(bed->c, pem_of(""), pem_of(certificate), BED_NOW, NULL, &problem),
	    -EINVAL);
	assert_int_equal(mode_of(bed, "swarm-node.crt"), 0);
	assert_int_equal(
	    certificates_install(bed->c, trust, pem_of(certificate), BED_NOW, NULL, NULL), 0);
	free(csr);
	free(certificate);
	free(stale);
	cluster_ca_clear(&other);
}

static void test_expired(void **state)
{
	struct bed *bed = *state;
	struct node_identity identity;
	struct problem problem;
	const int64_t late = BED_NOW + CA_NODE_LIFE_S + 1;

	join(bed);
	reopen(bed);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), 0);
	assert_int_equal(certificates_check(bed->c, late, false, &identity, &problem),
			 -EKEYEXPIRED);
	assert_string_equal(problem.message,
			    "certificate (1 - " BED_NODE
			    ") not valid after Fri, 19 Feb 2027 07:02:44 UTC, and it is currently "
			    "Fri, 19 Feb 2027 07:02:45 UTC");
	assert_int_equal(certificates_check(bed->c, late, true, &identity, NULL), 0);
	assert_string_equal(identity.node, BED_NODE);
	/* A clock of before: also where the end does not count. */
	assert_int_equal(certificates_check(bed->c, BED_NOW - CA_DAY_S, true, &identity, NULL),
			 -EKEYEXPIRED);
}

static void test_trust(void **state)
{
	struct bed *bed = *state;
	struct cluster_ca next;
	char *both;

	join(bed);
	assert_int_equal(
	    cluster_ca_update(&bed->ca, &(struct ca_wish){.force_rotate = 1}, BED_NOW, &next, NULL),
	    0);
	cluster_ca_clear(&bed->ca);
	bed->ca = next;
	both = cluster_ca_trust(&bed->ca);
	assert_int_equal(certificates_set_trust(bed->c, pem_of(both), BED_NOW, NULL), 0);
	/* The new root alone would make our own certificate worthless: we have none of it yet. */
	assert_int_equal(
	    certificates_set_trust(bed->c, pem_of(bed->ca.next.certificate), BED_NOW, NULL),
	    -EKEYREJECTED);
	reopen(bed);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), 0);
	assert_string_equal(bed->c->trust, both);
	join(bed); /* a certificate of the new root */
	assert_int_equal(
	    certificates_set_trust(bed->c, pem_of(bed->ca.next.certificate), BED_NOW, NULL), 0);
	free(both);
}

static void test_leave(void **state)
{
	struct bed *bed = *state;

	join(bed);
	assert_int_equal(certificates_remove(bed->c, NULL), 0);
	assert_null(bed->c->certificate);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), -ENOENT);
	assert_int_equal(certificates_remove(bed->c, NULL), 0);
	join(bed); /* and in again */
	/* Where the power goes while it leaves, it is in, with all it had, or out. */
	for (unsigned int stop = 1;; stop++) {
		int left, err;

		disk_works();
		disk.stop = stop;
		left = certificates_remove(bed->c, NULL);
		disk_works();
		reopen(bed);
		err = certificates_load(bed->c, NULL, NULL);
		if (!left) {
			assert_int_equal(err, -ENOENT);
			break;
		}
		assert_true(err == 0 || err == -ENOENT);
		if (err)
			join(bed);
	}
}

static void damaged(struct bed *bed, const char *words)
{
	struct problem problem = {0};

	assert_int_equal(certificates_load(bed->c, NULL, &problem), -EBADMSG);
	if (!strstr(problem.message, words))
		fail_msg("%s", problem.message);
}

static void test_damage(void **state)
{
	static const char *const names[] = {"swarm-root-ca.crt", "swarm-node.crt",
					    "swarm-node.key"};
	struct bed *bed = *state;
	char path[128], *key;

	join(bed);
	for (size_t i = 0; i < 3; i++) {
		char *was = read_file(bed, names[i]);

		reopen(bed);
		path_of(bed, names[i], path);
		assert_int_equal(unlink(path), 0);
		damaged(bed, names[i]);
		damaged(bed, "missing");
		write_file(bed, names[i], "rubbish");
		damaged(bed, names[i]);
		write_file(bed, names[i], was);
		assert_int_equal(certificates_load(bed->c, NULL, NULL), 0);
		free(was);
	}
	/* Another node's key; a folder where a file should be; a file of any size. */
	key = read_file(bed, "swarm-node.key");
	join(bed);
	write_file(bed, "swarm-node.key", key);
	damaged(bed, "do not belong together");
	path_of(bed, "swarm-node.key", path);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), -EINVAL);
	rmdir(path);
	write_file(bed, "swarm-node.key", key);
	assert_int_equal(truncate(path, 1 << 20), 0);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), -EFBIG);
	free(key);
}

/* -- autolock ---------------------------------------------------------------------------------- */

static void test_autolock(void **state)
{
	struct bed *bed = *state;
	struct unlock_key first, second, wrong;
	struct problem problem;
	struct data_key old;
	bool new_key;
	char *text;

	unlock_key_generate(bed_random, &bed->seed, &first);
	unlock_key_generate(bed_random, &bed->seed, &second);
	unlock_key_generate(bed_random, &bed->seed, &wrong);
	join(bed);
	assert_int_equal(certificates_add_data_key(bed->c, NULL), 0);
	old = bed->c->file.data.keys[0];
	assert_int_equal(old.id, 1);

	/* On: what lay in the clear is not used for what comes. */
	assert_int_equal(certificates_set_unlock_key(bed->c, &first, 10, &new_key, NULL), 0);
	assert_true(new_key);
	assert_int_equal(bed->c->file.data.count, 2);
	assert_int_equal(bed->c->file.data.active, 2);
	assert_memory_equal(&bed->c->file.data.keys[0], &old, sizeof(old));
	text = read_file(bed, "swarm-node.key");
	assert_null(strstr(text, "PRIVATE KEY"));
	assert_int_equal(mode_of(bed, "swarm-node.key"), 0600);
	free(text);

	/* After a restart it is locked, until the right key comes. */
	reopen(bed);
	assert_int_equal(certificates_load(bed->c, NULL, &problem), -ENOKEY);
	assert_string_equal(problem.message,
			    "Swarm is encrypted and needs to be unlocked before it can be used. "
			    "Please use \"docker swarm unlock\" to unlock it.");
	assert_int_equal(certificates_load(bed->c, &wrong, &problem), -EKEYREJECTED);
	assert_string_equal(problem.message, "swarm could not be unlocked: invalid key provided");
	assert_null(bed->c->file.key);
	assert_int_equal(certificates_load(bed->c, &first, NULL), 0);
	assert_int_equal(bed->c->file.data.active, 2);

	/* Another key: the old one opens nothing any more, the data key stays. */
	assert_int_equal(certificates_set_unlock_key(bed->c, &second, 11, &new_key, NULL), 0);
	assert_false(new_key);
	/* What is older comes late, and changes nothing. */
	assert_int_equal(certificates_set_unlock_key(bed->c, NULL, 10, &new_key, NULL), -ESTALE);
	reopen(bed);
	assert_int_equal(certificates_load(bed->c, &first, NULL), -EKEYREJECTED);
	assert_int_equal(certificates_load(bed->c, &second, NULL), 0);
	/* A renewal keeps it locked. */
	join(bed);
	reopen(bed);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), -ENOKEY);
	assert_int_equal(certificates_load(bed->c, &second, NULL), 0);
	assert_int_equal(certificates_set_unlock_key(bed->c, &second, 12, &new_key, NULL), 0);

	/* Off. */
	assert_int_equal(certificates_set_unlock_key(bed->c, NULL, 12, &new_key, NULL), 0);
	assert_false(new_key);
	reopen(bed);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), 0);
	assert_int_equal(bed->c->file.unlock_key_version, 12);
	/* And an unlock key where there is nothing to unlock is not looked at. */
	assert_int_equal(certificates_load(bed->c, &wrong, NULL), 0);
	assert_false(bed->c->autolocked);
}

static void test_data_keys(void **state)
{
	struct bed *bed = *state;
	struct data_key last;

	join(bed);
	for (uint32_t i = 1; i <= CA_DATA_KEYS_MAX; i++) {
		assert_int_equal(certificates_add_data_key(bed->c, NULL), 0);
		assert_int_equal(bed->c->file.data.active, i);
	}
	assert_int_equal(certificates_add_data_key(bed->c, NULL), -ENOSPC);
	assert_int_equal(bed->c->file.data.count, CA_DATA_KEYS_MAX);
	last = bed->c->file.data.keys[CA_DATA_KEYS_MAX - 1];
	assert_int_equal(certificates_keep_data_keys(bed->c, (uint32_t[]){16, 3}, 2, NULL), 0);
	reopen(bed);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), 0);
	assert_int_equal(bed->c->file.data.count, 2);
	assert_memory_equal(&bed->c->file.data.keys[1], &last, sizeof(last));
	/* No id is used again. */
	assert_int_equal(certificates_add_data_key(bed->c, NULL), 0);
	assert_int_equal(bed->c->file.data.active, 17);
	assert_int_equal(certificates_keep_data_keys(bed->c, NULL, 0, NULL), 0);
	assert_int_equal(bed->c->file.data.count, 0);
}

/* -- a disk that fails ------------------------------------------------------------------------- */

/* What is on disk is one of the two: what it was, or what was to be. */
static void check_disk(struct bed *bed, const char *before, const char *after)
{
	struct node_identity identity;
	bool is_old;

	reopen(bed);
	assert_int_equal(certificates_load(bed->c, NULL, NULL), 0);
	assert_int_equal(certificates_check(bed->c, BED_NOW, false, &identity, NULL), 0);
	is_old = !strcmp(bed->c->certificate, before);
	assert_true(is_old || !after || !strcmp(bed->c->certificate, after));
	assert_int_equal(bed->c->file.data.count, 1); /* the ring is never lost */
	assert_int_equal(mode_of(bed, "swarm-node.key.next"), 0);
}

static void fail_renewals(struct bed *bed, bool once)
{
	const struct signer_order order = bed_order(9);

	join(bed);
	assert_int_equal(certificates_add_data_key(bed->c, NULL), 0);
	for (unsigned int stop = 1;; stop++) {
		char *before = strdup(bed->c->certificate), *memory;
		int err;

		disk_works();
		disk.stop = stop;
		disk.once = once;
		err = renew(bed, &order, NULL);
		disk_works();
		memory = strdup(bed->c->certificate);
		if (err) {
			assert_int_equal(err, -EIO);
			assert_string_equal(memory, before);
		}
		/* One error leaves a process that goes on, with disk and memory the same. */
		check_disk(bed, once ? memory : before, once ? memory : NULL);
		free(before);
		free(memory);
		if (!err) {
			assert_int_equal(stop, 17); /* 16 operations: each has failed */
			break;
		}
	}
}

static void test_power_fails(void **state)
{
	fail_renewals(*state, false);
}

static void test_one_error(void **state)
{
	fail_renewals(*state, true);
}

static void test_first_join_fails(void **state)
{
	struct bed *bed = *state;
	const struct signer_order order = bed_order(9);
	int err;

	for (unsigned int stop = 1;; stop++) {
		int loaded;

		disk_works();
		disk.stop = stop;
		err = renew(bed, &order, NULL);
		disk_works();
		reopen(bed);
		loaded = certificates_load(bed->c, NULL, NULL);
		assert_true(loaded == 0 || loaded == -ENOENT);
		if (!err)
			break;
		if (!loaded)
			assert_int_equal(certificates_remove(bed->c, NULL), 0);
	}
	assert_int_equal(certificates_load(bed->c, NULL, NULL), 0);
}

static void test_locking_fails(void **state)
{
	struct bed *bed = *state;
	struct unlock_key key;
	bool new_key;

	unlock_key_generate(bed_random, &bed->seed, &key);
	join(bed);
	assert_int_equal(certificates_add_data_key(bed->c, NULL), 0);
	for (unsigned int stop = 1;; stop++) {
		int err, loaded;

		disk_works();
		disk.stop = stop;
		err = certificates_set_unlock_key(bed->c, &key, stop, &new_key, NULL);
		disk_works();
		if (!err)
			break;
		assert_false(bed->c->autolocked);
		assert_int_equal(bed->c->file.data.count, 1);
		reopen(bed);
		loaded = certificates_load(bed->c, NULL, NULL);
		if (loaded == -ENOKEY) { /* the last sync failed, after the rename */
			assert_int_equal(certificates_load(bed->c, &key, NULL), 0);
			assert_int_equal(bed->c->file.data.active, 2);
			assert_int_equal(
			    certificates_set_unlock_key(bed->c, NULL, stop, &new_key, NULL), 0);
			assert_int_equal(
			    certificates_keep_data_keys(bed->c, (uint32_t[]){2}, 1, NULL), 0);
		} else {
			assert_int_equal(loaded, 0);
		}
	}
	assert_true(bed->c->autolocked);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_join),           TEST(test_umask_takes_nothing),
	    TEST(test_order),          TEST(test_role_change),
	    TEST(test_refused_offers), TEST(test_expired),
	    TEST(test_trust),          TEST(test_leave),
	    TEST(test_damage),         TEST(test_autolock),
	    TEST(test_data_keys),      TEST(test_power_fails),
	    TEST(test_one_error),      TEST(test_first_join_fails),
	    TEST(test_locking_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
