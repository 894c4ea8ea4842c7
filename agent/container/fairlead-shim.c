/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fairlead-shim: one container's monitor. It starts crun, is the parent of what crun leaves behind,
 *writes down what that says and how it ends, and is gone with it. The agent may die and come back
 *meanwhile. See shim_files.h for what the two tell each other.
 *
 *	fairlead-shim FOLDER ID CRUN CRUN_ROOT LOG LOG_SIZE_MAX LOG_FILES_MAX pipe|tty
 *
 * It stays small on purpose: there is one for each container. It allocates nothing after its start.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "durable.h"
#include "log_writer.h"
#include "shim_files.h"

enum {
	READ_MAX = 32 << 10,
	/* How long after the container's end its output is waited for: somebody outside may hold
	   the pipe. */
	DRAIN_MS = 2000,
	START_FAILED = 1,
};

struct shim {
	const char *folder, *id, *crun, *crun_root;
	bool tty;
	int output[2]; /* reading ends, by stream; -1: ended */
	int giving[2]; /* writing ends, until crun has them */
	int console;   /* where crun hands over the terminal */
	int signals;
	struct process_id init;
	bool over;
	int exit_code;
	struct log_writer log;
	char bytes[READ_MAX];
};

static int64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Tells the agent, which may be gone, and that the start is over. */
static void tell(const char *text)
{
	(void)durable_write_all(SHIM_STATUS_FD, text, strlen(text));
	close(SHIM_STATUS_FD);
}

static void tell_failure(const char *what, int code)
{
	char text[512];

	snprintf(text, sizeof(text), "failed\n%s: %s", what, strerror(code));
	tell(text);
}

static int make_pipes(struct shim *shim)
{
	for (int i = 0; i < 2; i++) {
		int ends[2];
		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		shim->output[i] = ends[0];
		shim->giving[i] = ends[1];
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

/* The path is relative (we stand in the folder): a socket's address is shorter than paths may be.
 */
static int make_console(struct shim *shim)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SHIM_TTY};

	unlink(SHIM_TTY);
	shim->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (shim->console < 0 ||
	    bind(shim->console, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(shim->console, 1) < 0)
		return -errno;
	return 0;
}

static void exec_crun(const struct shim *shim)
{
	const char *words[16] = {shim->crun, "--root",     shim->crun_root, "--cgroup-manager",
				 "cgroupfs", "--log",      SHIM_WORDS,      "run",
				 "--detach", "--pid-file", SHIM_INIT};
	size_t count = 11;
	sigset_t none;

	if (shim->tty) {
		words[count++] = "--console-socket";
		words[count++] = SHIM_TTY;
	} else {
		dup2(shim->giving[LOG_STDOUT], STDOUT_FILENO);
		dup2(shim->giving[LOG_STDERR], STDERR_FILENO);
	}
	words[count] = shim->id;
	/* The lock is ours alone, and the agent waits for the pipe's end. */
	close(SHIM_STATUS_FD);
	close(SHIM_LOCK_FD);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(shim->crun, (char **)words);
	_exit(127);
}

/* Takes the terminal's other end from crun; what it says counts as standard output. */
static int take_terminal(struct shim *shim)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	const int peer = accept4(shim->console, NULL, NULL, SOCK_CLOEXEC);
	const struct cmsghdr *header;

	if (peer < 0)
		return -errno;
	if (recvmsg(peer, &message, MSG_CMSG_CLOEXEC) < 0) {
		close(peer);
		return -errno;
	}
	close(peer);
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&shim->output[LOG_STDOUT], CMSG_DATA(header), sizeof(int));
	fcntl(shim->output[LOG_STDOUT], F_SETFL, O_NONBLOCK);
	return 0;
}

/* Waits for crun; meanwhile it may want to hand over a terminal. Its exit status, or a negative
 * errno. */
