#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Who may include whom:

    control ──> raft
       │  (control/proto alone)
    agent ──> dataplane ──> bpf ──> lbtables ──> libc, liburcu, jemalloc
    perf, tests ──> anything

An arrow goes down only, by any number of steps.
"""
import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)

MAY_USE = {
    "lbtables": {"lbtables"},
    "bpf": {"bpf", "lbtables"},
    "dataplane": {"dataplane", "bpf", "lbtables"},
    "agent": {"agent", "dataplane", "bpf", "lbtables", "control/proto"},
    "raft": {"raft"},
    "control": {"control", "control/proto", "raft"},
    "control/proto": {"control/proto"},
}
FREE = ("perf", "tests")

# What the build makes: its name tells whose it is.
GENERATED = {".skel.h": "bpf", "raft.pb-c.h": "raft", ".pb-c.h": "control/proto"}

# lbtables stands on libc, liburcu and jemalloc; a header that is not named here is of another library.
LIBC = {f"{name}.h" for name in (
    "assert ctype errno fcntl float inttypes limits math poll pthread sched signal stdalign stdarg "
    "stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings time unistd").split()}
LIBC_FOLDERS = {"arpa", "net", "netinet", "sys"}
URCU_AND_JEMALLOC = {"urcu", "urcu.h", "jemalloc"}


def folder_of(path):
    """The part of the house that a file (its path relative to the root) is in."""
    parts = path.parts
    return "control/proto" if parts[:2] == ("control", "proto") else parts[0]


def sources(root):
    for folder in sorted({*(name.split("/")[0] for name in MAY_USE), *FREE}):
        for path in sorted((root / folder).rglob("*.[ch]")):
            yield path.relative_to(root)


def target_of(name, path, by_name):
    """Where #include "name" leads from path: a part of the house, or None if nowhere."""
    for ending, folder in GENERATED.items():
        if name.endswith(ending):
            return folder
    wanted = [part for part in name.split("/") if part != ".."]
    found = [other for other in by_name.get(wanted[-1], ())
             if list(other.parts[-len(wanted):]) == wanted]
    same = [other for other in found if other.parent == path.parent]
    near = [other for other in found if folder_of(other) == folder_of(path)]
    best = same or near or found
    return folder_of(best[0]) if best else None


def foreign(name):
    first = name.split("/")[0]
    if first in URCU_AND_JEMALLOC:
        return False
    return first not in LIBC_FOLDERS if "/" in name else name not in LIBC


def violations(root):
    """Lines "FILE: what is wrong"."""
    files = list(sources(root))
    by_name = {}
    for path in files:
        by_name.setdefault(path.name, []).append(path)
    found = []
    for path in files:
        own = folder_of(path)
        if own in FREE:
            continue
        for quoted, system in INCLUDE.findall((root / path).read_text(errors="replace")):
            if system:
                if own == "lbtables" and foreign(system):
                    found.append(f"{path}: <{system}> is not of libc, liburcu or jemalloc")
                continue
            target = target_of(quoted, path, by_name)
            if target is None:
                found.append(f'{path}: "{quoted}" is nowhere')
            elif target not in MAY_USE[own]:
                found.append(f'{path}: {own} may not use {target} ("{quoted}")')
    return found


class ArrowsTest(unittest.TestCase):
    def test_arrows_go_down(self):
        self.assertEqual(violations(ROOT), [])

    def test_it_looks_at_the_house(self):
        seen = {folder_of(path) for path in sources(ROOT)}
        self.assertLessEqual({"lbtables", "bpf", "dataplane", "agent"}, seen)


class SelfTest(unittest.TestCase):
    """That it finds what it is there for."""

    GOOD = {
        "lbtables/ring.h": "#include <stdint.h>\n#include <urcu/urcu-qsbr.h>\n",
        "lbtables/ring.c": '#include "ring.h"\n#include <jemalloc/jemalloc.h>\n#include <sys/mman.h>\n',
        "bpf/maps.h": '#include "ring.h"\n#include <bpf/bpf_helpers.h>\n',
        "dataplane/dataplane.h": '#include "ring.h"\n',
        "dataplane/xdp/xdp.c": '#include "xdp.skel.h"\n#include "dataplane.h"\n#include "maps.h"\n',
        "dataplane/xdp/maps.h": "",
        "agent/agent.c": '#include "dataplane.h"\n#include "ring.h"\n#include "task.pb-c.h"\n',
        "raft/log.h": "",
        "control/store.h": '#include "log.h"\n#include "task.pb-c.h"\n',
        "perf/bench.c": '#include "dataplane.h"\n#include "store.h"\n',
        "tests/unit/raft/log_test.c": '#include "log.h"\n#include "agent.h"\n',
    }

    def check(self, **changed):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {**self.GOOD, **changed}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return violations(root)

    def test_good_house(self):
        self.assertEqual(self.check(), [])

    def test_arrows_up(self):
        for file, include in (
                ("lbtables/x.c", "dataplane.h"), ("bpf/x.h", "dataplane.h"),
                ("lbtables/x.c", "xdp.skel.h"), ("dataplane/xdp/x.c", "store.h"),
                ("raft/x.c", "store.h"), ("raft/x.c", "ring.h"), ("control/x.c", "ring.h"),
                ("control/x.c", "dataplane/dataplane.h"), ("agent/x.c", "store.h"),
                ("agent/x.c", "log.h"), ("agent/x.c", "../raft/log.h"),
                ("control/proto/x.h", "store.h"), ("dataplane/x.c", "task.pb-c.h")):
            with self.subTest(file=file, include=include):
                found = self.check(**{file: f'  #  include "{include}"\n'})
                self.assertEqual(len(found), 1, found)
                self.assertIn(f"{file}: ", found[0])
                self.assertIn("may not use", found[0])

    def test_same_name_in_two_folders(self):
        """dataplane/xdp's maps.h is its own and not bpf's, and a third folder's is nobody's friend."""
        found = self.check(**{"lbtables/x.c": '#include "maps.h"\n'})
        self.assertEqual(len(found), 1, found)

    def test_foreign_library_under_lbtables(self):
        for name in ("jansson.h", "bpf/libbpf.h", "openssl/evp.h", "linux/bpf.h"):
            with self.subTest(name=name):
                found = self.check(**{"lbtables/x.h": f"#include <{name}>\n"})
                self.assertEqual(len(found), 1, found)

    def test_missing_file(self):
        self.assertIn("is nowhere", self.check(**{"agent/x.c": '#include "absent.h"\n'})[0])


if __name__ == "__main__":
    sys.exit(unittest.main())
