# SPDX-License-Identifier: BSD-2-Clause
"""Namespaces and the processes in them, through libc (os.setns came with Python 3.12 only)."""
import contextlib
import ctypes
import os
import signal
import subprocess
import sys

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x4000000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1


def _check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def setns(fd):
    _check(_libc.setns(fd, 0))


def unshare(flags):
    _check(_libc.unshare(flags))


@contextlib.contextmanager
def _children_elsewhere(enter):
    """Forks made inside are born in another PID namespace; this process stays in its own."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter()
        try:
            yield
        finally:
            setns(own)
    finally:
        os.close(own)


def _in_child(action):
    """Runs action between fork and exec; Popen alone would hide what went wrong there."""
    def guarded():
        try:
            action()
        except BaseException as error:
            sys.stderr.write(f"entering the namespace: {error}\n")
            sys.stderr.flush()
            raise
    return guarded


class Namespaces:
    """
    A network, mount, UTS and PID namespace, kept alive by a holder process that is the PID
    namespace's init: when it dies the kernel kills whatever runs inside, so nothing can leak, not
    even after SIGKILL of this process (then the parent-death signal takes the holder; it is tied
    to the thread that made it, so labs are made in the main thread).
    """

    def __init__(self, holder, title, outlive_parent=False):
        def isolate():
            if not outlive_parent:
                _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
            unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET)
            # Before anything is mounted: no mount of ours may travel to the machine.
            _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))

        with _children_elsewhere(lambda: unshare(CLONE_NEWPID)):
            self._holder = subprocess.Popen(
                [title], executable=holder, preexec_fn=_in_child(isolate), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=None)
        self.pid = self._holder.pid
        self._fds = {kind: os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
                     for kind in ("net", "uts", "mnt", "pid")}

    def popen(self, command, *, net=None, only_net=False, **options):
        """
        Popen inside. net: path of another network namespace, as seen inside; only_net: enter the
        network namespace alone, so that PIDs and paths mean what they mean here.
        """
        folder = options.pop("cwd", None) or os.getcwd()

        def enter():
            setns(self._fds["net"])
            if only_net:
                return
            setns(self._fds["uts"])
            setns(self._fds["mnt"])
            if net:
                with open(net, "rb") as other:
                    setns(other.fileno())
            os.chdir(folder if os.path.isdir(folder) else "/")

        options.setdefault("stdin", subprocess.DEVNULL)
        # A session of its own: Ctrl-C is for the lab, which then stops things in order.
        options.setdefault("start_new_session", True)
        into = (lambda: None) if only_net else (lambda: setns(self._fds["pid"]))
        with _children_elsewhere(into):
            return subprocess.Popen(command, preexec_fn=_in_child(enter), **options)

    def kill(self):
        """Kills all that runs inside."""
        self._holder.kill()

    def close(self):
        """
        Waits for the end after kill(). Whoever started processes inside reaps them first: init's
        end waits for them.
        """
        self._holder.wait()
        self.release()

    def release(self):
        """Lets go without killing (a kept lab)."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds = {}
        self._holder.returncode = 0  # no ResourceWarning: it is meant to outlive us
