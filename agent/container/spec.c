/* SPDX-License-Identifier: BSD-2-Clause */
#include "spec.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "capabilities.h"
#include "json_auto.h"
#include "spec_internal.h"

const char *spec_user(const struct container_options *options, const json_t *image)
{
	const char *user =
	    options->user && *options->user ? options->user : json_text(image, "User");
	return user ? user : "";
}

const char *spec_workdir(const struct container_options *options, const json_t *image)
{
	const char *folder = options->workdir && *options->workdir ? options->workdir
								   : json_text(image, "WorkingDir");
	return folder && *folder ? folder : "/";
}

int spec_signal(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} named[] = {
	    {"HUP", SIGHUP},       {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"ILL", SIGILL},
	    {"TRAP", SIGTRAP},     {"ABRT", SIGABRT}, {"BUS", SIGBUS},     {"FPE", SIGFPE},
	    {"KILL", SIGKILL},     {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},   {"USR2", SIGUSR2},
	    {"PIPE", SIGPIPE},     {"ALRM", SIGALRM}, {"TERM", SIGTERM},   {"CHLD", SIGCHLD},
	    {"CONT", SIGCONT},     {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN},
	    {"TTOU", SIGTTOU},     {"URG", SIGURG},   {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ},
	    {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},
	    {"PWR", SIGPWR},       {"SYS", SIGSYS},
	};
	const char *plain = strncasecmp(text, "SIG", 3) ? text : text + 3;
	int offset;

	if (isdigit((unsigned char)*text)) {
		const int number = atoi(text);
		return text[strspn(text, "0123456789")] || strlen(text) > 2 || number > 64 ? 0
											   : number;
	}
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (!strcasecmp(plain, named[i].name))
			return named[i].number;
	}
	/* As `kill -l` has them; nginx, systemd and others stop on one of these. */
	if (!strncasecmp(plain, "RTMIN+", 6))
		offset = atoi(plain + 6);
	else if (!strncasecmp(plain, "RTMAX-", 6))
		offset = -atoi(plain + 6);
	else
		return 0;
	offset += offset < 0 || plain[3] == 'A' ? 64 : 34;
	return offset >= 34 && offset <= 64 ? offset : 0;
}

static int add_labels(const struct spec_input *input, json_t *spec, struct error *error)
{
	json_t *labels = json_deep_copy(json_object_get(input->image, "Labels"));

	labels = labels ? labels : json_object();
	for (const char *const *at = input->options->labels; at && *at; at++) {
		const char *equals = strchr(*at, '=');
		const size_t length = equals ? (size_t)(equals - *at) : strlen(*at);
		char key[4096];
		if (!length || length >= sizeof(key)) {
			json_decref(labels);
			return error_set(error, -EINVAL, "invalid label: \"%.100s\"", *at);
		}
		memcpy(key, *at, length);
		key[length] = '\0';
		json_object_set_new(labels, key, json_string(equals ? equals + 1 : ""));
	}
	return json_object_set_new(spec, "annotations", labels);
}

/* jansson leaves out what it cannot hold; a word that vanishes from a command line changes its
 * meaning. */
static int check_texts(const char *const *list, const char *what, struct error *error)
{
	for (; list && *list; list++) {
		AUTO_JSON json_t *text = json_string(*list);
		if (!text)
			return error_set(error, -EINVAL, "%s: holds text that is not UTF-8", what);
	}
	return 0;
}

static int check_options(const struct container_options *options, struct error *error)
{
	int rc = check_texts(options->entrypoint, "Entrypoint", error);

	rc = rc < 0 ? rc : check_texts(options->args, "Cmd", error);
	rc = rc < 0 ? rc : check_texts(options->env, "Env", error);
	rc = rc < 0 ? rc : check_texts(options->labels, "Labels", error);
	return rc < 0 ? rc : check_texts(options->sysctls, "Sysctls", error);
}

int spec_make(const struct spec_input *input, json_t **out, struct error *error)
{
	const struct container_options *options = input->options;
	AUTO_JSON json_t *process = NULL, *mounts = NULL, *lin = NULL, *spec = NULL;
	uint64_t capabilities;
	int rc = check_options(options, error);

	rc = rc < 0 ? rc
		    : capabilities_resolve(options->capability_add, options->capability_drop,
					   &capabilities, error);
	rc = rc < 0 ? rc : spec_process(input, capabilities, &process, error);
	rc = rc < 0 ? rc : spec_mounts(input, &mounts, error);
	rc = rc < 0 ? rc : spec_linux(input, capabilities, &lin, error);
	if (rc < 0)
		return rc;
	spec = json_pack("{s:s, s:{s:s, s:b}, s:s, s:O, s:O, s:O}", "ociVersion", "1.0.2", "root",
			 "path", input->rootfs, "readonly", options->read_only, "hostname",
			 options->hostname, "process", process, "mounts", mounts, "linux", lin);
	if (!spec)
		return error_set(error, -ENOMEM, "out of memory, or text that is no UTF-8");
	rc = add_labels(input, spec, error);
	if (rc < 0)
		return rc;
	*out = spec;
	spec = NULL;
	return 0;
}
