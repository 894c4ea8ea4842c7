/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Init of a lab machine's PID namespace: keeps its namespaces alive and reaps orphans. Only SIGKILL
 * from outside ends it, and the kernel then kills everything else in the namespace.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	sigset_t all;

	close(STDERR_FILENO); /* a kept lab must not keep the pipe of whoever made it */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0) {
		}
		sigwaitinfo(&all, NULL);
	}
}
