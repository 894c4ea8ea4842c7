/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_BENCH_PACKET_H
#define FL_BENCH_PACKET_H
/*
 * `fairlead-bench packet`: what a packet costs in fl_uplink, in nanoseconds, next to floors that
 * are measured in the same rounds; and what large tables take. README.md says how to read it. Needs
 * CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; attaches nothing. Returns a process exit status: 1 when
 * something cannot be measured or a packet did not become what it should, 2 for bad arguments.
 * A missed goal is no failure.
 */
int bench_packet(int argc, char **argv);
#endif
