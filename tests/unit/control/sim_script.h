/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TEST_SIM_SCRIPT_H
#define FL_TEST_SIM_SCRIPT_H
#include "sim_cluster.h"

/*
 * Runs a story and gives it back with what really happens below each command (malloc'ed). Lines
 * that begin with "> " are commands (orchestrator/README.md), "#" and empty lines are kept, and all
 * others are what was expected.
 */
char *sim_script_run(const char *text, bool forgetful);
#endif
