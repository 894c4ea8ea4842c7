/* SPDX-License-Identifier: BSD-2-Clause */
#include "certificates.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <unistd.h>

#include "csr.h"
#include "ca_file.h"

#define TRUST_NAME       "swarm-root-ca.crt"
#define CERTIFICATE_NAME "swarm-node.crt"
#define KEY_NAME         "swarm-node.key"
#define NEXT_KEY_NAME    "swarm-node.key.next"

enum { PUBLIC_MODE = 0644, SECRET_MODE = 0600, FOLDER_MODE = 0700 };

static int disk_problem(struct problem *problem, int err, const char *name)
{
	return problem_set(problem, err, "certificates/%s: %s", name, strerror(-err));
}

int certificates_open(const char *state, id_random *random, void *context,
		      struct certificates **out, struct problem *problem)
{
	struct certificates *c = calloc(1, sizeof(*c));

	if (!c)
		return problem_set(problem, -ENOMEM, "certificates: no memory");
	c->random = random;
	c->context = context;
	c->folder = ca_file_open_folder(state, "certificates", FOLDER_MODE);
	if (c->folder < 0) {
		const int err = c->folder;

		free(c);
		return disk_problem(problem, err, "");
	}
	*out = c;
	return 0;
}

/* What was read from the files. */
static void forget(struct certificates *c)
{
	pem_release_text(&c->trust);
	pem_release_text(&c->certificate);
	c->trust = c->certificate = NULL;
	key_file_clear(&c->file);
	OPENSSL_cleanse(&c->unlock, sizeof(c->unlock));
	c->autolocked = false;
}

static void drop_pending(struct certificates *c)
{
	pem_release_secret(&c->pending_key);
	c->pending_key = NULL;
}

void certificates_close(struct certificates *c)
{
	if (!c)
		return;
	forget(c);
	drop_pending(c);
	close(c->folder);
	free(c);
}

/* -- loading ----------------------------------------------------------------------------------- */

/* *text stays NULL where the file is missing. */
static int read_text(const struct certificates *c, const char *name, char **text,
		     struct problem *problem)
{
	size_t size;
	const int err = ca_file_read(c->folder, name, CA_PEM_SIZE_MAX, text, &size);

	if (err == -ENOENT)
		return 0;
	if (err)
		return disk_problem(problem, err, name);
	if (strlen(*text) != size)
		return problem_set(problem, -EBADMSG, "certificates/%s: damaged", name);
	return 0;
}

/* One of the two key files. -ENOENT: missing; -EKEYREJECTED with *other: not of this certificate.
 */
static int read_key(const struct certificates *c, const char *name, const char *certificate,
		    const struct unlock_key *unlock, struct key_file *file, bool *sealed,
		    bool *other, struct problem *problem)
{
	PEM_OWNS(secret) char *text = NULL;
	int err = read_text(c, name, &text, problem);

	*other = false;
	if (err)
		return err;
	if (!text)
		return problem_set(problem, -ENOENT, "certificates/%s: missing", name);
	err = key_file_decode(pem_of(text), unlock, file, sealed, problem);
	if (err)
		return err;
	if (!node_certificate_check_key(pem_of(certificate), pem_of(file->key), NULL))
		return 0;
	key_file_clear(file);
	*other = true;
	return problem_set(problem, -EBADMSG,
			   "certificates/" CERTIFICATE_NAME " and " KEY_NAME
			   " do not belong together");
}

static int choose_key(struct certificates *c, const char *certificate,
		      const struct unlock_key *unlock, struct key_file *file, bool *sealed,
		      struct problem *problem)
{
	struct problem of_next;
	bool other, of_other;
	int err = read_key(c, KEY_NAME, certificate, unlock, file, sealed, &other, problem);

	if (!err) {
		/* What an interrupted call has left. It may hold keys in the clear. */
		err = ca_file_remove(c->folder, NEXT_KEY_NAME);
		if (err)
			key_file_clear(file);
		return err ? disk_problem(problem, err, NEXT_KEY_NAME) : 0;
	}
	if (err != -ENOENT && !other)
		return err;
	/* The certificate came, and its key had not taken its place yet. */
	if (read_key(c, NEXT_KEY_NAME, certificate, unlock, file, sealed, &of_other, &of_next)) {
		if (of_next.code == -ENOKEY || of_next.code == -EKEYREJECTED)
			return problem_set(problem, of_next.code, "%s", of_next.message);
		return err == -ENOENT
			   ? problem_set(problem, -EBADMSG, "certificates/" KEY_NAME ": missing")
			   : err;
	}
	err = ca_file_rename(c->folder, NEXT_KEY_NAME, KEY_NAME);
	if (!err)
		return 0;
	key_file_clear(file);
	return disk_problem(problem, err, KEY_NAME);
}

