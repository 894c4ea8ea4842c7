// SPDX-License-Identifier: BSD-2-Clause
/*
 * The dpdk driver: the xdp driver, whole, and beside it fairlead-dpdk, which takes frames for tasks of
 * other nodes out of the uplink before the kernel's program decides on them. Both read the same tables.
 * This file needs no DPDK: it starts the forwarder's program, watches it and starts it again.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../xdp/xdp.h"
#include "driver.h"
#include "state.h"

enum {
	START_MS = 20000, /* EAL takes its time on a busy machine */
	STOP_MS = 5000,
	STUCK_MS = 2000, /* an lcore that says nothing for so long takes frames and sends none */
	BACKOFF_MS_MAX = 30000,
	ARGUMENTS_MAX = 64,
};

struct dpdk {
	struct dataplane *xdp;
	struct dpdk_state state;
	char uplink[IF_NAMESIZE], pin_dir[PATH_MAX / 2], run_dir[PATH_MAX / 2];
	char program[PATH_MAX], log[PATH_MAX], description[512];
	char *arguments[ARGUMENTS_MAX];
	uint64_t again_ms, backoff_ms;
	uint64_t token, seen_ms; /* the last one raised, and when the one before had been seen by all */
	bool lives;
	bool own_device; /* the forwarder has a device, and the uplink is not it */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	struct timespec pause = {.tv_nsec = ms * 1000000};

	nanosleep(&pause, NULL);
}

static void state_path(char *path, size_t size, const char *run_dir)
{
	snprintf(path, size, "%s/dpdk.state", run_dir);
}

/* Stopped, or caught in a driver: what comes in for it would be lost. Dead, the kernel takes it. */
static void end_stuck(struct dpdk *d)
{
	fprintf(stderr, "fairleadd: fairlead-dpdk (pid %d) has stood still for %d ms; it is killed\n",
		d->state.shared->pid, STUCK_MS);
	kill(d->state.shared->pid, SIGKILL);
}

/* Reads the tables as long as it lives. */
static void grace(void *context)
{
	struct dpdk *d = context;

	if (d->lives && !dpdk_state_grace(&d->state, STUCK_MS))
		end_stuck(d);
}

static void moved(void *context, uint32_t from, uint32_t to)
{
	struct dpdk *d = context;

	dpdk_state_move(&d->state, from, to);
}

/* Has each lcore come between two bursts since the last time? */
static void watch(struct dpdk *d)
{
	if (dpdk_state_seen(&d->state, d->token)) {
		d->token = dpdk_state_raise(&d->state);
		d->seen_ms = now_ms();
	} else if (now_ms() - d->seen_ms > STUCK_MS) {
		end_stuck(d);
		d->seen_ms = now_ms();
	}
}

static bool look(struct dpdk *d)
{
	char path[PATH_MAX];

	if (dpdk_state_alive(&d->state))
		return d->lives = true;
	dpdk_state_close(&d->state);
	state_path(path, sizeof(path), d->run_dir);
	d->lives = !dpdk_state_open(path, &d->state) && dpdk_state_alive(&d->state);
	return d->lives;
}

/* Beside this program, or in the build folder's place for it; else PATH has it. */
static void find_program(struct dpdk *d, const char *wanted)
{
	static const char *const places[] = {"%s/fairlead-dpdk",
					     "%s/../dataplane/dpdk/fairlead-dpdk"};
	char self[PATH_MAX / 2] = "";
	const char *folder;

	if (wanted) {
		snprintf(d->program, sizeof(d->program), "%s", wanted);
		return;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
		folder = dirname(self);
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(d->program, sizeof(d->program), places[i], folder);
#pragma GCC diagnostic pop
			if (!access(d->program, X_OK))
				return;
		}
	}
	snprintf(d->program, sizeof(d->program), "fairlead-dpdk");
}

