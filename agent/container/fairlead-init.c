/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fairlead-init: PID 1 of a container that asked for one (--init). Static, for it runs in any
 * image. It starts the program, hands signals on, reaps who has lost their parents, and ends as the
 * program does.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char **words = argv + (argc > 1 && !strcmp(argv[1], "--") ? 2 : 1);
	sigset_t all, before;
	pid_t child;

	if (!*words) {
		fprintf(stderr, "usage: fairlead-init -- PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	child = fork();
	if (child < 0) {
		perror("fork");
		return 1;
	}
	if (!child) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		execvp(*words, words);
		fprintf(stderr, "%s: %s\n", *words, strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	for (;;) {
		int number, status;
		pid_t pid;
		if (sigwait(&all, &number))
			continue;
		if (number != SIGCHLD) {
			kill(child, number);
			continue;
		}
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid == child)
				return status_of(status);
		}
	}
}