static int check_loaded(const char *trust, const char *certificate, struct problem *problem)
{
	PEM_OWNS(certificates) STACK_OF(X509) *roots = NULL, *chain = NULL;

	if (!trust)
		return problem_set(problem, -EBADMSG, "certificates/" TRUST_NAME ": missing");
	if (pem_read_certificates(pem_of(trust), "certificates/" TRUST_NAME, &roots, problem) ||
	    pem_read_certificates(pem_of(certificate), "certificates/" CERTIFICATE_NAME, &chain,
				  problem))
		return -EBADMSG;
	return 0;
}

int certificates_load(struct certificates *c, const struct unlock_key *unlock,
		      struct problem *problem)
{
	PEM_OWNS(text) char *trust = NULL, *certificate = NULL;
	struct key_file file = {0};
	bool sealed = false;
	int err = read_text(c, TRUST_NAME, &trust, problem);

	if (!err)
		err = read_text(c, CERTIFICATE_NAME, &certificate, problem);
	/* The certificate is what makes a member: without it the rest is of a join that failed. */
	if (!err && !certificate)
		err = faccessat(c->folder, KEY_NAME, F_OK, 0)
			  ? problem_set(problem, -ENOENT, "this node is in no swarm")
			  : problem_set(problem, -EBADMSG,
					"certificates/" CERTIFICATE_NAME ": missing");
	if (!err)
		err = check_loaded(trust, certificate, problem);
	if (!err)
		err = choose_key(c, certificate, unlock, &file, &sealed, problem);
	if (err)
		return err;
	forget(c);
	c->trust = trust;
	c->certificate = certificate;
	trust = certificate = NULL;
	c->file = file;
	c->autolocked = sealed;
	if (sealed)
		c->unlock = *unlock;
	return 0;
}

int certificates_check(const struct certificates *c, int64_t now_s, bool allow_expired,
		       struct node_identity *identity, struct problem *problem)
{
	const struct node_certificate_rules rules = {
	    .trust = pem_of(c->trust),
	    .roles = NODE_ROLE_WORKERS | NODE_ROLE_MANAGERS,
	    .now_s = now_s,
	    .allow_expired = allow_expired,
	};

	assert(c->certificate);
	return node_certificate_verify(pem_of(c->certificate), &rules, identity, NULL, problem);
}

/* -- writing ----------------------------------------------------------------------------------- */

static int write_key(const struct certificates *c, const char *name, const struct key_file *file,
		     const struct unlock_key *unlock, struct problem *problem)
{
	PEM_OWNS(secret) char *text = NULL;
	int err = key_file_encode(file, unlock, c->random, c->context, &text);

	if (!err)
		err = ca_file_write(c->folder, name, SECRET_MODE, text, strlen(text));
	return err ? disk_problem(problem, err, name) : 0;
}

static int write_public(const struct certificates *c, const char *name, const char *text,
			struct problem *problem)
{
	const int err = ca_file_write(c->folder, name, PUBLIC_MODE, text, strlen(text));

	return err ? disk_problem(problem, err, name) : 0;
}

/* The key file is what *file says from now on, and so is memory; takes *file, also on errors. */
static int replace_file(struct certificates *c, struct key_file *file,
			const struct unlock_key *unlock, struct problem *problem)
{
	const int err = write_key(c, KEY_NAME, file, unlock, problem);
	struct key_file *gone = err ? file : &c->file;

	key_file_clear(gone);
	if (err)
		return err;
	c->file = *file;
	c->autolocked = unlock;
	if (unlock)
		c->unlock = *unlock;
	else
		OPENSSL_cleanse(&c->unlock, sizeof(c->unlock));
	return 0;
}

static const struct unlock_key *present_unlock(const struct certificates *c)
{
	return c->autolocked ? &c->unlock : NULL;
}

/* -- requests and what comes back -------------------------------------------------------------- */

