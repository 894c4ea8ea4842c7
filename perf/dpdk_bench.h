/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_BENCH_H
#define FL_DPDK_BENCH_H
/* The commands of fairlead-bench-dpdk. Each returns an exit code. */
int dpdk_cycles(int argc, char **argv);
int dpdk_pktgen(int argc, char **argv);
#endif
