#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What tests/demo shows: three nodes, tasks on two of them, a client that asks all three."""
import argparse
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from lab import CommandError, Lab, cleanup  # noqa: E402

PORT = 8000
ASKS = 4  # of each node, before the load
ROUND_REQUESTS, ROUND_SECONDS = 50, 0.5  # per node: 300 requests a second in all
PLAIN_ROUNDS = 6  # of load where there is no terminal
BAR = 20

PICTURE = """
               {client}
               client1
                  |
      ------+-----+-------+--------------+------
            |             |              |
          host1         host2          host3
          10.99.0.1     10.99.0.2      10.99.0.3
          task web1     task web2      no task        every node answers on port {port}
"""


class Screen:
    """Sober colours on a terminal; plain text elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._colours = self.live and "NO_COLOR" not in os.environ
        self._drawn = 0
        self.block = "█" if "utf" in (sys.stdout.encoding or "").lower() else "#"

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self._colours else text

    def bold(self, text):
        return self.paint(1, text)

    def good(self, text):
        return self.paint(32, text)

    def bad(self, text):
        return self.paint(31, text)

    def dim(self, text):
        return self.paint(2, text)

    def redraw(self, lines):
        if self._drawn:
            sys.stdout.write(f"\033[{self._drawn}A\033[J")
        print("\n".join(lines), flush=True)
        self._drawn = len(lines)


class Seen:
    """The client addresses in a task's access log, read on from where it was left."""

    def __init__(self, task):
        self._path, self._offset = task.folder / "data/access.log", 0
        self.counts = {}

    def update(self):
        with open(self._path, "rb") as log:
            log.seek(self._offset)
            data = log.read()
        whole = data[:data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode().splitlines():
            address = line.split(" ", 1)[0]
            self.counts[address] = self.counts.get(address, 0) + 1


class Demo:
    def __init__(self, lab, tasks, screen):
        self.lab, self.tasks, self.screen = lab, tasks, screen
        self.served = {host.name: {task.name: 0 for task in tasks} for host in lab.hosts}
        self.failed, self.load_start = 0, 0.0
        self.seen = [Seen(task) for task in tasks]

    # -- a few requests, each shown ----------------------------------------------------------------
    def ask_each_node(self):
        print(self.screen.bold(f"  {'client1 asks':<20}{'answered by':<20}nginx saw the client as"))
        for host in self.lab.hosts:
            for _ in range(ASKS):
                self._ask(host)
        print()

    def _ask(self, host):
        url = f"http://{host.ip}:{PORT}/whoami"
        try:
            task, source, _ = self.lab.client.curl(url, "-f", timeout=5).split()
        except CommandError as error:
            self.failed += 1
            print(f"  {host.ip + f':{PORT}':<20}{self.screen.bad('no answer')} {error.errors.strip()}")
            return
        where = next(t.host.name for t in self.tasks if t.name == task)
        address = source.rsplit(":", 1)[0]
        own = address == self.lab.client.ip
        verdict = self.screen.good("its own address") if own else self.screen.bad("NOT its own address")
        print(f"  {host.ip + f':{PORT}':<20}{f'{task} on {where}':<20}{address:<15} {verdict}", flush=True)

    # -- load --------------------------------------------------------------------------------------
    def load_round(self):
        start = time.monotonic()
        for host in self.lab.hosts:
            flows = self.lab.client.flows(f"{host.ip}:{PORT}", ROUND_REQUESTS, parallel=10, timeout=10)
            self.failed += flows.failed
            for task, count in flows.answers.items():
                self.served[host.name][task] = self.served[host.name].get(task, 0) + count
        for seen in self.seen:
            seen.update()
        time.sleep(max(0.0, ROUND_SECONDS - (time.monotonic() - start)))

    def run_load(self, seconds):
        """Until the time is over (None: until Ctrl-C; without a terminal: a few rounds)."""
        self.load_start = time.monotonic()
        rounds = 0
        try:
            while seconds is None or time.monotonic() - self.load_start < seconds:
                self.load_round()
                rounds += 1
                if self.screen.live:
                    self.screen.redraw(self.picture())
                elif rounds % 2 == 0:
                    print(self.summary(), flush=True)
                if not self.screen.live and seconds is None and rounds == PLAIN_ROUNDS:
                    break
        except KeyboardInterrupt:
            print()
        if not self.screen.live:
            print("\n".join(["", *self.picture()]))

    def total(self):
        return sum(sum(counts.values()) for counts in self.served.values())

    def addresses(self):
        merged = {}
        for seen in self.seen:
            for address, count in seen.counts.items():
                merged[address] = merged.get(address, 0) + count
        return merged

    def summary(self):
        shares = ", ".join(f"{task.name} {sum(counts[task.name] for counts in self.served.values())}"
                           for task in self.tasks)
        return f"  {self.total()} requests served: {shares}; {self.failed} failed"

    def picture(self):
        screen = self.screen
        seconds = max(time.monotonic() - self.load_start, 0.001)
        failed = screen.bad(f"{self.failed} failed") if self.failed else screen.good("0 failed")
        lines = [screen.bold(f"  {'entry node':<14}") + "".join(
            screen.bold(f"{f'{task.name} on {task.host.name}':<{BAR + 11}}") for task in self.tasks)]
        for name, counts in self.served.items():
            every = sum(counts.values()) or 1  # bars are shares of what came in at this node
            cells = "".join(f"{screen.block * round(counts[task.name] * BAR / every):<{BAR}} "
                            f"{counts[task.name]:<10}" for task in self.tasks)
            lines.append(f"  {name:<14}{cells}".rstrip())
        lines += ["", f"  {self.total()} requests, {failed}, {self.total() / seconds:.0f}/s, "
                      f"{seconds:.0f} s", "  " + self._who_was_seen()]
        if screen.live:
            lines.append(screen.dim("  Ctrl-C ends it"))
        return lines

    def _who_was_seen(self):
        addresses, client = self.addresses(), self.lab.client.ip
        if set(addresses) == {client}:
            return self.screen.good(f"nginx saw {client}, the client's own address, in every request")
        if not addresses:
            return self.screen.bad("no request has reached nginx")
        others = ", ".join(address for address in sorted(addresses) if address != client)
        others = others if len(others) < 40 else others[:36] + " ..."
        return self.screen.bad(f"nginx saw other addresses than the client's: {others}")

    @property
    def ok(self):
        return not self.failed and self.total() > 0 and set(self.addresses()) == {self.lab.client.ip}


def build_up(lab, ret):
    tasks = [lab.host(1).task("web1"), lab.host(2).task("web2")]
    lab.start_daemons(lab.mesh([lab.service("web", PORT, 80, tasks)], ret=ret))
    return tasks


def print_how_to_enter(lab):
    print("\n  It stays up. To look inside (a shell of its own in each):")
    for machine in [*lab.hosts, lab.client]:
        print(f"    {machine.name:<9} nsenter -t {machine.spaces.pid} -n -m -u -p")
    print(f"  for example: curl http://{lab.host(3).ip}:{PORT}/whoami in client1\n"
          f"  logs: {lab.dir}\n  To remove it: tests/demo --down")


def down():
    """Removes kept demos; those that still run are left to who runs them."""
    removed = 0
    for mark in pathlib.Path(tempfile.gettempdir()).glob(f"{cleanup.PREFIX}*/demo"):
        if not cleanup.owner_alive(mark.parent):
            cleanup.remove(mark.parent)
            removed += 1
    print(f"removed {removed} kept demo{'' if removed == 1 else 's'}")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/demo", description=(
        "Makes three nodes and a client out of namespaces on this machine, runs nginx on two of the "
        "nodes, and lets the client ask all three. Everything is removed at the end."))
    parser.add_argument("--seconds", type=float, help="end the load after so long (default: Ctrl-C)")
    parser.add_argument("--return", dest="ret", choices=("symmetric", "dsr"), default="symmetric",
                        help="replies go back through the entry node (default), or straight home")
    parser.add_argument("--keep", action="store_true", help="leave it up, and say how to look inside")
    parser.add_argument("--down", action="store_true", help="remove what --keep left")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.down:
        down()
        return 0
    screen = Screen()
    with Lab(hosts=3, clients=1, keep=arguments.keep) as lab:
        try:
            (lab.dir / "demo").touch()
            demo = Demo(lab, build_up(lab, arguments.ret), screen)
        except BaseException:
            lab.keep = False  # half a demo is of no use to anybody
            raise
        print(PICTURE.format(client=lab.client.ip, port=PORT))
        demo.ask_each_node()
        demo.run_load(arguments.seconds)
        if arguments.keep:
            print_how_to_enter(lab)
    return 0 if demo.ok else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (CommandError, OSError, RuntimeError) as error:
        sys.exit(f"tests/demo: {error}")