int certificates_request(struct certificates *c, char **csr, struct problem *problem)
{
	PEM_OWNS(secret) char *key = NULL;
	int err = csr_new_key(&key, problem);

	if (!err)
		err = csr_create(key, csr, problem);
	if (err)
		return err;
	drop_pending(c);
	c->pending_key = key;
	key = NULL;
	return 0;
}

static char *canonical(struct pem pem, const char *what, struct problem *problem)
{
	PEM_OWNS(certificates) STACK_OF(X509) *all = NULL;
	char *text;

	if (pem_read_certificates(pem, what, &all, problem))
		return NULL;
	text = pem_write_certificates(all);
	if (!text)
		problem_set(problem, -ENOMEM, "%s: no memory", what);
	return text;
}

/* Whether it is for this node. */
static int check_offer(const struct certificates *c, struct pem trust, struct pem certificate,
		       int64_t now_s, struct node_identity *identity, struct problem *problem)
{
	const struct node_certificate_rules rules = {
	    .trust = trust, .roles = NODE_ROLE_WORKERS | NODE_ROLE_MANAGERS, .now_s = now_s};
	struct node_identity before;
	int err = node_certificate_check_key(certificate, pem_of(c->pending_key), problem);

	if (!err)
		err = node_certificate_verify(certificate, &rules, identity, NULL, problem);
	if (err || !c->certificate)
		return err;
	err = certificates_check(c, now_s, true, &before, problem);
	if (!err &&
	    (strcmp(before.node, identity->node) || strcmp(before.cluster, identity->cluster)))
		err =
		    problem_set(problem, -EACCES,
				"Permission denied: the new certificate is node %s's, and this is "
				"%s",
				identity->node, before.node);
	return err;
}

/* After a failure. The next key may go only when the certificate is surely not its own. */
static void restore(const struct certificates *c)
{
	const int err = c->certificate ? write_public(c, CERTIFICATE_NAME, c->certificate, NULL)
				       : ca_file_remove(c->folder, CERTIFICATE_NAME);

	if (err)
		return;
	if (c->trust)
		write_public(c, TRUST_NAME, c->trust, NULL);
	ca_file_remove(c->folder, NEXT_KEY_NAME);
}

/* In the order that certificates.h explains. */
static int write_all(const struct certificates *c, const char *trust, const char *certificate,
		     const struct key_file *file, struct problem *problem)
{
	int err = write_public(c, TRUST_NAME, trust, problem);

	if (!err)
		err = write_key(c, NEXT_KEY_NAME, file, present_unlock(c), problem);
	if (!err)
		err = write_public(c, CERTIFICATE_NAME, certificate, problem);
	/* Not synced: where this is lost, loading does it again. */
	if (!err && renameat(c->folder, NEXT_KEY_NAME, c->folder, KEY_NAME))
		err = disk_problem(problem, -errno, KEY_NAME);
	return err;
}

int certificates_install(struct certificates *c, struct pem trust_pem, struct pem certificate_pem,
			 int64_t now_s, struct node_identity *identity, struct problem *problem)
{
	PEM_OWNS(text) char *trust = NULL, *certificate = NULL;
	struct node_identity found;
	struct key_file file;
	int err;

	assert(c->pending_key && (!c->certificate || c->file.key));
	trust = canonical(trust_pem, "CA certificates", problem);
	certificate = trust ? canonical(certificate_pem, "certificate", problem) : NULL;
	if (!certificate)
		return -EINVAL;
	err = check_offer(c, pem_of(trust), pem_of(certificate), now_s, &found, problem);
	if (err)
		return err;
	file = c->file;
	file.key = c->pending_key;
	err = write_all(c, trust, certificate, &file, problem);
	if (err) {
		restore(c);
	} else {
		pem_release_text(&c->trust);
		pem_release_text(&c->certificate);
		pem_release_secret(&c->file.key);
		c->trust = trust;
		c->certificate = certificate;
		c->file.key = c->pending_key;
		c->pending_key = trust = certificate = NULL;
		if (identity)
			*identity = found;
	}
	OPENSSL_cleanse(&file, sizeof(file));
	return err;
}

int certificates_set_trust(struct certificates *c, struct pem pem, int64_t now_s,
			   struct problem *problem)
{
	PEM_OWNS(text) char *trust = canonical(pem, "CA certificates", problem);
	const struct node_certificate_rules rules = {
	    .trust = pem_of(trust),
	    .roles = NODE_ROLE_WORKERS | NODE_ROLE_MANAGERS,
	    .now_s = now_s,
	    .allow_expired = true,
	};
	struct node_identity identity;
	int err;

