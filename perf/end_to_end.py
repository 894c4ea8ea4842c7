#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The mesh end to end, against its peers over the same path: END_TO_END.md says how and why."""
import argparse
import json
import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from e2e import beds, load, machine, report, stop  # noqa: E402

LINKS = {
    "wire": "links like wires: checksums and MTU-size frames on every link and from the tasks",
    "tasks": "links like wires between machines; the tasks' own interfaces with the kernel's offloads",
    "offloads": "the kernel's offloads on every veth: segments of 64 KiB, checksums left open",
}


class Run:
    """One table: all contenders over one kind of links, in turn, round by round."""

    def __init__(self, arguments, links, contenders):
        self.arguments, self.links, self.contenders = arguments, links, contenders
        self.results = report.Results({name: label for name, (_, label) in contenders.items()})
        self.beds, self.wrong = {}, {}

    def build(self):
        for name, (kind, _) in self.contenders.items():
            stop.check()
            try:
                self.beds[name] = kind(self.links)
                answers = load.check(self.beds[name])
                shares = ", ".join(f"{task} {count}" for task, count in sorted(answers.items()))
                say(f"  {name}: {shares}")
            except (load.Wrong, RuntimeError, TimeoutError, beds.CommandError) as error:
                self.wrong[name] = str(error)
                say(f"  {name}: left out, it does not work here: {error}")
                if name in self.beds:
                    self.beds.pop(name).close()

    def rounds(self):
        names = list(self.beds)
        for number in range(self.arguments.rounds):
            start, noisy = time.monotonic(), []
            # Each round starts with another one, so that none always follows the same.
            for name in names[number % len(names):] + names[:number % len(names)]:
                self._measure(number, name, noisy)
            say(f"  round {number + 1} of {self.arguments.rounds}: {time.monotonic() - start:.0f} s")
            if noisy:
                say(f"    the machine was {load.BUSY_PERCENT} % busy or more before {len(noisy)} "
                    f"measurements, up to {max(noisy):.0f} %")

    def _measure(self, number, name, noisy):
        for kind in self.beds[name].kinds:
            if kind not in self.arguments.kinds:
                continue
            stop.check()
            measurement = load.measure(self.beds[name], kind, self.arguments.seconds,
                                       self.arguments.patience)
            self.results.add(name, kind, measurement)
            if measurement["failed"]:
                say(f"  round {number + 1}, {name}, {kind}: void, {measurement['failed']} failed "
                    f"{measurement.get('error', '')}")
            if measurement["busy_before_percent"] >= load.BUSY_PERCENT:
                noisy.append(measurement["busy_before_percent"])

    def close(self):
        for bed in self.beds.values():
            bed.close()

    def noise(self, field):
        values = [measurement[field] for rows in self.results.rounds.values()
                  for measurements in rows.values() for measurement in measurements]
        return (f"{report.quantile(values, 0.5):.1f} % (p90 {report.quantile(values, 0.9):.1f}, "
                f"most {max(values):.1f})")

    def print(self):
        print(f"\n== {LINKS[self.links]}\n{self.arguments.rounds} rounds of {self.arguments.seconds} s. "
              f"Busy before a measurement: {self.noise('busy_before_percent')}; others' share of the "
              f"machine during it: {self.noise('foreign_percent')}")
        for name, error in self.wrong.items():
            print(f"left out: {self.results.labels[name]}: {error}")
        report.print_results(self.results, sys.stdout)
        report.print_goals(self.results, sys.stdout)
        sys.stdout.flush()

    def json(self):
        return {"links": self.links, "left_out": self.wrong, "summary": self.results.summary(),
                "goals": self.results.goals(), "rounds": self.results.rounds}


def say(line):
    print(line, file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default 3)")
    parser.add_argument("--patience", type=float, default=10,
                        help="seconds to wait for a quiet machine before each measurement (default 10)")
    parser.add_argument("--only", help=f"contenders, comma-separated: {','.join(beds.CONTENDERS)}")
    parser.add_argument("--kinds", default=",".join(report.KINDS), help="loads (default: %(default)s)")
    parser.add_argument("--links", default="wire",
                        help=f"tables, of {', '.join(LINKS)} (default: %(default)s)")
    parser.add_argument("--build", action="append", default=[], metavar="LABEL=FOLDER",
                        help="fairlead of another build folder as well, symmetric; LABEL-dsr: DSR")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="everything that was measured")
    arguments = parser.parse_args()
    for name, allowed in (("kinds", report.KINDS), ("links", LINKS)):
        words = getattr(arguments, name).split(",")
        if set(words) - set(allowed):
            parser.error(f"--{name}: not one of {', '.join(allowed)}")
        setattr(arguments, name, words)
    if arguments.rounds < 1 or arguments.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    return parser, arguments


def chosen(parser, arguments):
    only = arguments.only.split(",") if arguments.only else list(beds.CONTENDERS)
    if set(only) - set(beds.CONTENDERS):
        parser.error(f"--only: unknown: {', '.join(set(only) - set(beds.CONTENDERS))}")
    contenders = {}
    for word in arguments.build:
        label, _, folder = word.partition("=")
        base = beds.FairleadDsr if label.endswith("-dsr") else beds.Fairlead
        contenders[f"fairlead {label}"] = (beds.other_build(folder, base), f"fairlead {label}")
    return {**{name: beds.CONTENDERS[name] for name in beds.CONTENDERS if name in only}, **contenders}


def main():
    parser, arguments = parse_arguments()
    contenders = chosen(parser, arguments)
    missing = [tool for tool in ("wrk", "nft", "haproxy", "ethtool", "bridge") if not shutil.which(tool)]
    if missing or os.geteuid():
        sys.exit(f"end_to_end.py: needs {', '.join(missing)}" if missing else "end_to_end.py: must be root")
    print(f"end to end, {time.strftime('%Y-%m-%d')}, Linux {machine.kernel()}, {machine.CORES} x "
          f"{machine.processor()}; wrk -t1 -c{load.CONNECTIONS}; one bulk stream")
    stop.catch()
    tables = []
    for links in arguments.links:
        run = Run(arguments, links, contenders)
        try:
            run.build()
            if run.beds:
                run.rounds()
                run.print()
            tables.append(run.json())
        finally:
            run.close()
    if arguments.json:
        arguments.json.write_text(json.dumps(
            {"date": time.strftime("%Y-%m-%dT%H:%M:%S"), "kernel": machine.kernel(),
             "processor": machine.processor(), "cores": machine.CORES, "tables": tables}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
