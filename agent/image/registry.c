/* SPDX-License-Identifier: BSD-2-Clause */
#include "registry.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "cleanup.h"

struct registry {
	struct reference reference;
	char *base; /* "https://host:port" */
	bool plain;
	CURL *curl;
	struct curl_slist *accept;
	const atomic_bool *cancel;
	char words[CURL_ERROR_SIZE];
};

/* One request. */
struct transfer {
	struct registry *registry;
	registry_sink *sink;
	void *arg;
	struct error *error;
	int rc; /* of the sink */
	char *refusal;
	size_t refusal_length;
};

static const char accept_manifests[] = "Accept: " MEDIA_OCI_INDEX ", " MEDIA_OCI_MANIFEST
				       ", " MEDIA_DOCKER_LIST ", " MEDIA_DOCKER_MANIFEST;

/* curl_global_init is not for many threads at once. */
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_loopback(const char *domain)
{
	const size_t host = strcspn(domain, ":");

	return (host == 9 && !memcmp(domain, "localhost", 9)) || !strncmp(domain, "127.", 4) ||
	       !strncmp(domain, "[::1]", 5);
}

static bool is_insecure(const struct registry_options *options, const char *domain)
{
	for (const char *const *at = options ? options->insecure : NULL; at && *at; at++) {
		if (!strcmp(*at, domain))
			return true;
	}
	return is_loopback(domain);
}

static int look_for_cancel(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct registry *registry = arg;

	(void)a, (void)b, (void)c, (void)d;
	return registry->cancel && *registry->cancel;
}

static size_t take(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	const size_t length = size * count;
	long status = 0;

	curl_easy_getinfo(transfer->registry->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		const size_t room = REGISTRY_ERROR_MAX - transfer->refusal_length;
		const size_t kept = length < room ? length : room;
		memcpy(transfer->refusal + transfer->refusal_length, bytes, kept);
		transfer->refusal_length += kept;
		return length;
	}
	transfer->rc = transfer->sink(transfer->arg, bytes, length, transfer->error);
	return transfer->rc < 0 ? CURL_WRITEFUNC_ERROR : length;
}

static void set_options(struct registry *registry, const struct registry_options *options)
{
	CURL *curl = registry->curl;
	/* A registry may send us elsewhere for a blob, but not from HTTPS to something weaker. */
	const char *schemes = registry->plain ? "http,https" : "https";

	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, registry->words);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "fairlead/" FL_VERSION);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, schemes);
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, schemes);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REGISTRY_REDIRECTS_MAX);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)REGISTRY_CONNECT_S_MAX);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)REGISTRY_STALL_S_MAX);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_for_cancel);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, registry);
	if (is_loopback(registry->reference.domain))
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	if (options && options->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
	if (options && options->user) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(curl, CURLOPT_USERNAME, options->user);
		curl_easy_setopt(curl, CURLOPT_PASSWORD,
				 options->password ? options->password : "");
	}
}

int registry_open(const struct reference *reference, const struct registry_options *options,
		  const atomic_bool *cancel, struct registry **out, struct error *error)
{
	/* Docker's own registry answers under another name than images of it have. */
	const char *host =
	    strcmp(reference->domain, "docker.io") ? reference->domain : "registry-1.docker.io";
	struct registry *registry = calloc(1, sizeof(*registry));

	pthread_once(&curl_once, curl_begin);
	if (!registry)
		return error_set(error, -ENOMEM, "out of memory");
	registry->reference = *reference;
	registry->cancel = cancel;
	registry->plain = is_insecure(options, reference->domain);
	registry->curl = curl_easy_init();
	registry->accept = curl_slist_append(NULL, accept_manifests);
	if (asprintf(&registry->base, "%s://%s", registry->plain ? "http" : "https", host) < 0)
		registry->base = NULL;
	if (!registry->curl || !registry->accept || !registry->base) {
		registry_close(registry);
		return error_set(error, -ENOMEM, "out of memory");
	}
	set_options(registry, options);
	*out = registry;
	return 0;
}

void registry_close(struct registry *registry)
{
	curl_easy_cleanup(registry->curl);
	curl_slist_free_all(registry->accept);
	free(registry->base);
	free(registry);
}

/* "MANIFEST_UNKNOWN" as docker prints it: "manifest unknown". */
static void readable(const char *code, char *out, size_t size)
{
	size_t i = 0;

	for (; code[i] && i + 1 < size; i++)
		out[i] = code[i] == '_' ? ' ' : (char)tolower((unsigned char)code[i]);
	out[i] = '\0';
}

