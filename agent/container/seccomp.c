/* SPDX-License-Identifier: BSD-2-Clause */
#include "seccomp.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* Names that the machine does not know are skipped by the runtime: one table serves all
 * architectures. */
static const char always[] =
    "_llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 "
    "arm_sync_file_range "
    "bind breakpoint brk cacheflush cachestat capget capset chdir chmod chown chown32 "
    "clock_adjtime "
    "clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep "
    "clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
    "epoll_create "
    "epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
    "eventfd eventfd2 "
    "execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
    "fanotify_mark fchdir "
    "fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
    "flistxattr flock fork "
    "fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 "
    "futex "
    "futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list "
    "get_thread_area "
    "getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 "
    "getgroups "
    "getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom "
    "getresgid "
    "getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid "
    "gettimeofday "
    "getuid getuid32 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch "
    "io_cancel "
    "io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl "
    "ioprio_get ioprio_set "
    "ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 "
    "lgetxattr link "
    "linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise "
    "map_shadow_stack "
    "membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 "
    "mlockall mmap mmap2 "
    "modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
    "mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall "
    "munmap "
    "name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal "
    "pipe pipe2 "
    "pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 "
    "prlimit64 "
    "process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 "
    "pwritev "
    "pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 "
    "recvmsg "
    "remap_file_pages removexattr rename renameat renameat2 restart_syscall riscv_flush_icache "
    "riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_sigreturn "
    "rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max "
    "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
    "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
    "sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
    "semtimedop_time64 send "
    "sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address "
    "set_tls "
    "setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer "
    "setpgid "
    "setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
    "setreuid32 setrlimit "
    "setsid setsockopt setuid setuid32 setxattr shmat shmctl shmdt shmget shutdown sigaltstack "
    "signalfd "
    "signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 "
    "statx symlink "
    "symlinkat sync sync_file_range sync_file_range2 syncfs sysinfo tee tgkill time timer_create "
    "timer_delete "
    "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create "
    "timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate "
    "truncate64 "
    "ugetrlimit umask uname unlink unlinkat utime utimensat utimensat_time64 utimes vfork vmsplice "
    "wait4 waitid "
    "waitpid write writev";

static const struct {
	unsigned int capability;
	const char *names;
} with_capability[] = {
    {2, "open_by_handle_at"},
    {16, "delete_module finit_module init_module"},
    {17, "ioperm iopl"},
    {18, "chroot"},
    {19, "kcmp pidfd_getfd process_madvise"},
    {20, "acct"},
    {21, "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
	 "mount_setattr "
	 "move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname "
	 "setns syslog umount "
	 "umount2 unshare"},
    {22, "reboot"},
    {23, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {25, "clock_settime clock_settime64 settimeofday stime"},
    {26, "vhangup"},
    {34, "syslog"},
    {38, "perf_event_open"},
    {39, "bpf"},
};

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWCGROUP)

static json_t *words(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		const size_t length = strcspn(text, " ");
		json_array_append_new(list, json_stringn(text, length));
		text += length + (text[length] == ' ');
	}
	return list;
}

static void allow(json_t *rules, const char *names)
{
	json_array_append_new(
	    rules, json_pack("{s:o, s:s}", "names", words(names), "action", "SCMP_ACT_ALLOW"));
}

/* Allowed while an argument compares so. */
static void allow_if(json_t *rules, const char *name, unsigned int argument, const char *how,
		     uint64_t value, uint64_t value2)
{
	json_array_append_new(rules, json_pack("{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}", "names",
					       name, "action", "SCMP_ACT_ALLOW", "args", "index",
					       (int)argument, "value", (json_int_t)value,
					       "valueTwo", (json_int_t)value2, "op", how));
}

static void add_conditions(json_t *rules, uint64_t capabilities)
{
	/* The personalities that change nothing for others: Linux, 32 bit, no randomization; and
	 * asking. */
	static const uint32_t personalities[] = {0, 0x0008, 0x20000, 0x20008, 0xffffffff};

	for (size_t i = 0; i < sizeof(personalities) / sizeof(personalities[0]); i++)
		allow_if(rules, "personality", 0, "SCMP_CMP_EQ", personalities[i], 0);
	/* Not AF_VSOCK: it leads to the machine's own hypervisor. */
	allow_if(rules, "socket", 0, "SCMP_CMP_NE", AF_VSOCK, 0);
	if (capabilities >> 21 & 1)
		return;
	/* No new namespaces. clone3 hides its flags in memory: "not there" makes libraries take
	 * clone. */
	allow_if(rules, "clone", 0, "SCMP_CMP_MASKED_EQ", NAMESPACES, 0);
	json_array_append_new(rules, json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action",
					       "SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
}

json_t *seccomp_profile(uint64_t capabilities)
{
	json_t *rules = json_array();
	json_t *profile = json_pack("{s:s, s:i, s:O}", "defaultAction", "SCMP_ACT_ERRNO",
				    "defaultErrnoRet", EPERM, "syscalls", rules);

	allow(rules, always);
	for (size_t i = 0; i < sizeof(with_capability) / sizeof(with_capability[0]); i++) {
		if (capabilities >> with_capability[i].capability & 1)
			allow(rules, with_capability[i].names);
	}
	add_conditions(rules, capabilities);
	json_decref(rules);
	/*
	 * 64 and 32 bit; docker lists x32 as well, which nobody runs and which costs each start 5
	 * ms of building the filter. What is not listed is killed.
	 */
#if defined(__x86_64__)
	json_object_set_new(profile, "architectures",
			    json_pack("[ss]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86"));
#elif defined(__aarch64__)
	json_object_set_new(profile, "architectures",
			    json_pack("[ss]", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"));
#endif
	return profile;
}
