/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_CA_LIMITS_H
#define FL_CA_LIMITS_H
/* Every bound and every span of time of the certificate authority. Times are seconds, those of a
 * clock since 1970 UTC. */

enum {
	CA_PEM_SIZE_MAX = 64 << 10, /* of any text that is parsed: certificates, keys, a request */
	CA_CSR_SIZE_MAX = 4 << 10,
	CA_CERTIFICATES_MAX = 16, /* in one text */
	CA_CHAIN_MAX = 4,         /* from a node's certificate to the root, both counted */
	CA_RSA_BITS_MIN = 2048,   /* of a root that an operator brings */
	CA_RSA_BITS_MAX = 4096,
	CA_NAME_DER_MAX = 512,
	CA_PUBLIC_KEY_DER_MAX = 1024, /* RSA with 4096 bits needs 550 */
	CA_SERIAL_SIZE = 20,          /* RFC 5280, 4.1.2.2: 20 octets at most */
	CA_NODE_ID_MAX = 25,
	CA_CLUSTER_ID_MAX = 64, /* X.509's bound on O */

	CA_MINUTE_S = 60,
	CA_HOUR_S = 60 * CA_MINUTE_S,
	CA_DAY_S = 24 * CA_HOUR_S,
	CA_YEAR_S = 365 * CA_DAY_S,

	/* So that who has a slow clock takes a new certificate at once. */
	CA_BACKDATE_S = CA_HOUR_S,
	CA_ROOT_LIFE_S = 20 * CA_YEAR_S,
	CA_ROOT_LEFT_MIN_S = CA_YEAR_S, /* what a root that an operator brings is good for yet */
	CA_NODE_LIFE_S = 90 * CA_DAY_S, /* by default */
	CA_NODE_LIFE_MIN_S = CA_HOUR_S,

	CA_ROTATION_BATCH_MAX = 128, /* nodes that are told to renew at once */
	CA_ROTATION_PASS_S = 1,

	CA_KEY_SIZE = 32,
	CA_SALT_SIZE = 32,
	CA_TAG_SIZE = 16,
	CA_DATA_KEYS_MAX = 16, /* as many as raft's keyring takes */
};
_Static_assert(CA_BACKDATE_S > 10 * CA_MINUTE_S, "a clock ten minutes off does no harm");
#endif
