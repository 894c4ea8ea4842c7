/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lets peer_test.py, which has the openssl program, have files of ours and give us files of its
 * own.
 *
 *   make FOLDER    a cluster amid a rotation: root.crt, next.crt, cross.crt, manager.crt and .key
 * of the root, worker.crt and .key of the next one (with its chain), node.csr sign FOLDER own.crt
 * and own.key are a root, node.csr is signed by it: signed.crt
 */
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "cluster_ca.h"
#include "csr.h"

static const char *folder;

static int system_random(void *context, void *bytes, size_t size)
{
	(void)context;
	return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -1;
}

static void check(int err, const struct problem *problem)
{
	if (!err)
		return;
	fprintf(stderr, "%s\n", problem->message);
	exit(1);
}

static FILE *open_file(const char *name, const char *mode)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, mode);
	if (!file) {
		perror(path);
		exit(1);
	}
	return file;
}

static void write_text(const char *name, const char *text)
{
	FILE *file = open_file(name, "w");

	fputs(text, file);
	fclose(file);
}

static char *read_text(const char *name)
{
	FILE *file = open_file(name, "r");
	char *text = calloc(1, 65536);

	if (!text || !fread(text, 1, 65535, file))
		exit(1);
	fclose(file);
	return text;
}

static char *issue(const struct signer *signer, const char *csr, enum node_role role)
{
	const struct signer_order order = {.cluster = "4z2cmijlqvqvvmb9x4l8wcnib",
					   .node = "l56uz1ku45k4rptxl9l2lh69r",
					   .role = role,
					   .raft_id = role == NODE_MANAGER ? 0x1234 : 0,
					   .now_s = time(NULL),
					   .life_s = 86400};
	struct problem problem;
	char *certificate;

	check(signer_issue(signer, pem_of(csr), &order, &certificate, &problem), &problem);
	return certificate;
}

static void make_node(const struct cluster_ca *ca, enum node_role role,
		      const char *certificate_name, const char *key_name)
{
	struct problem problem;
	struct signer *signer;
	char *key, *csr, *certificate;

	check(csr_new_key(&key, &problem), &problem);
	check(csr_create(key, &csr, &problem), &problem);
	check(cluster_ca_signer(ca, &signer, &problem), &problem);
	certificate = issue(signer, csr, role);
	write_text(certificate_name, certificate);
	write_text(key_name, key);
	write_text("node.csr", csr);
	signer_free(signer);
	free(key);
	free(csr);
	free(certificate);
}

static void make(void)
{
	struct cluster_ca ca, next;
	struct problem problem;

	check(cluster_ca_create(time(NULL), system_random, NULL, &ca, &problem), &problem);
	write_text("root.crt", ca.root.certificate);
	write_text("root.key", ca.root.key);
	make_node(&ca, NODE_MANAGER, "manager.crt", "manager.key");
	check(cluster_ca_update(&ca, &(struct ca_wish){.force_rotate = 1}, time(NULL), &next,
				&problem),
	      &problem);
	write_text("next.crt", next.next.certificate);
	write_text("cross.crt", next.cross_signed);
	make_node(&next, NODE_WORKER, "worker.crt", "worker.key");
	cluster_ca_clear(&ca);
	cluster_ca_clear(&next);
}

static void sign(void)
{
	char *certificate = read_text("own.crt"), *key = read_text("own.key"),
	     *csr = read_text("node.csr"), *signed_certificate;
	struct problem problem;
	struct root_ca root;
	struct signer *signer;

	check(root_ca_load(pem_of(certificate), pem_of(key), time(NULL), &root, &problem),
	      &problem);
	check(signer_new(&root, pem_of(NULL), &signer, &problem), &problem);
	signed_certificate = issue(signer, csr, NODE_WORKER);
	write_text("signed.crt", signed_certificate);
	signer_free(signer);
	root_ca_clear(&root);
	free(certificate);
	free(key);
	free(csr);
	free(signed_certificate);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	folder = argv[2];
	if (!strcmp(argv[1], "make"))
		make();
	else if (!strcmp(argv[1], "sign"))
		sign();
	else
		return 2;
	return 0;
}
