/* SPDX-License-Identifier: BSD-2-Clause */
/* Layers as strangers make them, unpacked into a folder of the test. Needs root, as unpacking does.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "layer.h"
#include "layer_entry.h"
#include "tree.h"

struct item {
	const char *path;
	mode_t type;
	const char *text; /* a file's content, or a link's target; "hard:" before a hard link's */
	const char *xattr;
};

struct bed {
	char folder[64]; /* outside/ and root/ are in it */
	int root;
};

static int set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	char path[128];

	if (geteuid() != 0)
		exit(77);
	strcpy(bed->folder, "/tmp/layer-test-XXXXXX");
	assert_non_null(mkdtemp(bed->folder));
	snprintf(path, sizeof(path), "%s/root", bed->folder);
	assert_int_equal(mkdir(path, 0755), 0);
	bed->root = open(path, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "%s/outside", bed->folder);
	assert_int_equal(mkdir(path, 0755), 0);
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;

	close(bed->root);
	assert_int_equal(tree_remove(AT_FDCWD, bed->folder), 0);
	free(bed);
	return 0;
}

static void add(struct archive *tar, const struct item *item)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, item->path);
	archive_entry_set_perm(entry, item->type == S_IFDIR ? 0755 : 04751);
	archive_entry_set_filetype(entry, item->type);
	archive_entry_set_uid(entry, 12);
	archive_entry_set_gid(entry, 34);
	if (item->xattr)
		archive_entry_xattr_add_entry(entry, item->xattr, "y", 1);
	if (item->type == S_IFLNK)
		archive_entry_set_symlink(entry, item->text);
	else if (item->text && !strncmp(item->text, "hard:", 5))
		archive_entry_set_hardlink(entry, item->text + 5);
	else if (item->type == S_IFREG)
		archive_entry_set_size(entry, (la_int64_t)strlen(item->text));
	assert_int_equal(archive_write_header(tar, entry), ARCHIVE_OK);
	if (item->type == S_IFREG && strncmp(item->text, "hard:", 5) != 0)
		archive_write_data(tar, item->text, strlen(item->text));
	archive_entry_free(entry);
}

static int unpack_limited(struct bed *bed, const struct item *items, uint64_t bytes,
			  struct error *error)
{
	const struct layer_limits limits = {bytes, 100, NULL};
	struct archive *tar = archive_write_new();
	FILE *file = tmpfile();
	struct layer_result result;
	int rc;

	archive_write_set_format_pax(tar);
	archive_write_add_filter_gzip(tar);
	assert_int_equal(archive_write_open_FILE(tar, file), ARCHIVE_OK);
	for (; items->path; items++)
		add(tar, items);
	archive_write_free(tar);
	fflush(file);
	lseek(fileno(file), 0, SEEK_SET);
	rc = layer_unpack(fileno(file), bed->root, &limits, &result, error);
	fclose(file);
	return rc;
}

static int unpack(struct bed *bed, const struct item *items, struct error *error)
{
	return unpack_limited(bed, items, 1 << 20, error);
}

static void test_ordinary(void **state)
{
	struct bed *bed = *state;
	const struct item items[] = {{"./", S_IFDIR, NULL, NULL},
				     {"etc/", S_IFDIR, NULL, NULL},
				     {"etc/file", S_IFREG, "content", "user.note"},
				     {"etc/same", S_IFREG, "hard:etc/file", NULL},
				     {"link", S_IFLNK, "etc", NULL},
				     {"no/folder/named", S_IFREG, "", NULL},
				     {"pipe", S_IFIFO, NULL, NULL},
				     {"etc/file2", S_IFREG, "x", "trusted.overlay.opaque"},
				     {NULL, 0, NULL, NULL}};
	struct error error = {0};
	struct stat one, same;
	char value[8];

	assert_int_equal(unpack(bed, items, &error), 0);
	assert_int_equal(fstatat(bed->root, "etc/file", &one, 0), 0);
	assert_int_equal(fstatat(bed->root, "etc/same", &same, 0), 0);
	assert_int_equal(one.st_ino, same.st_ino);
	assert_int_equal(one.st_uid, 12);
	assert_int_equal(one.st_gid, 34);
	assert_int_equal(one.st_mode & 07777, 04751);
	assert_int_equal(one.st_size, 7);
	assert_int_equal(fstatat(bed->root, "no/folder", &one, 0), 0);
	assert_int_equal(one.st_mode & 07777, 0755);
	assert_int_equal(fstatat(bed->root, "pipe", &one, 0), 0);
	assert_true(S_ISFIFO(one.st_mode));
	const int fd = openat(bed->root, "etc/file2", O_RDONLY);
	assert_int_equal(fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)), -1);
	close(fd);
}

