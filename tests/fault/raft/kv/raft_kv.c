/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raft-kv: one member of a cluster of replicated registers, for tests and measurements.
 *
 *   raft-kv --id 1 --dir D --pki P --listen 127.0.0.1:7000 --members 1=127.0.0.1:7000,2=...
 *           [--join] [--snapshot-bytes N] [--kept-entries N] [--segment-bytes N]
 *
 * --pki: a folder with ca.pem, and ID.pem and ID.key of this member (raft-pki makes them). Ids are
 * hexadecimal. Clients connect to the port above --listen's. --members: of the new cluster where
 * the folder is empty; with --join it waits to be taken into one instead.
 *
 * Exit status: 0 after SIGTERM, 2 could not start, 3 the disk or the store failed.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kv_server.h"

enum { EXIT_START = 2, EXIT_FAILED = 3, PEM_MAX = 64 << 10, SETTLED_MS = 2000 };

struct program {
	uv_loop_t loop;
	uv_signal_t sigterm;
	uv_timer_t settled;
	struct kv_store *store;
	struct kv_server *server;
	struct raft_node *node;
	int status;
};

static char *read_pem(const char *folder, const char *name)
{
	char path[4096], *text = calloc(1, PEM_MAX);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!text || !file || !fread(text, 1, PEM_MAX - 1, file)) {
		fprintf(stderr, "raft-kv: %s: %s\n", path, strerror(errno));
		exit(EXIT_START);
	}
	fclose(file);
	return text;
}

static void parse_members(char *text, struct raft_members *members)
{
	char *rest;

	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		struct raft_member *member = &members->member[members->count];
		char *equals = strchr(word, '=');

		if (!equals || members->count == RAFT_MEMBERS_MAX ||
		    strlen(equals + 1) >= sizeof(member->address)) {
			fprintf(stderr, "raft-kv: --members: '%s' is not ID=ADDRESS\n", word);
			exit(EXIT_START);
		}
		member->id = strtoull(word, NULL, 16);
		member->role = RAFT_VOTER;
		strcpy(member->address, equals + 1);
		members->count++;
	}
}

static void said(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "%.3f %s\n", (double)uv_hrtime() / 1e9, line);
}

static void changed(void *context, const struct raft_status *status)
{
	static const char *const states[] = {"follower", "precandidate", "candidate", "leader"};

	(void)context;
	fprintf(stderr, "%.3f term %" PRIu64 " %s, leader %" PRIx64 "%s\n",
		(double)uv_hrtime() / 1e9, status->term, states[status->state], status->leader,
		status->stalled ? ", disk full" : "");
}

/* What is in memory is worth nothing any more, and nobody may be answered from it. */
static void failed(void *context, int code, const char *why)
{
	(void)context;
	fprintf(stderr, "raft-kv: %s: %s\n", strerror(-code), why);
	_exit(EXIT_FAILED);
}

static void turned(void *context)
{
	struct program *program = context;

	if (program->node)
		kv_server_flush(program->server);
}

static int give_back_code(struct dl_phdr_info *object, size_t size, void *context)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size, (void)context;
	for (unsigned int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];
		const uintptr_t start = (object->dlpi_addr + header->p_vaddr) & ~(page - 1);
		const uintptr_t end = object->dlpi_addr + header->p_vaddr + header->p_memsz;

		/* What is writable, or was while it was relocated, exists here alone. */
		if (header->p_type == PT_LOAD && !(header->p_flags & PF_W))
			(void)madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

/* OpenSSL's start runs through 4 MiB of its libraries that nobody needs again; the kernel would
 * keep them in our account until memory is short. What is needed comes back from the page cache. */
static void give_back(uv_timer_t *timer)
{
	dl_iterate_phdr(give_back_code, NULL);
	malloc_trim(0);
	uv_close((uv_handle_t *)timer, NULL);
}

static void terminate(uv_signal_t *handle, int number)
{
	struct program *program = handle->data;

	(void)number;
	raft_node_close(program->node, NULL, NULL);
	kv_server_close(program->server);
	uv_close((uv_handle_t *)&program->sigterm, NULL);
	if (!uv_is_closing((uv_handle_t *)&program->settled))
		uv_close((uv_handle_t *)&program->settled, NULL);
}

static void raise_port(const char *address, char *raised)
{
	const char *colon = strrchr(address, ':');

	snprintf(raised, RAFT_ADDRESS_MAX, "%.*s:%d", (int)(colon ? colon - address : 0), address,
		 colon ? atoi(colon + 1) + 1 : 0);
}

