/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LB_REASON_TEXT_H
#define FL_LB_REASON_TEXT_H
/* Names of reasons, for people and for metrics. */
#include <stdint.h>

#include "lb_reason.h"

static inline const char *lb_reason_name(uint32_t reason)
{
	static const char *const names[] = {
#define LB_REASON_NAME(name, text, help) text,
	    LB_REASONS(LB_REASON_NAME)
#undef LB_REASON_NAME
	};

	return reason < LB_REASON_COUNT ? names[reason] : "unknown";
}

static inline const char *lb_reason_help(uint32_t reason)
{
	static const char *const help_texts[] = {
#define LB_REASON_HELP(name, text, help) help,
	    LB_REASONS(LB_REASON_HELP)
#undef LB_REASON_HELP
	};

	return reason < LB_REASON_COUNT ? help_texts[reason] : "";
}
#endif