static void test_whiteouts(void **state)
{
	struct bed *bed = *state;
	const struct item items[] = {
	    {"a/", S_IFDIR, NULL, NULL},           {"a/.wh.gone", S_IFREG, "", NULL},
	    {"b/.wh..wh..opq", S_IFREG, "", NULL}, {"b/new", S_IFREG, "x", NULL},
	    {"c/kept", S_IFREG, "x", NULL},        {".wh.c", S_IFREG, "", NULL},
	    {".wh.d", S_IFREG, "", NULL},          {"d/", S_IFDIR, NULL, NULL},
	    {".wh..wh.plnk", S_IFREG, "", NULL},   {NULL, 0, NULL, NULL}};
	static const char *const opaque[] = {"b", "c", "d"};
	struct error error = {0};
	struct stat stat;
	char value[8];

	assert_int_equal(unpack(bed, items, &error), 0);
	assert_int_equal(fstatat(bed->root, "a/gone", &stat, 0), 0);
	assert_true(S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(0, 0));
	for (size_t i = 0; i < 3; i++) {
		const int fd = openat(bed->root, opaque[i], O_RDONLY | O_DIRECTORY);
		assert_int_equal(fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)), 1);
		close(fd);
	}
	assert_int_equal(fstatat(bed->root, "c/kept", &stat, 0), 0);
	assert_int_equal(fstatat(bed->root, ".wh..wh.plnk", &stat, 0), -1);
}

static bool outside_is_untouched(const struct bed *bed)
{
	char path[128];
	struct stat stat_;

	snprintf(path, sizeof(path), "%s/outside", bed->folder);
	const bool empty = !rmdir(path) && !mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/evil", bed->folder);
	return empty && stat(path, &stat_) < 0;
}

static void test_refused(void **state)
{
	struct bed *bed = *state;
	static const struct {
		struct item item;
		const char *says;
		int rc;
	} cases[] = {
	    {{"../evil", S_IFREG, "x", NULL}, "is not a path", -EINVAL},
	    {{"a/../../evil", S_IFREG, "x", NULL}, "is not a path", -EINVAL},
	    {{"..", S_IFDIR, NULL, NULL}, "is not a path", -EINVAL},
	    {{"dev/sda", S_IFBLK, NULL, NULL}, "device node", -EPERM},
	    {{"dev/null", S_IFCHR, NULL, NULL}, "device node", -EPERM},
	    {{"x", S_IFREG, "hard:../outside", NULL}, "hard link", -EPERM},
	    {{"x", S_IFREG, "hard:/etc/passwd", NULL}, "not in the layer", -EINVAL},
	    {{"x", S_IFREG, "hard:absent", NULL}, "not in the layer", -EINVAL},
	    {{".wh.", S_IFREG, "", NULL}, "whiteout", -EPERM},
	    {{".wh...", S_IFREG, "", NULL}, "whiteout", -EPERM},
	    {{"a/.wh..", S_IFREG, "", NULL}, "whiteout", -EPERM},
	    {{"/", S_IFLNK, "x", NULL}, "root", -EPERM},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct item items[] = {cases[i].item, {NULL, 0, NULL, NULL}};
		struct error error = {0};
		assert_int_equal(unpack(bed, items, &error), cases[i].rc);
		assert_non_null(strstr(error.message, cases[i].says));
		assert_true(outside_is_untouched(bed));
	}
}

