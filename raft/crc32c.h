/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_RAFT_CRC32C_H
#define FL_RAFT_CRC32C_H
/* CRC-32C (Castagnoli; RFC 3720 appendix B.4 has test vectors). */
#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t size);
/* The same without the processor's instruction, for processors that lack it and for the test. */
uint32_t crc32c_portable(const void *data, size_t size);
#endif
