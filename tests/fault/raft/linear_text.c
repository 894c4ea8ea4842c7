/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "linear.h"

enum { WORDS_MAX = 9 };

static size_t split(char *line, char *words[WORDS_MAX])
{
	size_t count = 0;
	char *rest = NULL;

	line[strcspn(line, "#\n")] = 0;
	for (char *word = strtok_r(line, " \t\r", &rest); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " \t\r", &rest))
		words[count++] = word;
	return count;
}

static bool number(const char *word, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*word))
		return false;
	errno = 0;
	*out = strtoull(word, &end, 10);
	return !*end && !errno;
}

static bool result(const char *word, const struct linear_op *op, uint64_t *out)
{
	if (op->return_ns == LINEAR_PENDING)
		return !strcmp(word, "?");
	if (op->kind == LINEAR_WRITE)
		return !strcmp(word, "ok");
	return number(word, out);
}

static bool parse(char *words[], size_t count, struct linear_op *op)
{
	static const struct {
		const char *name;
		size_t words;
	} kinds[] = {[LINEAR_READ] = {"read", 6}, {"write", 7}, {"cas", 8}};

	*op = (struct linear_op){0};
	if (count < 6 || !number(words[0], &op->client) || !number(words[1], &op->call_ns) ||
	    !number(words[3], &op->key))
		return false;
	if (!strcmp(words[2], "-"))
		op->return_ns = LINEAR_PENDING;
	else if (!number(words[2], &op->return_ns) || op->return_ns == LINEAR_PENDING)
		return false;
	for (uint8_t kind = LINEAR_READ; kind <= LINEAR_CAS; kind++)
		if (!strcmp(words[4], kinds[kind].name) && count == kinds[kind].words)
			op->kind = kind;
	if (!op->kind || (op->kind == LINEAR_CAS && !number(words[5], &op->expected)) ||
	    (op->kind != LINEAR_READ && !number(words[count - 2], &op->value)))
		return false;
	return result(words[count - 1], op, &op->result);
}

int linear_read(FILE *in, struct linear_op **ops, size_t *count, size_t *line)
{
	struct linear_op *all = NULL, *larger;
	size_t used = 0, room = 0, size = 0;
	char *text = NULL, *words[WORDS_MAX];
	int err = 0;

	*line = 0;
	while (!err && getline(&text, &size, in) >= 0) {
		const size_t found = split(text, words);

		++*line;
		if (!found)
			continue;
		if (used == room) {
			room = room ? 2 * room : 1024;
			larger = realloc(all, room * sizeof(*all));
			if (!larger) {
				err = -ENOMEM;
				break;
			}
			all = larger;
		}
		if (!parse(words, found, &all[used++]))
			err = -EBADMSG;
	}
	free(text);
	if (!err && ferror(in))
		err = -EIO;
	if (err) {
		free(all);
		return err;
	}
	*ops = all;
	*count = used;
	return 0;
}

void linear_print(FILE *out, const struct linear_op *op)
{
	const bool pending = op->return_ns == LINEAR_PENDING;

	fprintf(out, "%" PRIu64 " %" PRIu64 " ", op->client, op->call_ns);
	if (pending)
		fprintf(out, "- ");
	else
		fprintf(out, "%" PRIu64 " ", op->return_ns);
	fprintf(out, "%" PRIu64 " ", op->key);
	if (op->kind == LINEAR_READ)
		fprintf(out, "read ");
	else if (op->kind == LINEAR_WRITE)
		fprintf(out, "write %" PRIu64 " ", op->value);
	else
		fprintf(out, "cas %" PRIu64 " %" PRIu64 " ", op->expected, op->value);
	if (pending)
		fprintf(out, "?\n");
	else if (op->kind == LINEAR_WRITE)
		fprintf(out, "ok\n");
	else
		fprintf(out, "%" PRIu64 "\n", op->result);
}
