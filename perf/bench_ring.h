/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_BENCH_RING_H
#define FL_BENCH_RING_H
/*
 * `fairlead-bench ring [runs]`: what building and rebuilding a ring takes, what it moves and how
 * even it is. Prints plain columns to stdout; runs is 101 unless told, at least 51. One thread,
 * a warm cache. Each run changes another backend. Returns a process exit status: 1 when a ring
 * cannot be built or memory is short, 2 for bad arguments.
 */
int bench_ring(int argc, char **argv);
#endif