	assert(c->certificate);
	if (!trust)
		return -EINVAL;
	err = node_certificate_verify(pem_of(c->certificate), &rules, &identity, NULL, problem);
	if (!err)
		err = write_public(c, TRUST_NAME, trust, problem);
	if (err)
		return err;
	pem_release_text(&c->trust);
	c->trust = trust;
	trust = NULL;
	return 0;
}

int certificates_remove(struct certificates *c, struct problem *problem)
{
	/* The certificate is what makes a member. Until it goes, a crash leaves all there was: the
	 * key is the next one, which loading would put back. */
	static const char *const names[] = {CERTIFICATE_NAME, NEXT_KEY_NAME, TRUST_NAME};
	const int moved = ca_file_rename(c->folder, KEY_NAME, NEXT_KEY_NAME);

	if (moved && moved != -ENOENT)
		return disk_problem(problem, moved, KEY_NAME);
	forget(c);
	drop_pending(c);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const int err = ca_file_remove(c->folder, names[i]);

		if (err)
			return disk_problem(problem, err, names[i]);
	}
	return 0;
}

/* -- autolock ---------------------------------------------------------------------------------- */

static int add_data_key(const struct certificates *c, struct data_keys *data,
			struct problem *problem)
{
	struct data_key *key = &data->keys[data->count];
	uint32_t highest = data->active;
	int err;

	if (data->count == CA_DATA_KEYS_MAX)
		return problem_set(problem, -ENOSPC,
				   "raft keys: there are %d already; a snapshot frees old ones",
				   CA_DATA_KEYS_MAX);
	for (uint32_t i = 0; i < data->count; i++)
		if (data->keys[i].id > highest)
			highest = data->keys[i].id;
	err = c->random(c->context, key->bytes, sizeof(key->bytes));
	if (err)
		return problem_set(problem, err, "raft keys: no random numbers");
	/* The active one is never thrown away, so the highest id ever is among them. */
	key->id = highest + 1;
	data->active = key->id;
	data->count++;
	return 0;
}

int certificates_set_unlock_key(struct certificates *c, const struct unlock_key *unlock,
				uint64_t version, bool *new_data_key, struct problem *problem)
{
	const bool locks = unlock && !c->autolocked;
	struct key_file file;
	int err;

	assert(c->file.key);
	if (version < c->file.unlock_key_version)
		return problem_set(problem, -ESTALE, "unlock key: an older one than the present");
	*new_data_key = false;
	if (!unlock == !c->autolocked && (!unlock || unlock_key_equals(unlock, &c->unlock)))
		return 0;
	err = key_file_copy(&c->file, &file);
	if (err)
		return problem_set(problem, err, "unlock key: no memory");
	file.unlock_key_version = version;
	if (locks && file.data.count) {
		err = add_data_key(c, &file.data, problem);
		if (err) {
			key_file_clear(&file);
			return err;
		}
	}
	err = replace_file(c, &file, unlock, problem);
	if (!err)
		*new_data_key = locks && c->file.data.count;
	return err;
}

int certificates_add_data_key(struct certificates *c, struct problem *problem)
{
	struct key_file file;
	int err;

	assert(c->file.key);
	err = key_file_copy(&c->file, &file);
	if (err)
		return problem_set(problem, err, "raft keys: no memory");
	err = add_data_key(c, &file.data, problem);
	if (err) {
		key_file_clear(&file);
		return err;
	}
	return replace_file(c, &file, present_unlock(c), problem);
}

static bool is_among(uint32_t id, const uint32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

int certificates_keep_data_keys(struct certificates *c, const uint32_t *ids, size_t count,
				struct problem *problem)
{
	const struct data_keys *before = &c->file.data;
	struct key_file file;
	int err;

	assert(c->file.key && (!count || is_among(before->active, ids, count)));
	err = key_file_copy(&c->file, &file);
	if (err)
		return problem_set(problem, err, "raft keys: no memory");
	OPENSSL_cleanse(&file.data, sizeof(file.data));
	for (uint32_t i = 0; i < before->count; i++)
		if (is_among(before->keys[i].id, ids, count))
			file.data.keys[file.data.count++] = before->keys[i];
	file.data.active = count ? before->active : 0;
	return replace_file(c, &file, present_unlock(c), problem);
}