/* Away from this process: its end, and its terminal's, must not be the forwarder's. */
static void launch(const struct dpdk *d)
{
	int log = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t all;

	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	if (fork())
		_exit(0);
	dup2(none, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	execvp(d->program, d->arguments);
	dprintf(STDERR_FILENO, "fairlead-dpdk: cannot run %s: %s\n", d->program, strerror(errno));
	_exit(127);
}

/* Its last words, for an error message. */
static void last_line(const char *path, off_t since, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	char text[256];

	snprintf(line, size, "it said nothing");
	if (!f)
		return;
	if (!fseeko(f, since, SEEK_SET))
		while (fgets(text, sizeof(text), f)) {
			text[strcspn(text, "\n")] = 0;
			if (*text)
				snprintf(line, size, "%s", text);
		}
	fclose(f);
}

static off_t log_size(const struct dpdk *d)
{
	struct stat info;

	return stat(d->log, &info) ? 0 : info.st_size;
}

/* True when it is up, false when it has ended or never came. It locks its state early on. */
static bool wait_running(struct dpdk *d)
{
	uint64_t end = now_ms() + START_MS, seen = 0;

	while (now_ms() < end) {
		if (look(d)) {
			if (__atomic_load_n(&d->state.shared->running, __ATOMIC_ACQUIRE))
				return true;
			seen = now_ms();
		} else if (seen || now_ms() > end - START_MS + 2000) {
			return false;
		}
		pause_ms(10);
	}
	return false;
}

static int start(struct dpdk *d, struct error *error)
{
	off_t since = log_size(d);
	char line[256];
	pid_t child;

	/* net_af_xdp wants the uplink for its own program; until it has it, tc decides. */
	if (!d->own_device) {
		attach_remove_link(d->pin_dir);
		attach_remove_afxdp(d->xdp->uplink.ifindex);
	}
	child = fork();
	if (!child)
		launch(d);
	if (child < 0)
		return error_set(error, -errno, "cannot start %s: %s", d->program, strerror(errno));
	waitpid(child, NULL, 0);
	if (wait_running(d)) {
		d->backoff_ms = 0;
		d->token = 0;
		d->seen_ms = now_ms();
		return 0;
	}
	last_line(d->log, since, line, sizeof(line));
	return error_set(error, -ECHILD, "fairlead-dpdk does not run (%s); see %s", line, d->log);
}

static int fill_arguments(struct dpdk *d, char *const *more)
{
	char *const own[] = {d->program, (char *)"--uplink",  d->uplink,           (char *)"--pin-dir",
			     d->pin_dir, (char *)"--run-dir", d->run_dir};
	uint32_t n = 0;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		d->arguments[n++] = own[i];
	for (; more && *more; more++) {
		if (n == ARGUMENTS_MAX - 1)
			return -E2BIG;
		d->own_device = d->own_device || !strcmp(*more, "--device");
		d->arguments[n++] = *more;
	}
	return 0;
}

static void dpdk_close(struct dataplane *dp)
{
	struct dpdk *d = (struct dpdk *)dp;

	if (!d)
		return;
	if (d->xdp)
		dataplane_xdp.close(d->xdp);
	dpdk_state_close(&d->state);
	free(d);
}

static void say(const struct error *error)
{
	fprintf(stderr, "fairleadd: %s\n", error->message);
}

/* Starts the forwarder; where that fails the kernel forwards alone, and it is tried again later. */
static void start_or_fall_back(struct dpdk *d)
{
	struct error error = {0};

	if (!start(d, &error))
		return;
	say(&error);
	d->backoff_ms = d->backoff_ms ? d->backoff_ms * 2 : 1000;
	if (d->backoff_ms > BACKOFF_MS_MAX)
		d->backoff_ms = BACKOFF_MS_MAX;
	d->again_ms = now_ms() + d->backoff_ms;
	if (xdp_attach_plain(d->xdp, &error))
		say(&error);
}

static int dpdk_open(const struct dp_options *o, struct dataplane **out, struct error *error)
{
	struct dpdk *d = calloc(1, sizeof(*d));
	struct xdp_hooks hooks = {.steer = true, .grace = grace, .moved = moved, .context = d};
	int err;

	if (!d)
		return error_set(error, -ENOMEM, "out of memory");
	d->state.fd = -1;
	snprintf(d->uplink, sizeof(d->uplink), "%s", o->uplink ? o->uplink : "");
	snprintf(d->pin_dir, sizeof(d->pin_dir), "%s", o->pin_dir ? o->pin_dir : DP_PIN_DIR);
	snprintf(d->run_dir, sizeof(d->run_dir), "%s", o->run_dir ? o->run_dir : DP_RUN_DIR);
	snprintf(d->log, sizeof(d->log), "%s/dpdk.log", d->run_dir);
	if (mkdir(d->run_dir, 0755) && errno != EEXIST)
		err = error_set(error, -errno, "cannot make %s: %s", d->run_dir, strerror(errno));
	else
		err = fill_arguments(d, o->dpdk_arguments);
	find_program(d, o->dpdk_program);
	look(d);
	if (!err)
		err = xdp_open_with(o, &hooks, &d->xdp, error);
	if (!err && d->own_device)
		err = xdp_attach_plain(d->xdp, error);
	if (err) {
		dpdk_close((struct dataplane *)d);
		return err;
	}
	if (!d->lives)
		start_or_fall_back(d);
	*out = (struct dataplane *)d;
	return 0;
}

static int dpdk_apply(struct dataplane *dp, const struct dp_mesh *mesh, struct dp_applied *applied,
		      struct error *error)
{
	return dataplane_xdp.apply(((struct dpdk *)dp)->xdp, mesh, applied, error);
}

static int dpdk_fd(const struct dataplane *dp)
{
	return dataplane_xdp.fd(((const struct dpdk *)dp)->xdp);
}

static bool dpdk_work(struct dataplane *dp)
{
	struct dpdk *d = (struct dpdk *)dp;
	bool lived = d->lives;

	if (look(d)) {
		watch(d);
	} else if (now_ms() >= d->again_ms) {
		if (lived)
			fprintf(stderr, "fairleadd: fairlead-dpdk has ended; the kernel forwards, and it "
					"is started again\n");
		start_or_fall_back(d);
	}
	return dataplane_xdp.work(d->xdp);
}

static const char *dpdk_describe(const struct dataplane *dp)
{
	const struct dpdk *d = (const struct dpdk *)dp;

	snprintf(((struct dpdk *)dp)->description, sizeof(d->description), "dpdk (%s); %s",
		 d->lives ? d->state.shared->description : "not running, the kernel forwards",
		 dataplane_xdp.describe(d->xdp));
	return d->description;
}

void dpdk_stop(const char *run_dir)
{
	uint64_t end = now_ms() + STOP_MS;
	struct dpdk_state state;
	char path[PATH_MAX];

	state_path(path, sizeof(path), run_dir);
	if (!dpdk_state_open(path, &state) && dpdk_state_alive(&state)) {
		kill(state.shared->pid, SIGTERM);
		while (dpdk_state_alive(&state) && now_ms() < end)
			pause_ms(10);
		if (dpdk_state_alive(&state))
			kill(state.shared->pid, SIGKILL);
	}
	dpdk_state_close(&state);
	unlink(path);
	snprintf(path, sizeof(path), "%s/afxdp.bpf.o", run_dir);
	unlink(path);
}

static int dpdk_detach(const char *pin_dir, const char *run_dir, struct error *error)
{
	/* The kernel's program first: what it delivers must find its way back until it stops. */
	dpdk_stop(run_dir ? run_dir : DP_RUN_DIR);
	return dataplane_xdp.detach(pin_dir, run_dir, error);
}

const struct dataplane_ops dataplane_dpdk = {
    .name = "dpdk",
    .open = dpdk_open,
    .apply = dpdk_apply,
    .fd = dpdk_fd,
    .work = dpdk_work,
    .describe = dpdk_describe,
    .close = dpdk_close,
    .detach = dpdk_detach,
};
