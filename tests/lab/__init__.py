# SPDX-License-Identifier: BSD-2-Clause
"""Hosts made of namespaces, for tests that need a network. See lab.py for its picture."""
from .capture import Capture
from .daemon import Daemon
from .flows import Flows
from .host import Host
from .lab import Lab
from .machine import CommandError, Machine, wait_for
from .task import Request, Task

__all__ = ["Capture", "CommandError", "Daemon", "Flows", "Host", "Lab", "Machine", "Request", "Task",
           "wait_for"]
