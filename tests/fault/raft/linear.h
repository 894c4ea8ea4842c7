/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LINEAR_H
#define FL_LINEAR_H
/*
 * Is a history of reads, writes and compare-and-swaps of registers linearizable (Herlihy and Wing,
 * 1990)? Registers are independent, so each key is checked alone.
 *
 * The search is Wing and Gong's with Lowe's memoisation ("Testing for linearizability", 2017), just
 * in time: it walks the calls and returns in order and keeps the set of configurations (value of
 * the register, set of open operations that took effect) the history so far allows. A return
 * demands that its operation took effect; a set that becomes empty is a violation. Two things keep
 * the sets small, and both are exact:
 *   - an open read takes effect as soon as it can: that never forbids anything;
 *   - of two configurations that differ in operations of unknown outcome only, the one that used
 *     fewer of them allows all that the other does.
 * An operation of unknown outcome is forgotten once nobody will see its value any more.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum linear_kind { LINEAR_READ = 1, LINEAR_WRITE, LINEAR_CAS };

#define LINEAR_PENDING UINT64_MAX

struct linear_op {
	uint64_t client; /* for the reader of a report only */
	uint64_t key;
	uint64_t call_ns, return_ns; /* LINEAR_PENDING: outcome unknown, it may take effect at any
					time from call_ns on, or never */
	uint64_t expected;           /* CAS */
	uint64_t value;              /* WRITE, CAS: the new one */
	uint64_t result;             /* READ, CAS: what was there; a CAS succeeded if it is
					expected. A register begins as 0 */
	uint8_t kind;
};

/* The smallest window found that no order explains, whatever the register held before. */
struct linear_violation {
	uint64_t key;
	size_t count;
	size_t *ops; /* positions in the history, by time of call; free() them */
};

/* 0: linearizable. -EILSEQ: not, and *violation (may be NULL) says where. -EINVAL: an operation
 * returns before it is called, or its kind is unknown. -E2BIG: too many configurations. -ENOMEM. */
int linear_check(const struct linear_op *ops, size_t count, struct linear_violation *violation);

/*
 * As text, one operation a line, in any order; words are separated by blanks, # begins a comment:
 *
 *   client  call_ns  return_ns|-  key  read                   result
 *   client  call_ns  return_ns|-  key  write  value           ok
 *   client  call_ns  return_ns|-  key  cas    expected value  result
 *
 * Numbers are unsigned and decimal. A return of '-' means that the outcome is unknown; the result
 * is then '?'. A read's and a cas's result is what was there before.
 *
 *   7 1000 2000 1 write 42 ok
 *   8 1500 - 1 cas 42 43 ?
 *   7 2100 2300 1 read 43
 */
/* *ops is malloc'ed. -EBADMSG: *line says which line makes no sense. -ENOMEM, -EIO. */
int linear_read(FILE *in, struct linear_op **ops, size_t *count, size_t *line);
void linear_print(FILE *out, const struct linear_op *op);
#endif