int registry_refusal(const struct reference *reference, long status, const char *body,
		     size_t length, struct error *error)
{
	AUTO_JSON json_t *root = json_loadb(body, length, 0, NULL);
	const json_t *first = json_array_get(json_object_get(root, "errors"), 0);
	const char *code = json_text(first, "code"), *message = json_text(first, "message");
	char name[REFERENCE_TEXT], full[REFERENCE_TEXT], words[64];

	reference_familiar_name(reference, name);
	reference_familiar(reference, full);
	code = code            ? code
	       : status == 404 ? "NOT_FOUND"
	       : status == 401 ? "UNAUTHORIZED"
			       : "UNKNOWN";
	message = message ? message : "the registry said no more";
	readable(code, words, sizeof(words));
	if (!strcmp(code, "MANIFEST_UNKNOWN") || !strcmp(code, "NOT_FOUND"))
		return error_set(error, -ENOENT, "manifest for %s not found: %s: %.100s", full,
				 words, message);
	if (!strcmp(code, "NAME_UNKNOWN"))
		return error_set(error, -ENOENT, "repository %s not found: %s: %.100s", name, words,
				 message);
	if (!strcmp(code, "DENIED") || !strcmp(code, "UNAUTHORIZED"))
		return error_set(
		    error, -EACCES,
		    "pull access denied for %s, repository does not exist or may require 'docker "
		    "login': %s: %.100s",
		    name, words, message);
	return error_set(error, -EIO, "error parsing HTTP %ld response: %s: %.200s", status, words,
			 message);
}

static int verdict(struct transfer *transfer, CURLcode code, const char *url)
{
	const struct registry *registry = transfer->registry;
	long status = 0;

	if (registry->cancel && *registry->cancel)
		return error_set(transfer->error, -ECANCELED, "canceled");
	if (transfer->rc < 0)
		return transfer->rc; /* the sink has said why */
	if (code != CURLE_OK)
		return error_set(transfer->error, -EIO, "Get \"%s\": %s", url,
				 registry->words[0] ? registry->words : curl_easy_strerror(code));
	curl_easy_getinfo(registry->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return 0;
	return registry_refusal(&registry->reference, status, transfer->refusal,
				transfer->refusal_length, transfer->error);
}

static int get(struct registry *registry, const char *kind, const char *version,
	       registry_sink *sink, void *arg, struct error *error)
{
	struct transfer transfer = {.registry = registry, .sink = sink, .arg = arg, .error = error};
	AUTO_FREE char *refusal = transfer.refusal = malloc(REGISTRY_ERROR_MAX);
	AUTO_FREE char *url = NULL;

	if (!refusal || asprintf(&url, "%s/v2/%s/%s/%s", registry->base, registry->reference.path,
				 kind, version) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	registry->words[0] = '\0';
	curl_easy_setopt(registry->curl, CURLOPT_URL, url);
	curl_easy_setopt(registry->curl, CURLOPT_WRITEDATA, &transfer);
	curl_easy_setopt(registry->curl, CURLOPT_HTTPHEADER,
			 *kind == 'm' ? registry->accept : NULL);
	return verdict(&transfer, curl_easy_perform(registry->curl), url);
}

struct buffer {
	char *bytes;
	size_t length;
};

static int keep(void *arg, const void *bytes, size_t length, struct error *error)
{
	struct buffer *buffer = arg;
	char *larger;

	if (length > IMAGE_MANIFEST_MAX - buffer->length)
		return error_set(error, -EFBIG, "manifest: is larger than %d MiB",
				 IMAGE_MANIFEST_MAX >> 20);
	larger = realloc(buffer->bytes, buffer->length + length);
	if (!larger)
		return error_set(error, -ENOMEM, "out of memory");
	memcpy(larger + buffer->length, bytes, length);
	buffer->bytes = larger;
	buffer->length += length;
	return 0;
}

int registry_manifest(struct registry *registry, const char *version, char **bytes, size_t *length,
		      struct digest *digest, struct error *error)
{
	struct buffer buffer = {0};
	struct digest wanted, seen;
	int rc = get(registry, "manifests", version, keep, &buffer, error);

	if (!rc && (rc = digest_of(buffer.bytes, buffer.length, &seen)) < 0)
		error_set(error, rc, "out of memory");
	if (!rc && digest_parse(version, &wanted) && !digest_equal(&wanted, &seen))
		rc = error_set(error, -EBADMSG, "manifest verification failed for digest %s",
			       version);
	if (rc < 0) {
		free(buffer.bytes);
		return rc;
	}
	*bytes = buffer.bytes;
	*length = buffer.length;
	*digest = seen;
	return 0;
}

int registry_blob(struct registry *registry, const struct digest *digest, registry_sink *sink,
		  void *arg, struct error *error)
{
	return get(registry, "blobs", digest->text, sink, arg, error);
}
