/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_RAFT_SCRIPT_H
#define FL_TEST_RAFT_SCRIPT_H
/*
 * Runs a story and gives it back with what really happens below each command (malloc'ed). Lines
 * that begin with "> " are commands (scripts/README.md), "#" and empty lines are kept, and all
 * others are what was expected.
 */
char *script_run(const char *text);
#endif
