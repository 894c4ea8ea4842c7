/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_ESCAPE_H
#define FL_API_ESCAPE_H
/* %XX (RFC 3986, section 2.1), in place. Pure. */
#include <stdbool.h>

#include "problem.h"

/* Where '+' means a space (a query's parameters), plus is true. -EINVAL with Go's words for a wrong
 * escape, or for %00, which no name of ours may hold; text is then half done. */
int api_unescape(char *text, bool plus, struct problem *problem);
#endif
