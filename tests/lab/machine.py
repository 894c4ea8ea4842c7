# SPDX-License-Identifier: BSD-2-Clause
"""A machine of the lab (host, client, switch, router): namespaces, and commands run inside them."""
import pathlib
import signal
import subprocess
import time

from . import stats
from .capture import Capture
from .flows import run_flows
from .namespace import Namespaces

# The machine's own /run, /etc and sysfs. /etc and /var/lib are overlays, so that files appear in them
# (also below symbolic links) without a trace outside.
SETUP = """set -e
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
umount --recursive --lazy /sys
mount -t sysfs sysfs /sys
mkdir -p /run/lock /run/.lab
for place in etc var/lib; do
    upper=/run/.lab/$(basename $place)
    mkdir $upper $upper.work
    mount -t overlay overlay -o lowerdir=/$place,upperdir=$upper,workdir=$upper.work /$place
done
rm -f /etc/resolv.conf
: > /etc/resolv.conf
echo "$1" > /etc/hostname
echo "$1" > /proc/sys/kernel/hostname
printf '%s\\n' "$2" > /etc/hosts
ip link set lo up
"""


class CommandError(Exception):
    """A command that failed, with what it said."""

    def __init__(self, where, command, code, output, errors):
        self.code, self.output, self.errors = code, output, errors
        super().__init__(f"{where}: {_words(command)}: exit {code}\n{output or ''}{errors or ''}".rstrip())


def _words(command):
    return command if isinstance(command, str) else " ".join(map(str, command))


def wait_for(condition, timeout, what, every=0.005):
    """Polls until condition() is true and returns its value; TimeoutError after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(every)


class Machine:
    """
    name    its host name;  ip  its address on its network (None for the switch)
    """

    def __init__(self, lab, name, ip=None):
        self.lab, self.name, self.ip = lab, name, ip
        self.spaces = Namespaces(str(lab.tools / "hold"), f"{lab.name}-{name}", lab.keep)
        self._children = []
        self._alive = True

    # -- commands ------------------------------------------------------------------------------
    def popen(self, command, **options):
        """subprocess.Popen in the machine; a string is run by sh. It dies with the machine."""
        if isinstance(command, str):
            command = ["sh", "-c", command]
        child = self.spaces.popen([str(word) for word in command], **options)
        self._children = [other for other in self._children if other.poll() is None] + [child]
        return child

    def run(self, command, check=True, timeout=60, input=None, **options):
        """Runs a command to its end: a CompletedProcess with text; CommandError if it fails."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        if input is not None:
            options["stdin"] = subprocess.PIPE
        with self.popen(command, **options) as child:
            try:
                output, errors = child.communicate(input, timeout=timeout)
            except BaseException:
                child.kill()
                raise
        if check and child.returncode:
            raise CommandError(self.name, command, child.returncode, output, errors)
        return subprocess.CompletedProcess(command, child.returncode, output, errors)

    def output(self, command, **options):
        """What a command prints, without the final line end."""
        return self.run(command, **options).stdout.rstrip("\n")

    def ip_batch(self, *lines):
        """Many `ip` commands by one process."""
        self.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n")

    def ping(self, address, count=1, size=None, dont_fragment=False, timeout=2):
        """True if each ping was answered."""
        command = ["ping", "-n", "-q", "-i", "0.02", "-c", count, "-W", timeout, address]
        command += ["-s", size] if size else []
        command += ["-M", "do"] if dont_fragment else []
        return self.run(command, check=False).returncode == 0

    def curl(self, url, *args, check=True, timeout=30):
        """The body of an HTTP answer."""
        return self.run(["curl", "-sS", "--noproxy", "*", "-m", timeout, *args, url], check=check,
                        timeout=timeout + 5).stdout

    # -- network -------------------------------------------------------------------------------
    def setup(self, extra=""):
        """Starts what makes it a machine of its own; the lab waits for all machines at once."""
        return self.popen(["sh", "-c", SETUP + extra, "setup", self.name, self.lab.hosts_file()],
                          stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    def own(self, prefix):
        """Makes each address of a prefix local, so that flows can come from many addresses."""
        self.run(["ip", "route", "replace", "local", prefix, "dev", "lo"])

    def link(self, up=True):
        """Plugs or pulls the machine's cable, at the switch; its addresses and routes stay."""
        self.lab.port_of(self).link_set(self.name, up)

    def link_set(self, interface, up=True):
        self.run(["ip", "link", "set", interface, "up" if up else "down"])

    def capture(self, expression="", interface="eth0", **options):
        return Capture(self, expression, interface, **options)

    def flows(self, target, count, **options):
        """Opens many TCP connections or UDP flows; see run_flows."""
        return run_flows(self, target, count, **options)

    def snmp(self, name=None):
        """One kernel counter by nstat's name ("TcpInCsumErrors"), or all of them."""
        return stats.snmp(self.output("cat /proc/net/snmp /proc/net/netstat"), name)

    # -- files ---------------------------------------------------------------------------------
    @property
    def folder(self):
        """The machine's folder in the lab's: logs, its /var/lib/fairlead."""
        path = pathlib.Path(self.lab.dir) / self.name
        path.mkdir(exist_ok=True)
        return path

    def close(self):
        """Kills everything in the machine. Nothing of it is left but its folder."""
        if not self._alive:
            return
        self._alive = False
        self.spaces.kill()
        for child in self._children:
            child.wait()
        self.spaces.close()

    def release(self):
        self._alive = False
        self.spaces.release()
        for child in self._children:
            child.returncode = child.returncode or 0

    def signal_all(self, number=signal.SIGTERM):
        """Signals every process in the machine but its init."""
        self.run(["kill", f"-{int(number)}", "-1"], check=False)
