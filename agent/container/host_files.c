/* SPDX-License-Identifier: BSD-2-Clause */
#include "host_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "durable.h"

/* One word or several, but on one line. */
static bool fits(const char *text)
{
	return strlen(text) < 1024 && !text[strcspn(text, "\n\r")];
}

static bool all_fit(const char *const *list)
{
	for (; list && *list; list++) {
		if (!fits(*list))
			return false;
	}
	return true;
}

static void print_words(FILE *out, const char *keyword, const char *const *list)
{
	if (!list || !*list)
		return;
	fputs(keyword, out);
	for (; *list; list++)
		fprintf(out, " %s", *list);
	fputc('\n', out);
}

static void print_hosts(FILE *out, const struct container_options *options)
{
	fputs("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost "
	      "ip6-loopback\nfe00::0\tip6-localnet\n"
	      "ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
	      out);
	for (const char *const *at = options->hosts; at && *at; at++)
		fprintf(out, "%s\n", *at);
	if (options->address)
		fprintf(out, "%s\t%s\n", options->address, options->hostname);
}

static void print_hostname(FILE *out, const struct container_options *options)
{
	fprintf(out, "%s\n", options->hostname);
}

static void print_resolv_conf(FILE *out, const struct container_options *options)
{
	print_words(out, "search", options->dns_search);
	for (const char *const *at = options->dns; at && *at; at++)
		fprintf(out, "nameserver %s\n", *at);
	print_words(out, "options", options->dns_options);
}

static int write_one(const char *folder, const char *name, const struct container_options *options,
		     void (*print)(FILE *out, const struct container_options *options))
{
	AUTO_FREE char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return -ENOMEM;
	print(out, options);
	return fclose(out) ? -ENOMEM : durable_replace(folder, name, text, length, 0644);
}

int host_files_write(const char *folder, const struct container_options *options,
		     struct error *error)
{
	int rc;

	if (!fits(options->hostname) || (options->address && !fits(options->address)) ||
	    !all_fit(options->hosts) || !all_fit(options->dns) || !all_fit(options->dns_search) ||
	    !all_fit(options->dns_options))
		return error_set(error, -EINVAL,
				 "a host name, host entry or DNS option is not one line");
	rc = write_one(folder, "hosts", options, print_hosts);
	rc = rc < 0 ? rc : write_one(folder, "hostname", options, print_hostname);
	rc = rc < 0 ? rc : write_one(folder, "resolv.conf", options, print_resolv_conf);
	return rc < 0 ? error_set(error, rc, "%s: %s", folder, strerror(-rc)) : 0;
}
