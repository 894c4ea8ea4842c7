/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linear-check [FILE]: reads a history (linear.h has the format) and says whether it is
 * linearizable. Exit status 0: it is. 1: it is not; the smallest window that shows it is printed in
 * the same format. 2: the history could not be read or checked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "linear.h"

static int report(const struct linear_op *ops, size_t count)
{
	struct linear_violation violation = {0};
	int err = linear_check(ops, count, &violation);

	if (!err) {
		printf("linearizable: %zu operations\n", count);
		return 0;
	}
	if (err != -EILSEQ) {
		fprintf(stderr, "linear-check: %s\n", strerror(-err));
		return 2;
	}
	printf("not linearizable: key %" PRIu64 ", %zu of %zu operations\n", violation.key,
	       violation.count, count);
	for (size_t i = 0; i < violation.count; i++)
		linear_print(stdout, &ops[violation.ops[i]]);
	free(violation.ops);
	return 1;
}

int main(int argc, char **argv)
{
	FILE *in = argc > 1 ? fopen(argv[1], "re") : stdin;
	struct linear_op *ops = NULL;
	size_t count = 0, line = 0;
	int err, status;

	if (argc > 2 || !in) {
		fprintf(stderr, "usage: linear-check [FILE]%s%s\n", in ? "" : ": ",
			in ? "" : strerror(errno));
		return 2;
	}
	err = linear_read(in, &ops, &count, &line);
	if (err) {
		fprintf(stderr, "linear-check: line %zu: %s\n", line, strerror(-err));
		status = 2;
	} else {
		status = report(ops, count);
	}
	free(ops);
	if (in != stdin)
		fclose(in);
	return status;
}
