// SPDX-License-Identifier: BSD-2-Clause
/* The daemon. Static mode: one node's data plane from a file, read again on SIGHUP. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "static.h"

static const char usage[] =
    "Usage: fairleadd --static FILE [--node NAME] [--uplink INTERFACE]\n"
    "\n"
    "Runs a node of the ingress mesh from a file. SIGHUP reads the file again; SIGTERM ends the\n"
    "daemon and leaves the data plane forwarding (fairlead detach takes it off).\n"
    "\n"
    "      --static FILE     the mesh: nodes, services, backends (agent/README.md)\n"
    "      --node NAME       which of the nodes this is; comes before the file's \"node\"\n"
    "      --uplink NAME     interface towards clients and nodes; before the file's \"uplink\"\n"
    "      --dataplane NAME  xdp, or dpdk: beside it fairlead-dpdk takes in what is for other nodes\n"
    "      --dpdk ARGS       arguments for fairlead-dpdk: \"--cores 2,3 --huge\" (fairlead-dpdk --help)\n"
    "      --check           read and check the file, change nothing\n"
    "      --pin-dir DIR     where the data plane is pinned (" DP_PIN_DIR ")\n"
    "      --run-dir DIR     where the applied file is kept for fairlead (/run/fairlead)\n"
    "      --version, --help\n";

enum { DPDK_ARGUMENTS_MAX = 32 };

struct daemon {
	const char *file, *node, *uplink, *pin_dir, *run_dir;
	const struct dataplane_ops *ops;
	char *dpdk_arguments[DPDK_ARGUMENTS_MAX + 1];
	bool check;
	struct dataplane *dp;
	struct mesh *mesh; /* as applied */
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("fairleadd: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

/* sd_notify(3)'s protocol, which is one datagram. */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;

	if (!path || !*path || strlen(path) >= sizeof(to.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

static int write_file(const char *dir, const char *name, const void *bytes, size_t length)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "we");
	if (!f)
		return -errno;
	ok = fwrite(bytes, 1, length, f) == length;
	if (fclose(f) || !ok || rename(temporary, path))
		return errno ? -errno : -EIO;
	return 0;
}

/* The applied mesh's names, for `fairlead`. The data plane does not depend on them. */
static void keep_names(const struct daemon *d)
{
	const struct mesh *m = d->mesh;
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return;
	for (uint32_t i = 0; i < m->node_count; i++)
		for (uint32_t a = 0; a < m->nodes[i].address_count; a++)
			fprintf(f, "node %s %08x %08x%s\n", m->nodes[i].name, m->nodes[i].vtep.s_addr,
				m->nodes[i].addresses[a].s_addr, i == m->self ? " self" : "");
	for (uint32_t s = 0; s < m->service_count; s++) {
		const struct mesh_service *service = &m->services[s];

		for (uint32_t p = 0; p < service->port_count; p++)
			fprintf(f, "port %s %u %u\n", service->name, service->ports[p].protocol,
				service->ports[p].published);
		for (uint32_t b = 0; b < service->backend_count; b++) {
			const struct mesh_backend *backend = &service->backends[b];
			const uint8_t *mac = backend->mac;

			fprintf(f, "backend %s %s %08x %02x%02x%02x%02x%02x%02x %u %s\n",
				service->name, m->nodes[backend->node].name, backend->address.s_addr,
				mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], backend->weight,
				backend->state == MESH_ACTIVE ? "active"
				: backend->state == MESH_DRAIN ? "drain"
							       : "down");
		}
	}
	fclose(f);
	if (mkdir(d->run_dir, 0755) && errno != EEXIST)
		say("cannot make %s: %s", d->run_dir, strerror(errno));
	else if (write_file(d->run_dir, "names", text, length))
		say("cannot write %s/names: %s", d->run_dir, strerror(errno));
	free(text);
}

static int apply(struct daemon *d, struct mesh *mesh, struct error *error)
{
	struct dp_applied applied = {0};
	struct static_mesh m = {0};
	int err = static_mesh_make(mesh, &m);

	if (err)
		return error_set(error, err, "out of memory");
	err = d->ops->apply(d->dp, &m.dp, &applied, error);
	static_mesh_free(&m);
	if (err)
		return err;
	say("applied %s: %u services, %u published ports, %u backends; %u services changed, %u slots "
	    "moved",
	    d->file, applied.services, applied.ports, applied.backends, applied.generations,
	    applied.slots_moved);
	return 0;
}

