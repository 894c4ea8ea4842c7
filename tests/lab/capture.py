# SPDX-License-Identifier: BSD-2-Clause
"""tcpdump on one interface of a machine, into a file."""
import itertools
import re
import signal
import subprocess

_number = itertools.count(1)


class Capture:
    """
    Runs from construction (it waits until tcpdump listens) to stop(); path is the pcap file.
    What an interface receives is seen after GRO merged it; with options=("-Q", "out") on the sending
    end a capture has the frames as they are on the wire. XDP acts before: what it drops, redirects or
    sends back never shows on its own interface, but does at the other end of the wire.
    """

    def __init__(self, machine, expression="", interface="eth0", snaplen=None, netns=None,
                 options=()):
        from .machine import wait_for  # machine.py needs Capture
        self._wait_for = wait_for
        self.path = machine.folder / f"{interface}-{next(_number)}.pcap"
        self._log = self.path.with_suffix(".log")
        # -Z root: the file belongs to the lab. Immediate: nothing waits in a ring at the end. The ring
        # has slots of snaplen bytes: with tcpdump's default (256 KiB) hardly any, and most is lost.
        command = ["tcpdump", "-n", "-U", "--immediate-mode", "-B", "32768", "-Z", "root",
                   "-s", snaplen or machine.lab.mtu + 200, "-i", interface, "-w", self.path,
                   *options, *expression.split()]
        with open(self._log, "w") as log:
            self._process = machine.popen(command, stderr=log, stdout=subprocess.DEVNULL, net=netns)
        wait_for(self._listening, 5, f"tcpdump on {machine.name} {interface}")

    def _listening(self):
        text = self._log.read_text()
        if self._process.poll() is not None:
            raise RuntimeError(f"tcpdump: {text}")
        return "listening on" in text

    def stop(self):
        """Ends the capture and returns the file's path."""
        if self._process.poll() is None:
            self._drain()
            self._process.send_signal(signal.SIGINT)
            self._process.wait(10)
        return self.path

    def _drain(self):
        """tcpdump throws away what is still in its ring when it ends: let it catch up first."""
        try:
            self._wait_for(self._caught_up, 2, "tcpdump catches up", every=0.02)
        except TimeoutError:
            pass  # traffic goes on, and so there is no end to catch up with

    def _caught_up(self):
        since = self._log.stat().st_size
        self._process.send_signal(signal.SIGUSR1)  # it tells its counters
        self._wait_for(lambda: "by kernel\n" in self._log.read_text()[since:], 2, "tcpdump's counters")
        captured, received, dropped = map(int, re.findall(r"(\d+) packets?", self._log.read_text()[since:]))
        return captured + dropped >= received

    def lines(self, *args):
        """Stops, and returns tcpdump's one-line descriptions of the packets."""
        self.stop()
        output = subprocess.run(["tcpdump", "-n", "-r", str(self.path), *args], check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        return output.splitlines()

    def count(self, *expression):
        """Stops, and returns how many packets match."""
        return len(self.lines("-q", *" ".join(expression).split()))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
