# SPDX-License-Identifier: BSD-2-Clause
"""Kernel counters of a network namespace, under nstat's names."""


def snmp(text, name=None):
    """Parses /proc/net/snmp and netstat: pairs of lines "Group: names" and "Group: values"."""
    counters = {}
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        group, names = names.split(":", 1)
        for key, value in zip(names.split(), values.split(":", 1)[1].split()):
            counters[group + key] = int(value)
    return counters if name is None else counters[name]
