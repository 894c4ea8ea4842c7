# SPDX-License-Identifier: BSD-2-Clause
"""Correctness first, then load: wrk and one bulk stream, from the client of a bed."""
import json
import re
import sys

from .beds import HERE
from .machine import CpuMeter, wait_quiet

CONNECTIONS = 48
CHECK_FLOWS = 200
SPREAD_MIN = 0.3  # of the flows, at each of two backends
BUSY_PERCENT = 15  # of the machine before a measurement
FOREIGN_PERCENT = 8  # of the machine, that others may have during a measurement
TRIES = 2


class Wrong(Exception):
    """The contender does not do what is about to be measured."""


def _bulk(bed, kind, seconds):
    done = bed.client.run([sys.executable, HERE / "bulk.py", kind, bed.address, bed.bulk_port, seconds],
                          timeout=seconds + 40, check=False)
    if done.returncode:
        raise Wrong(f"{kind}: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout)


def check(bed):
    """Answers from every backend, nothing lost, bulk data whole; returns {task: flows}."""
    flows = bed.client.flows(f"{bed.address}:{bed.web_port}", CHECK_FLOWS, parallel=32)
    if flows.failed:
        raise Wrong(f"{flows.errors} of {CHECK_FLOWS} flows")
    if len(flows.answers) != bed.backends:
        raise Wrong(f"answers from {flows.answers}, not from {bed.backends} tasks")
    if bed.backends > 1 and min(flows.answers.values()) < SPREAD_MIN * CHECK_FLOWS:
        raise Wrong(f"uneven: {flows.answers}")
    names = {_bulk(bed, "name", 1)["name"] for _ in range(16)}
    if len(names) != bed.backends:
        raise Wrong(f"bulk answers from {names} only")
    if not _bulk(bed, "hash", 1)["whole"]:
        raise Wrong("an upload did not arrive whole")
    for machine in [bed.client, *bed.tasks]:
        if machine.snmp("TcpInCsumErrors"):
            raise Wrong(f"{machine.name}: {machine.snmp('TcpInCsumErrors')} checksum errors")
    return flows.answers


def _wrk(bed, seconds, close):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "--timeout", "5s"]
    command += ["-H", "Connection: close"] if close else []
    text = bed.client.output([*command, f"http://{bed.address}:{bed.web_port}/"], timeout=seconds + 30)
    return parse_wrk(text)


MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}


def parse_wrk(text):
    """Rate, tail latency and failures out of wrk's report."""
    def latency(percent):
        match = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)$", text, re.M)
        return float(match[1]) * MILLISECONDS[match[2]] if match else None
    failed = 0
    if match := re.search(r"Non-2xx or 3xx responses: (\d+)", text):
        failed += int(match[1])
    if match := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text):
        failed += sum(map(int, match.groups()))
    requests = int(re.search(r"(\d+) requests in", text)[1])
    return {"value": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), "requests": requests,
            "failed": failed, "p50_ms": latency(50), "p99_ms": latency(99)}


def measure(bed, kind, seconds, patience=10):
    """
    One figure: {"value": requests/s or Gbit/s, "failed", "cpu_us", "foreign_percent", ...}. Where
    others had much of the machine meanwhile it is taken again, and the least disturbed one counts.
    """
    tries = []
    for _ in range(TRIES):
        tries.append(_measure_once(bed, kind, seconds, patience))
        if tries[-1]["failed"]:
            return tries[-1]  # what fails is not measured again until it does not
        if tries[-1]["foreign_percent"] < FOREIGN_PERCENT or \
                tries[-1]["busy_before_percent"] >= BUSY_PERCENT:
            break  # undisturbed; or there is no quiet to be had
    return min(tries, key=lambda result: result["foreign_percent"])


def _measure_once(bed, kind, seconds, patience):
    busy = wait_quiet(BUSY_PERCENT, patience)
    with CpuMeter() as cpu:
        if kind in ("keepalive", "new"):
            result = _wrk(bed, seconds, kind == "new")
        else:
            result = _bulk_rate(bed, kind, seconds)
    # Processor time of all ends and hops together, per request or megabyte.
    result["cpu_us"] = cpu.seconds * 1e6 / max(result["requests"], 1)
    result["cpu_percent"] = cpu.percent
    result["foreign_percent"] = cpu.foreign_percent
    result["busy_before_percent"] = busy
    return result


def _bulk_rate(bed, kind, seconds):
    try:
        moved = _bulk(bed, kind, seconds)
    except Wrong as error:
        return {"value": 0.0, "failed": 1, "requests": 0, "error": str(error)}
    return {"value": moved["bytes"] * 8 / moved["seconds"] / 1e9, "failed": 0,
            "requests": moved["bytes"] / 1e6}
