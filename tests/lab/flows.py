# SPDX-License-Identifier: BSD-2-Clause
"""Many connections at once from a machine, by the lab's C program flows."""
import dataclasses
import json


@dataclasses.dataclass
class Flows:
    """answers: {first word of the body: how many}; errors: {what: how many}; seconds: it took."""
    answers: dict
    errors: dict
    seconds: float

    @property
    def failed(self):
        return sum(self.errors.values())


def run_flows(machine, target, count, udp=False, parallel=256, sources=None, ports=None, timeout=20,
              attempts=1, path="/", wait_ms=5000):
    """
    Opens count flows to target ("ADDRESS:PORT"), each with one request, at most `parallel` at once.
    sources: (first, last) address, all local to the machine (Machine.own); ports: (first, last)
    source port. Both are walked in order, addresses first, so that a run can be repeated exactly.
    wait_ms: for one flow; UDP: for one of its attempts. Flows that do not end in time are "timeout".
    """
    command = [machine.lab.tools / "flows", "-n", count, "-c", parallel, "-t", timeout, "-a", attempts,
               "-w", wait_ms, "-g", path]
    command += ["-u"] if udp else []
    command += ["-s", "-".join(sources)] if sources else []
    command += ["-p", "{}-{}".format(*ports)] if ports else []
    result = machine.run([*command, target], timeout=timeout + 10)
    return Flows(**json.loads(result.stdout))
