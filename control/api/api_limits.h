/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_API_LIMITS_H
#define FL_API_LIMITS_H
/* Every bound of the Engine API's HTTP layer. */

enum {
	/* Connections. A connection's memory (its head, and what MHD writes from) is mapped at once
	 * and used as it is needed: 32 MiB of addresses, a few pages each while they are idle. */
	API_CONNECTIONS_MAX = 512,
	API_CONNECTION_BYTES = 64 << 10, /* request line and headers fit in less than this */
	API_BACKLOG = 128,

	/* Seconds. The same bound for: the next head on an idle connection, the whole of a body
	 * that is buffered, and a plain reply of which the client takes nothing. */
	API_TIMEOUT_S = 60,
	API_SWEEP_PART = 4, /* a late connection is noticed within 1/4 of the timeout */

	/* A request. */
	API_SEGMENTS_MAX = 24,        /* of a path; image names have slashes */
	API_PARAMS_MAX = 8,           /* {names} of a route's pattern */
	API_QUERY_MAX = 512,          /* parameters of a query; docker images/get repeats names= */
	API_BODY_BYTES_MAX = 4 << 20, /* a config's data takes 1000 KiB, base 64 4/3 of it */
	API_BODY_DEPTH_MAX = 64,
	API_PASSED_OVER_BYTES_MAX = 1 << 20, /* of a body whose answer is certain; then it is cut */
	API_FILTERS_BYTES_MAX = API_CONNECTION_BYTES,
	API_FILTERS_DEPTH_MAX = 2,
	API_MESSAGE_BYTES_MAX = 1024, /* of an error */

	/* Streams and hijacked connections, each: what waits for the client. */
	API_STREAM_BYTES_MAX = 256 << 10,           /* more is refused with -ENOBUFS */
	API_STREAM_BYTES_LOW = 64 << 10,            /* on_drain is called when less waits again */
	API_READ_BYTES = 16 << 10,                  /* of a hijacked connection at a time */
	API_EXTRA_BYTES_MAX = API_CONNECTION_BYTES, /* what came after the head of a hijacked one */
};
#endif
