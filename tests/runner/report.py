# SPDX-License-Identifier: BSD-2-Clause
"""What came out: one line per test as it ends, the output of those that failed, the sums last."""
import collections
import dataclasses

OUTPUT_BYTES_MAX = 20000  # of one failed test; its end says most


@dataclasses.dataclass
class Result:
    """status: passed, failed or skipped; output: what a failed test said, or why one was skipped."""
    name: str
    status: str
    seconds: float
    output: str = ""


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self._failed = []

    def add(self, result):
        self.counts[result.status] += 1
        reason = f"  ({result.output.strip()})" if result.status == "skipped" and result.output else ""
        print(f"{result.status:<8}{result.seconds:8.2f} s  {result.name}{reason}", flush=True)
        if result.status == "failed":
            self._failed.append(result.name)
            print(indent(result.output), flush=True)

    def finish(self):
        """Prints the sums and returns the exit status."""
        if self._failed:
            print("\nfailed:\n" + "\n".join(f"    {name}" for name in self._failed))
        print("{} passed, {} failed, {} skipped".format(
            *(self.counts[status] for status in ("passed", "failed", "skipped"))), flush=True)
        return 0 if self.counts["passed"] and not self.counts["failed"] else 1


def indent(text):
    text = text.rstrip()
    if len(text) > OUTPUT_BYTES_MAX:
        text = "[...]\n" + text[-OUTPUT_BYTES_MAX:]
    return "\n".join(f"    {line}" for line in text.splitlines())