struct arguments {
	uint64_t id;
	const char *pki;
	bool join;
	struct raft_members members;
	struct raft_node_options node;
};

static void parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
	    {"id", required_argument, NULL, 'i'},
	    {"dir", required_argument, NULL, 'd'},
	    {"pki", required_argument, NULL, 'p'},
	    {"listen", required_argument, NULL, 'l'},
	    {"members", required_argument, NULL, 'm'},
	    {"join", no_argument, NULL, 'j'},
	    {"snapshot-bytes", required_argument, NULL, 's'},
	    {"kept-entries", required_argument, NULL, 'k'},
	    {"segment-bytes", required_argument, NULL, 'S'},
	    {NULL, 0, NULL, 0},
	};
	struct raft_node_options *node = &arguments->node;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 'i':
			arguments->id = strtoull(optarg, NULL, 16);
			break;
		case 'd':
			node->disk.path = optarg;
			break;
		case 'p':
			arguments->pki = optarg;
			break;
		case 'l':
			node->listen = optarg;
			break;
		case 'm':
			parse_members(optarg, &arguments->members);
			break;
		case 'j':
			arguments->join = true;
			break;
		case 's':
			node->snapshot_bytes = strtoull(optarg, NULL, 10);
			break;
		case 'k':
			node->kept_entries = strtoull(optarg, NULL, 10);
			break;
		case 'S':
			node->disk.segment_size = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		default:
			exit(EXIT_START);
		}
	}
	if (!arguments->id || !arguments->pki || !node->disk.path || !node->listen) {
		fprintf(stderr, "raft-kv: --id, --dir, --pki and --listen are needed\n");
		exit(EXIT_START);
	}
}

static void open_server(struct program *program, const char *listen)
{
	char address[RAFT_ADDRESS_MAX];

	raise_port(listen, address);
	program->store = kv_store_new();
	if (!program->store ||
	    kv_server_open(&program->loop, address, program->store, &program->server)) {
		fprintf(stderr, "raft-kv: cannot listen on %s\n", address);
		exit(EXIT_START);
	}
}

static void open_member(struct program *program, struct arguments *arguments)
{
	static const struct disk_keyring keyring = {
	    .active = 1, .count = 1, .keys = {{.id = 1, .bytes = {0x5e, 0xa1}}}};
	struct raft_node_options *node = &arguments->node;
	const struct raft_members *members = &arguments->members;
	struct raft_error error = {0};
	char name[32], *ca, *certificate, *key;

	node->loop = &program->loop;
	node->disk.keyring = &keyring;
	node->store = kv_store_seam(program->store);
	node->bootstrap = arguments->join ? NULL : members;
	node->events = (struct raft_node_events){.changed = changed,
						 .turned = turned,
						 .failed = failed,
						 .said = said,
						 .context = program};
	ca = read_pem(arguments->pki, "ca.pem");
	snprintf(name, sizeof(name), "%" PRIx64 ".pem", arguments->id);
	certificate = read_pem(arguments->pki, name);
	snprintf(name, sizeof(name), "%" PRIx64 ".key", arguments->id);
	key = read_pem(arguments->pki, name);
	node->pem = (struct tls_pem){ca, certificate, key};
	if (raft_node_open(node, &program->node, &error)) {
		fprintf(stderr, "raft-kv: %s\n", error.text);
		exit(EXIT_START);
	}
	free(ca);
	free(certificate);
	free(key);
	for (uint32_t i = 0; arguments->join && i < members->count; i++)
		raft_node_set_peer(program->node, members->member[i].id,
				   members->member[i].address);
}

int main(int argc, char **argv)
{
	static struct program program;
	static struct arguments arguments;

	raft_node_options_default(&arguments.node);
	parse(argc, argv, &arguments);
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&program.loop);
	open_server(&program, arguments.node.listen);
	open_member(&program, &arguments);
	kv_server_serve(program.server, program.node);
	uv_signal_init(&program.loop, &program.sigterm);
	program.sigterm.data = &program;
	uv_signal_start(&program.sigterm, terminate, SIGTERM);
	uv_timer_init(&program.loop, &program.settled);
	uv_timer_start(&program.settled, give_back, SETTLED_MS, 0);
	said(NULL, "ready");
	uv_run(&program.loop, UV_RUN_DEFAULT);
	kv_store_free(program.store);
	return 0;
}