/* Reads the file and applies it. On an error the mesh that runs stays as it is. */
static int reload(struct daemon *d)
{
	struct error error = {0};
	struct mesh *mesh = NULL;
	int err = mesh_load(d->file, d->node, d->uplink, &mesh, &error);

	if (!err && !d->check && !d->dp) {
		struct dp_options options = {.uplink = mesh->uplink,
					     .pin_dir = d->pin_dir,
					     .run_dir = d->run_dir,
					     .dpdk_arguments = d->dpdk_arguments,
					     .flows = mesh->flows_max,
					     .slots = mesh->slots_max,
					     .backends = mesh->backends_max};

		err = d->ops->open(&options, &d->dp, &error);
		if (!err)
			say("%s", d->ops->describe(d->dp));
	} else if (!err && d->dp && strcmp(mesh->uplink, d->mesh->uplink)) {
		err = error_set(&error, -EINVAL, "%s: the uplink cannot change from %s to %s while "
						 "the daemon runs; restart it",
				d->file, d->mesh->uplink, mesh->uplink);
	}
	if (!err && !d->check)
		err = apply(d, mesh, &error);
	if (err) {
		say("%s", error.message);
		if (d->dp && d->mesh)
			say("the mesh that runs stays as it is");
		mesh_free(mesh);
		return err;
	}
	mesh_free(d->mesh);
	d->mesh = mesh;
	if (!d->check)
		keep_names(d);
	return 0;
}

/* 0 when a signal ended it. */
static int run(struct daemon *d, int signals, int timer)
{
	struct pollfd fds[] = {
	    {.fd = signals, .events = POLLIN},
	    {.fd = d->ops->fd(d->dp), .events = POLLIN},
	    {.fd = timer, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents & POLLIN) {
			struct signalfd_siginfo info;

			if (read(signals, &info, sizeof(info)) != sizeof(info))
				continue;
			if (info.ssi_signo != SIGHUP) {
				say("ending; the data plane goes on forwarding");
				return 0;
			}
			notify("RELOADING=1");
			reload(d);
			notify("READY=1");
		}
		if (fds[2].revents & POLLIN) {
			uint64_t ticks;

			(void)!read(timer, &ticks, sizeof(ticks));
		}
		if ((fds[1].revents | fds[2].revents) & POLLIN && d->ops->work(d->dp)) {
			struct error error = {0};

			if (apply(d, d->mesh, &error))
				say("%s", error.message);
		}
	}
}

static int start(struct daemon *d)
{
	struct itimerspec second = {.it_value.tv_sec = 1, .it_interval.tv_sec = 1};
	int signals, timer, err;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (signals < 0 || timer < 0 || timerfd_settime(timer, 0, &second, NULL)) {
		say("cannot wait for signals: %s", strerror(errno));
		return 1;
	}
	err = reload(d);
	if (!err && !d->check) {
		say("ready");
		notify("READY=1");
		err = run(d, signals, timer);
	}
	if (d->dp)
		d->ops->close(d->dp);
	mesh_free(d->mesh);
	close(signals);
	close(timer);
	return err ? 1 : 0;
}

static const struct dataplane_ops *dataplane_named(const char *name)
{
	static const struct dataplane_ops *const all[] = {&dataplane_xdp, &dataplane_dpdk};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

/* Cuts text into words; false if they are too many. */
static bool split(char *text, char **words)
{
	int n = 0;

	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		if (n == DPDK_ARGUMENTS_MAX)
			return false;
		words[n++] = word;
	}
	words[n] = NULL;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"static", required_argument, NULL, 's'}, {"node", required_argument, NULL, 'n'},
	    {"uplink", required_argument, NULL, 'u'}, {"pin-dir", required_argument, NULL, 'p'},
	    {"run-dir", required_argument, NULL, 'r'}, {"check", no_argument, NULL, 'c'},
	    {"dataplane", required_argument, NULL, 'd'}, {"dpdk", required_argument, NULL, 'k'},
	    {"version", no_argument, NULL, 'v'},      {"help", no_argument, NULL, 'h'},
	    {0},
	};
	struct daemon d = {.run_dir = DP_RUN_DIR, .ops = &dataplane_xdp};
	int option;

	setlinebuf(stderr);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			d.file = optarg;
			break;
		case 'n':
			d.node = optarg;
			break;
		case 'u':
			d.uplink = optarg;
			break;
		case 'p':
			d.pin_dir = optarg;
			break;
		case 'r':
			d.run_dir = optarg;
			break;
		case 'c':
			d.check = true;
			break;
		case 'd':
			d.ops = dataplane_named(optarg);
			if (!d.ops) {
				fprintf(stderr, "fairleadd: --dataplane %s: xdp and dpdk are known\n",
					optarg);
				return 2;
			}
			break;
		case 'k':
			if (!split(optarg, d.dpdk_arguments)) {
				fprintf(stderr, "fairleadd: --dpdk: more than %d arguments\n",
					DPDK_ARGUMENTS_MAX);
				return 2;
			}
			break;
		case 'v':
			puts("fairleadd " FL_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs("See 'fairleadd --help'.\n", stderr);
			return 2;
		}
	}
	if (!d.file || optind < argc) {
		fprintf(stderr, "fairleadd: %s\nSee 'fairleadd --help'.\n",
			d.file ? "too many arguments" : "--static FILE is required");
		return 2;
	}
	return start(&d);
}
