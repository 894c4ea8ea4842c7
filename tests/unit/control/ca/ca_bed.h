/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CA_BED_H
#define FL_CA_BED_H
/* What the tests of control/ca stand on: roots and tokens of a real swarm (docker-api/golden),
 * random numbers from a seed, a fixed time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_ca.h"
#include "csr.h"
#include "node_certificate.h"

#define BED_NOW     INT64_C(1795244564) /* Sat, 21 Nov 2026 07:02:44 UTC */
#define BED_CLUSTER "4z2cmijlqvqvvmb9x4l8wcnib"
#define BED_NODE    "l56uz1ku45k4rptxl9l2lh69r"

/* The root before and after `docker swarm ca --rotate`, and a token of each. */
static const char *const bed_golden_roots[] = {
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBaTCCARCgAwIBAgIUVCHSGM8JRH9ji3vC9lJoKaMYX4EwCgYIKoZIzj0EAwIw\n"
    "EzERMA8GA1UEAxMIc3dhcm0tY2EwHhcNMjYxMTIxMDY1ODAwWhcNNDYxMTE2MDY1\n"
    "ODAwWjATMREwDwYDVQQDEwhzd2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
    "A0IABLKlEt+TBM3aOWlH9s+jlXF97X6rPRuGSxEoWJf0lcfICTHw7yWUVk1Km24C\n"
    "DOQuwtTw1aKNXVEf/Pwwj9uC6yyjQjBAMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMB\n"
    "Af8EBTADAQH/MB0GA1UdDgQWBBSPcutYtbchRojGV0ZwpT4exjIdyTAKBggqhkjO\n"
    "PQQDAgNHADBEAiByGNWpnIqi1bFk+yF/nF4lrTLygaOXQmky3F8cx0kdkAIgbfEB\n"
    "W+LT3798G+Q1o57s9eDdrs9Fbr3GK7COzCDebQQ=\n"
    "-----END CERTIFICATE-----\n",
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBaTCCARCgAwIBAgIURlHOdBp6QL6VmP6Whq7UWNHSIS8wCgYIKoZIzj0EAwIw\n"
    "EzERMA8GA1UEAxMIc3dhcm0tY2EwHhcNMjYxMTIxMDcwNDAwWhcNNDYxMTE2MDcw\n"
    "NDAwWjATMREwDwYDVQQDEwhzd2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
    "A0IABEJnsWQnMgld8XYFm48RADbeuk1ZxzYMEGxmGo3j8E3U6onV+1u0D1n0sMtJ\n"
    "WrsfOfR80KCTcQ+CFhIll+hV4E+jQjBAMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMB\n"
    "Af8EBTADAQH/MB0GA1UdDgQWBBQlXGCQZq12IYxVPXWaJo2o2luAjDAKBggqhkjO\n"
    "PQQDAgNHADBEAiA7yo+mOEPJ2SBx5XLLtgsThJBX1dYWi4PXVclEZ10cLQIgNroO\n"
    "KclMjyIxWi8VqPFM0FGQTM5L2tiUcxdBQHDnO8s=\n"
    "-----END CERTIFICATE-----\n",
};
static const char *const bed_golden_tokens[] = {
    "SWMTKN-1-0y08wjd5t2ff83ncramvlc6wdbp0ou1znqb87ijcmzgjpid0di-83uxm4wogl50xmz00btff73qp",
    "SWMTKN-1-2nk6jxl4xu43a5rxfcqf2rhh8vs3wrclvgsgquvke16ppqcrsn-erzjpdmd02zzcu4w9oglaojkx",
};
#define BED_GOLDEN_SUBJECT "MBMxETAPBgNVBAMTCHN3YXJtLWNh"
#define BED_GOLDEN_PUBLIC_KEY                                                                      \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsqUS35MEzdo5aUf2z6OVcX3tfq"                           \
	"s9G4ZLEShYl/SVx8gJMfDvJZRWTUqbbgIM5C7C1PDVoo1dUR/8/DCP24LrLA=="

/* splitmix64; context is its state. */
static inline uint64_t bed_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
static inline int bed_random(void *context, void *bytes, size_t size)
{
	uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)bed_next(context);
	return 0;
}
static inline int bed_no_random(void *context, void *bytes, size_t size)
{
	(void)context, (void)bytes, (void)size;
	return -ENOSYS;
}

static inline struct cluster_ca bed_cluster(uint64_t *seed)
{
	struct cluster_ca ca;

	assert_int_equal(cluster_ca_create(BED_NOW, bed_random, seed, &ca, NULL), 0);
	return ca;
}

/* malloc'ed. */
static inline char *bed_concat(const char *a, const char *b)
{
	char *text = NULL;

	assert_true(asprintf(&text, "%s%s", a, b) >= 0);
	return text;
}

/* A worker's order; a manager's with its raft id. */
static inline struct signer_order bed_order(uint64_t raft_id)
{
	return (struct signer_order){.cluster = BED_CLUSTER,
				     .node = BED_NODE,
				     .role = raft_id ? NODE_MANAGER : NODE_WORKER,
				     .raft_id = raft_id,
				     .now_s = BED_NOW,
				     .life_s = CA_NODE_LIFE_S};
}

/* The certificate that ca gives for this order; with *key the one that it is of (may be NULL). */
static inline char *bed_issue(const struct cluster_ca *ca, const struct signer_order *order,
			      char **key)
{
	struct signer *signer;
	char *new_key, *csr, *certificate;

	assert_int_equal(csr_new_key(&new_key, NULL), 0);
	assert_int_equal(csr_create(new_key, &csr, NULL), 0);
	assert_int_equal(cluster_ca_signer(ca, &signer, NULL), 0);
	assert_int_equal(signer_issue(signer, pem_of(csr), order, &certificate, NULL), 0);
	signer_free(signer);
	free(csr);
	if (key)
		*key = new_key;
	else
		free(new_key);
	return certificate;
}

/* What a peer that trusts this says of it. */
static inline int bed_verify(const char *certificate, const char *trust, int64_t now_s,
			     struct node_identity *identity, struct issuer *issuer,
			     struct problem *problem)
{
	const struct node_certificate_rules rules = {
	    .trust = pem_of(trust),
	    .cluster = BED_CLUSTER,
	    .roles = NODE_ROLE_WORKERS | NODE_ROLE_MANAGERS,
	    .now_s = now_s,
	};
	struct node_identity unused;

	return node_certificate_verify(pem_of(certificate), &rules, identity ? identity : &unused,
				       issuer, problem);
}
#endif
