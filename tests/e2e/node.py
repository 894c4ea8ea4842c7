# SPDX-License-Identifier: BSD-2-Clause
"""One node's images and containers: fairlead-run in a lab's host."""
import itertools
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import CommandError, Lab, image  # noqa: E402
from lab.tools import BUILD  # noqa: E402


class Node(unittest.TestCase):
    """fairlead-run in a lab's host."""

    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(hosts=1, clients=0))
        cls.host = cls.lab.host(1)
        cls.program = [BUILD / "tests/fairlead-run", "--cgroup", f"/{cls.lab.name}/host1"]
        cls.state = pathlib.Path(cls.host.folder) / "state"
        cls.ids = (f"c{number}" for number in itertools.count(1))
        cls.images = pathlib.Path(cls.host.folder)
        cls.fl("load", image.busybox(cls.images / "web.tar"))

    @classmethod
    def fl(cls, *words, **options):
        """What fairlead-run prints: a list of objects."""
        return [json.loads(line) for line in cls.host.run([*cls.program, *words], **options).stdout.splitlines()]

    def fails(self, *words):
        """What fairlead-run says of what it refuses."""
        with self.assertRaises(CommandError) as caught:
            self.fl(*words)
        return str(caught.exception)

    def run_it(self, *args, detach=False, **options):
        """Runs a container to its end (detach: to its start) and returns its description."""
        options = {"id": next(self.ids), "image": "web:1", **options, "detach": detach}
        if args:
            options["args"] = args
        self.addCleanup(self.remove, options["id"])
        return self.fl("run", json.dumps(options))[-1]

    def remove(self, name):
        self.host.run([*self.program, "kill", name, "9"], check=False)
        self.host.run([*self.program, "rm", name], check=False)
        if (self.state / "tasks" / name).exists():
            self.fl("wait", name)
            self.fl("rm", name)

    def says(self, container, stream=None):
        """What a container has said."""
        return "".join(entry["log"] for entry in self.fl("logs", container["id"])
                       if stream in (None, entry["stream"]))

    def output(self, *args, **options):
        """What a container says that runs to its end, and ends well."""
        container = self.run_it(*args, **options)
        self.assertEqual(container["exit_code"], 0, (container, self.says(container)))
        return self.says(container).strip()

    def describe(self, container):
        return next(other for other in self.fl("ps") if other["id"] == container["id"])
