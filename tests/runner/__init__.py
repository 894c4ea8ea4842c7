# SPDX-License-Identifier: BSD-2-Clause
"""The parts of tests/run.py: what runs each kind of test, and the report of it all."""
