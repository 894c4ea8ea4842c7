/* SPDX-License-Identifier: BSD-2-Clause */
#include "id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int id_generate(id_random *random, void *context, char id[ID_SIZE])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	unsigned __int128 number;
	const int rc = random(context, &number, sizeof(number));

	if (rc < 0)
		return rc;
	for (size_t i = ID_LENGTH; i-- > 0; number /= 36)
		id[i] = digits[number % 36];
	id[ID_LENGTH] = '\0';
	return 0;
}

int id_random_system(void *context, void *bytes, size_t size)
{
	(void)context;
	for (uint8_t *at = bytes; size;) {
		const ssize_t got = getrandom(at, size, 0);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0) {
			at += got;
			size -= (size_t)got;
		}
	}
	return 0;
}

bool id_is_prefix(const char *text)
{
	const size_t length = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz");

	return length && length <= ID_LENGTH && !text[length];
}
