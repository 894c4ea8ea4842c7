/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image_config.h"
#include "manifest.h"
#include "registry.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"

static const struct platform amd64 = {"linux", "amd64", ""}, arm = {"linux", "arm", "v7"};

static int parse(const char *text, const struct platform *platform, enum manifest_kind *kind,
		 struct manifest *image, struct descriptor *chosen, struct error *error)
{
	return manifest_parse(text, strlen(text), platform, kind, image, chosen, error);
}

static void test_image(void **state)
{
	struct manifest image;
	struct descriptor chosen;
	struct error error;
	enum manifest_kind kind;

	(void)state;
	assert_int_equal(
	    parse("{\"schemaVersion\":2,\"config\":{\"digest\":\"" D1 "\",\"size\":7},\"layers\":"
		  "[{\"digest\":\"" D2 "\",\"size\":8},{\"digest\":\"" D3 "\",\"size\":0}]}",
		  &amd64, &kind, &image, &chosen, &error),
	    0);
	assert_int_equal(kind, MANIFEST_IMAGE);
	assert_int_equal(image.layer_count, 2);
	assert_string_equal(image.config.digest.text, D1);
	assert_string_equal(image.layers[0].digest.text, D2);
	assert_int_equal(image.layers[0].size_bytes, 8);
}

static const char list[] =
    "{\"manifests\":["
    "{\"digest\":\"" D1
    "\",\"size\":1,\"platform\":{\"os\":\"windows\",\"architecture\":\"amd64\"}},"
    "{\"digest\":\"" D3
    "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"}},"
    "{\"digest\":\"" D2 "\",\"size\":2,\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
    "{\"digest\":\"" D1
    "\",\"size\":3,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}}]}";

static void test_index(void **state)
{
	const struct platform other = {"linux", "riscv64", ""};
	struct manifest image;
	struct descriptor chosen;
	struct error error;
	enum manifest_kind kind;

	(void)state;
	assert_int_equal(parse(list, &amd64, &kind, &image, &chosen, &error), 0);
	assert_int_equal(kind, MANIFEST_INDEX);
	assert_string_equal(chosen.digest.text, D2);
	assert_int_equal(parse(list, &arm, &kind, &image, &chosen, &error), 0);
	assert_int_equal(chosen.size_bytes, 3);
	assert_int_equal(parse(list, &other, &kind, &image, &chosen, &error), -ENOENT);
	assert_string_equal(error.message,
			    "no matching manifest for linux/riscv64 in the manifest list entries");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
		int rc;
	} cases[] = {
	    {"", "is no JSON", -EINVAL},
	    {"[]", "is no JSON object", -EINVAL},
	    {"{\"schemaVersion\":1}", "schema version 1", -ENOTSUP},
	    {"{}", "config: digest", -EINVAL},
	    {"{\"config\":{\"digest\":\"sha256:../../etc\",\"size\":1},\"layers\":[]}",
	     "config: digest", -EINVAL},
	    {"{\"config\":{\"digest\":\"" D1 "\",\"size\":-1},\"layers\":[]}", "config: size",
	     -EINVAL},
	    {"{\"config\":{\"digest\":\"" D1 "\",\"size\":99999999},\"layers\":[]}", "config: size",
	     -EINVAL},
	    {"{\"config\":{\"digest\":\"" D1 "\",\"size\":1}}", "layers is not a list", -EINVAL},
	    {"{\"config\":{\"digest\":\"" D1 "\",\"size\":1},\"layers\":[7]}", "layers[0]: digest",
	     -EINVAL},
	    {"{\"manifests\":[]}", "no matching manifest", -ENOENT},
	};
	struct manifest image;
	struct descriptor chosen;
	enum manifest_kind kind;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error;
		assert_int_equal(parse(cases[i].text, &amd64, &kind, &image, &chosen, &error),
				 cases[i].rc);
		assert_non_null(strstr(error.message, cases[i].says));
	}
}

static void test_too_many_layers(void **state)
{
	char *text = malloc(64 << 10);
	struct manifest image;
	struct descriptor chosen;
	struct error error;
	enum manifest_kind kind;
	size_t at =
	    (size_t)sprintf(text, "{\"config\":{\"digest\":\"" D1 "\",\"size\":1},\"layers\":[");

	(void)state;
	for (int i = 0; i < 128; i++)
		at += (size_t)sprintf(text + at, "%s{\"digest\":\"" D2 "\",\"size\":1}",
				      i ? "," : "");
	strcpy(text + at, "]}");
	assert_int_equal(parse(text, &amd64, &kind, &image, &chosen, &error), -EINVAL);
	assert_non_null(strstr(error.message, "at most 127"));
	free(text);
}

static void test_config(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"{", "the whole"},
	    {"{\"os\":\"windows\",\"rootfs\":{\"diff_ids\":[]}}", "windows"},
	    {"{\"config\":[]}", "config: is not an object"},
	    {"{\"config\":{\"Env\":[1]}}", "Env: holds"},
	    {"{\"config\":{\"Cmd\":\"x\"}}", "Cmd: is not a list"},
	    {"{\"config\":{\"User\":7}}", "User: is not text"},
	    {"{\"config\":{\"Labels\":[]}}", "Labels: is not an object"},
	    {"{\"config\":{\"Healthcheck\":{\"Test\":\"x\"}}}", "Test: is not a list"},
	    {"{}", "rootfs.diff_ids"},
	    {"{\"rootfs\":{\"diff_ids\":[\"md5:1\"]}}", "rootfs.diff_ids"},
	};
	struct image_config config;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error;
		assert_true(
		    image_config_parse(cases[i].text, strlen(cases[i].text), &config, &error) < 0);
		assert_non_null(strstr(error.message, cases[i].says));
	}
}

/* distribution's own example, config.md of the image-spec: chains of two and three layers. */
static void test_chain(void **state)
{
	struct digest a, b, chain, whole;

	(void)state;
	assert_true(digest_parse(D1, &a));
	assert_true(digest_parse(D2, &b));
	assert_int_equal(digest_chain(&a, &b, &chain), 0);
	assert_int_equal(digest_of(D1 " " D2, 2 * DIGEST_TEXT + 1, &whole), 0);
	assert_string_equal(chain.text, whole.text);
	assert_int_equal(digest_of("", 0, &whole), 0);
	assert_string_equal(
	    whole.text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_refusals(void **state)
{
	static const struct {
		long status;
		const char *body, *says;
		int rc;
	} cases[] = {
	    {404, "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}",
	     "manifest for reg.example/web:1 not found: manifest unknown: manifest unknown",
	     -ENOENT},
	    {401,
	     "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access to the resource is "
	     "denied\"}]}",
	     "pull access denied for reg.example/web, repository does not exist or may require "
	     "'docker login': "
	     "denied: requested access to the resource is denied",
	     -EACCES},
	    {404, "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"unknown\"}]}",
	     "repository reg.example/web not found: name unknown: unknown", -ENOENT},
	    {500, "<html>", "error parsing HTTP 500 response", -EIO},
	    {401, "", "pull access denied", -EACCES},
	};
	struct reference reference;

	(void)state;
	assert_int_equal(reference_parse("reg.example/web:1", &reference, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error;
		assert_int_equal(registry_refusal(&reference, cases[i].status, cases[i].body,
						  strlen(cases[i].body), &error),
				 cases[i].rc);
		assert_non_null(strstr(error.message, cases[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_image),    cmocka_unit_test(test_index),
	    cmocka_unit_test(test_refused),  cmocka_unit_test(test_too_many_layers),
	    cmocka_unit_test(test_config),   cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
