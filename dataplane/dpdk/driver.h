/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_DPDK_DRIVER_H
#define FL_DPDK_DRIVER_H
/* Ends fairlead-dpdk if one runs, and removes what it left under run_dir. The kernel forwards on. */
void dpdk_stop(const char *run_dir);
#endif