static int wait_for_crun(struct shim *shim, pid_t crun)
{
	int status = 0;

	while (shim->tty) {
		struct pollfd fds[2] = {{.fd = shim->console, .events = POLLIN},
					{.fd = shim->signals, .events = POLLIN}};
		struct signalfd_siginfo drop;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents) {
			const int rc = take_terminal(shim);
			if (rc < 0)
				return rc;
			break;
		}
		(void)!read(shim->signals, &drop, sizeof(drop));
		if (waitpid(crun, &status, WNOHANG) == crun)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	while (waitpid(crun, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What crun wrote to its log, and to the output it would have given the container. */
static void tell_words(struct shim *shim)
{
	static char text[4096] = "failed\n";
	size_t used = strlen(text);
	const int fd = open(SHIM_WORDS, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text + used, sizeof(text) - 1 - used);

	used += got > 0 ? (size_t)got : 0;
	if (got <= 0 && shim->output[LOG_STDERR] >= 0) {
		got = read(shim->output[LOG_STDERR], text + used, sizeof(text) - 1 - used);
		used += got > 0 ? (size_t)got : 0;
	}
	text[used] = '\0';
	tell(text);
}

static int read_init(struct shim *shim)
{
	char text[32] = "";
	const int fd = open(SHIM_INIT, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -ESRCH;
	close(fd);
	return process_identify(atoi(text), &shim->init);
}

static int write_running(const struct shim *shim)
{
	char text[SHIM_FILE_MAX];
	struct process_id self;
	int length = process_identify(getpid(), &self);

	if (length < 0)
		return length;
	length = snprintf(text, sizeof(text),
			  "{\"pid\":%d,\"start_ticks\":%" PRIu64
			  ",\"boot_id\":\"%s\",\"monitor_pid\":%d,"
			  "\"monitor_start_ticks\":%" PRIu64 ",\"started_ns\":%" PRId64 "}\n",
			  shim->init.pid, shim->init.start_ticks, shim->init.boot_id, self.pid,
			  self.start_ticks, now_ns());
	return durable_replace(".", SHIM_RUNNING, text, (size_t)length, 0600);
}

static int write_exit(const struct shim *shim)
{
	char text[SHIM_FILE_MAX];
	const int length = snprintf(text, sizeof(text),
				    "{\"exit_code\":%d,\"finished_ns\":%" PRId64
				    ",\"log_lost_bytes\":%" PRIu64 "}\n",
				    shim->exit_code, now_ns(), shim->log.lost_bytes);

	return durable_replace(".", SHIM_EXIT, text, (size_t)length, 0600);
}

static int start(struct shim *shim)
{
	pid_t crun;
	int rc = shim->tty ? make_console(shim) : make_pipes(shim);

	if (rc < 0) {
		tell_failure("cannot make the container's output", -rc);
		return rc;
	}
	crun = fork();
	if (crun == 0)
		exec_crun(shim);
	for (int i = 0; i < 2 && !shim->tty; i++)
		close(shim->giving[i]);
	rc = crun < 0 ? -errno : wait_for_crun(shim, crun);
	if (shim->tty) {
		close(shim->console);
		unlink(SHIM_TTY);
	}
	if (rc) {
		if (rc < 0 || rc == 127)
			tell_failure(shim->crun, rc < 0 ? -rc : ENOENT);
		else
			tell_words(shim);
		return -EIO;
	}
	rc = read_init(shim);
	rc = rc < 0 ? rc : write_running(shim);
	if (rc < 0) {
		if (shim->init.pid > 0)
			kill(shim->init.pid, SIGKILL);
		tell_failure("cannot keep the container's state", -rc);
		return rc;
	}
	tell("running\n");
	return 0;
}

/* One piece, or the stream's end. A terminal ends with EIO. */
static void take_output(struct shim *shim, enum log_stream stream)
{
	const ssize_t got = read(shim->output[stream], shim->bytes, sizeof(shim->bytes));

	if (got > 0)
		log_writer_add(&shim->log, stream, shim->bytes, (size_t)got, now_ns());
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	log_writer_end(&shim->log, stream, now_ns());
	close(shim->output[stream]);
	shim->output[stream] = -1;
}

/* What the dead leave to the subreaper is reaped here too: processes of crun exec. */
static void reap(struct shim *shim)
{
	struct signalfd_siginfo drop;
	int status;
	pid_t pid;

	(void)!read(shim->signals, &drop, sizeof(drop));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != shim->init.pid)
			continue;
		shim->over = true;
		shim->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

static void watch(struct shim *shim)
{
	int64_t until = 0;

	while (!shim->over || shim->output[0] >= 0 || shim->output[1] >= 0) {
		struct pollfd fds[3] = {{.fd = shim->output[0], .events = POLLIN},
					{.fd = shim->output[1], .events = POLLIN},
					{.fd = shim->over ? -1 : shim->signals, .events = POLLIN}};
		const int ready = poll(fds, 3, shim->over ? DRAIN_MS : -1);
		if (ready < 0 && errno != EINTR)
			break;
		for (int i = 0; ready > 0 && i < 2; i++) {
			if (fds[i].revents)
				take_output(shim, i ? LOG_STDERR : LOG_STDOUT);
		}
		if (ready > 0 && fds[2].revents)
			reap(shim);
		if (!shim->over)
			continue;
		until = until ? until : now_ns() + (int64_t)DRAIN_MS * 1000000;
		if (!ready || now_ns() > until)
			break;
	}
	for (int i = 0; i < 2; i++) {
		if (shim->output[i] >= 0)
			log_writer_end(&shim->log, i ? LOG_STDERR : LOG_STDOUT, now_ns());
	}
}

static int prepare(struct shim *shim)
{
	sigset_t child, all;

	/* Only SIGKILL and the container's end may end a monitor. */
	sigfillset(&all);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &all, NULL);
	fcntl(SHIM_STATUS_FD, F_SETFD, FD_CLOEXEC);
	fcntl(SHIM_LOCK_FD, F_SETFD, FD_CLOEXEC);
	umask(022);
	shim->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (shim->signals < 0 || chdir(shim->folder) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	static struct shim shim = {.output = {-1, -1}};
	struct log_limits limits;
	int rc;

	if (argc != 9) {
		fprintf(stderr, "fairlead-shim is started by fairleadd, one for each container\n");
		return 2;
	}
	shim.folder = argv[1];
	shim.id = argv[2];
	shim.crun = argv[3];
	shim.crun_root = argv[4];
	limits.size_bytes_max = strtoull(argv[6], NULL, 10);
	limits.files_max = (unsigned int)strtoul(argv[7], NULL, 10);
	shim.tty = !strcmp(argv[8], "tty");
	rc = prepare(&shim);
	if (rc < 0) {
		tell_failure(shim.folder, -rc);
		return START_FAILED;
	}
	if (start(&shim) < 0)
		return START_FAILED;
	log_writer_open(&shim.log, argv[5], &limits);
	watch(&shim);
	log_writer_close(&shim.log);
	return write_exit(&shim) < 0;
}
