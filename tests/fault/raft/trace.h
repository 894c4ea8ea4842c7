/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_SIM_TRACE_H
#define FL_SIM_TRACE_H
/* Words for a trace. */
#include "../../../raft/core.h"

struct world;

const char *trace_state(enum raft_state state);
const char *trace_change(enum raft_change_type type);
const char *trace_message_type(uint8_t type);
/* One line for a message that arrives, if there is a trace. */
void trace_message(struct world *world, const struct raft_message *message);
#endif