/* Links that lead out, and then something through them: it lands inside, or nowhere. */
static void test_contained(void **state)
{
	struct bed *bed = *state;
	char outside[96];
	const struct item dangling[] = {{"out", S_IFLNK, outside, NULL},
					{"out/evil", S_IFREG, "x", NULL},
					{NULL, 0, NULL, NULL}};
	const struct item items[] = {{"up", S_IFLNK, "../..", NULL},
				     {"up/evil", S_IFREG, "x", NULL},
				     {"/abs/file", S_IFREG, "x", NULL},
				     {"f", S_IFLNK, "/etc/passwd", NULL},
				     {"f", S_IFREG, "mine", NULL},
				     {"self", S_IFLNK, "/proc/self/root", NULL},
				     {"hard", S_IFREG, "hard:up/evil", NULL},
				     {NULL, 0, NULL, NULL}};
	struct error error = {0};
	struct stat stat;

	snprintf(outside, sizeof(outside), "%s/outside", bed->folder);
	assert_int_equal(unpack(bed, dangling, &error),
			 -ENOENT); /* seen from inside it leads nowhere */
	assert_true(outside_is_untouched(bed));
	assert_int_equal(unpack(bed, items, &error), 0);
	assert_true(outside_is_untouched(bed));
	assert_int_equal(fstatat(bed->root, "evil", &stat, 0),
			 0); /* up/evil: ".." of the root is the root */
	assert_int_equal(fstatat(bed->root, "abs/file", &stat, 0), 0);
	assert_int_equal(fstatat(bed->root, "f", &stat, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(stat.st_mode));
}

static void test_bounded(void **state)
{
	struct bed *bed = *state;
	const struct item items[] = {{"big", S_IFREG, "0123456789", NULL}, {NULL, 0, NULL, NULL}};
	struct item many[102] = {{NULL, 0, NULL, NULL}};
	char names[101][16];
	struct error error = {0};

	assert_int_equal(unpack_limited(bed, items, 9, &error), -EFBIG);
	assert_int_equal(unpack_limited(bed, items, 10, &error), 0);
	for (int i = 0; i < 101; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d", i);
		many[i] = (struct item){names[i], S_IFREG, "", NULL};
	}
	assert_int_equal(unpack(bed, many, &error), -EFBIG);
	assert_non_null(strstr(error.message, "more files"));
}

static void test_damaged(void **state)
{
	struct bed *bed = *state;
	static const char *const contents[] = {"", "no tar at all", "\x1f\x8b\x08 broken gzip"};

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		const struct layer_limits limits = {100, 100, NULL};
		struct layer_result result;
		struct error error = {0};
		FILE *file = tmpfile();
		fputs(contents[i], file);
		fflush(file);
		lseek(fileno(file), 0, SEEK_SET);
		assert_int_equal(layer_unpack(fileno(file), bed->root, &limits, &result, &error),
				 -EBADMSG);
		assert_true(strlen(error.message) > 10);
		fclose(file);
	}
}

static void test_paths(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(layer_path_clean("./a//b/./c/", out, sizeof(out)), 0);
	assert_string_equal(out, "a/b/c");
	assert_int_equal(layer_path_clean("///", out, sizeof(out)), 0);
	assert_string_equal(out, "");
	assert_int_equal(layer_path_clean("a/..", out, sizeof(out)), -EINVAL);
	assert_int_equal(layer_path_clean("...", out, sizeof(out)), 0);
	assert_int_equal(layer_path_clean("0123456789", out, 8), -ENAMETOOLONG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_ordinary), TEST(test_whiteouts), TEST(test_refused), TEST(test_contained),
	    TEST(test_bounded),  TEST(test_damaged),   TEST(test_paths)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
