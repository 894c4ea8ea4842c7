/* SPDX-License-Identifier: BSD-2-Clause */
#include "layer_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "cleanup.h"
#include "image_limits.h"
#include "tree.h"

/* One entry on its way. */
struct making {
	int root, parent; /* the folder it goes into; owned */
	const char *path; /* clean */
	const char *name; /* last part of it */
	struct archive *tar;
	struct archive_entry *entry;
	uint64_t *bytes_left;
	const atomic_bool *cancel;
	struct error *error;
};

int layer_path_clean(const char *path, char *out, size_t size)
{
	size_t used = 0;

	while (*path) {
		const size_t length = strcspn(path, "/");
		const bool dot = length == 1 && path[0] == '.';
		if (length == 2 && path[0] == '.' && path[1] == '.')
			return -EINVAL;
		if (length > NAME_MAX || used + length + 2 > size)
			return -ENAMETOOLONG;
		if (length && !dot) {
			if (used)
				out[used++] = '/';
			memcpy(out + used, path, length);
			used += length;
		}
		path += length + (path[length] == '/');
	}
	out[used] = '\0';
	return 0;
}

const char *layer_whiteout(const char *name, bool *opaque, bool *invalid)
{
	*opaque = *invalid = false;
	if (strncmp(name, ".wh.", 4) != 0)
		return NULL;
	*opaque = !strcmp(name, ".wh..wh..opq");
	*invalid =
	    !name[4] || !strcmp(name + 4, ".") || !strcmp(name + 4, "..") || strchr(name, '/');
	return name + 4;
}

static int fail(const struct making *at, const char *what)
{
	const int code = -errno;
	return error_set(at->error, code, "layer: %.200s: %s: %s", at->path, what, strerror(-code));
}

static int refuse(const struct making *at, const char *why)
{
	return error_set(at->error, -EPERM, "layer: %.200s: %s", at->path, why);
}

static bool is_whiteout(const struct stat *stat)
{
	return S_ISCHR(stat->st_mode) && stat->st_rdev == makedev(0, 0);
}

static int make_opaque(const struct making *at, const char *name)
{
	AUTO_FD int fd = openat(at->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return fail(at, "cannot hide what is below");
	return 0;
}

static int make_whiteout(const struct making *at, const char *hidden)
{
	struct stat stat;

	if (!fstatat(at->parent, hidden, &stat, AT_SYMLINK_NOFOLLOW)) {
		/* It hides the layers below, not what its own layer holds. */
		return S_ISDIR(stat.st_mode) ? make_opaque(at, hidden) : 0;
	}
	if (mknodat(at->parent, hidden, S_IFCHR, makedev(0, 0)) < 0)
		return fail(at, "cannot hide what is below");
	return 0;
}

/*
 * Takes away what another entry of this layer left under the name. A folder over a folder is the
 * same folder. *hidden: it was a whiteout, so a folder that takes its place hides what is below
 * too.
 */
static int make_room(const struct making *at, bool folder, bool *hidden)
{
	struct stat stat;

	*hidden = false;
	if (fstatat(at->parent, at->name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(at, "cannot look at it");
	*hidden = is_whiteout(&stat);
	if (folder && S_ISDIR(stat.st_mode))
		return 0;
	const int rc = tree_remove(at->parent, at->name);
	errno = -rc;
	return rc < 0 ? fail(at, "cannot replace it") : 0;
}

static int copy_content(const struct making *at, int fd)
{
	const void *block;
	size_t length;
	la_int64_t offset;
	int rc;

	while ((rc = archive_read_data_block(at->tar, &block, &length, &offset)) == ARCHIVE_OK) {
		if (at->cancel && *at->cancel)
			return error_set(at->error, -ECANCELED, "canceled");
		if (length > *at->bytes_left || offset < 0)
			return error_set(at->error, -EFBIG,
					 "layer: %.200s: it is larger than images may be",
					 at->path);
		*at->bytes_left -= length;
		for (const char *bytes = block; length;) {
			const ssize_t wrote = pwrite(fd, bytes, length, offset);
			if (wrote < 0 && errno == EINTR)
				continue;
			if (wrote < 0)
				return fail(at, "cannot write it");
			bytes += wrote;
			length -= (size_t)wrote;
			offset += wrote;
		}
	}
	if (rc != ARCHIVE_EOF)
		return error_set(at->error, -EBADMSG, "layer: %.200s: %s", at->path,
				 archive_error_string(at->tar));
	return 0;
}

static int make_file(const struct making *at)
{
	AUTO_FD int fd = openat(at->parent, at->name,
				O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const la_int64_t size = archive_entry_size(at->entry);
	int rc;

	if (fd < 0)
		return fail(at, "cannot make it");
	if (size < 0 || (uint64_t)size > LAYER_UNPACKED_MAX)
		return refuse(at, "its size is out of bounds");
	rc = copy_content(at, fd);
	/* A sparse file's end may be a hole. */
	if (!rc && ftruncate(fd, size) < 0)
		return fail(at, "cannot write it");
	return rc;
}

static int make_hard_link(const struct making *at, const char *to)
{
	char target[PATH_MAX];
	char *slash;
	struct stat stat;

	if (layer_path_clean(to, target, sizeof(target)) < 0 || !target[0])
		return refuse(at, "is a hard link to a place outside of the layer");
	slash = strrchr(target, '/');
	if (slash)
		*slash = '\0';
	AUTO_FD int folder = tree_open(at->root, slash ? target : "/", O_PATH | O_DIRECTORY, 0);
	const char *name = slash ? slash + 1 : target;
	if (folder < 0 || fstatat(folder, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(at->error, -EINVAL,
				 "layer: %.200s: is a hard link to what is not in the layer",
				 at->path);
	if (!S_ISREG(stat.st_mode) && !S_ISLNK(stat.st_mode))
		return refuse(at, "is a hard link to something that is no file");
	return linkat(folder, name, at->parent, at->name, 0) < 0 ? fail(at, "cannot link it") : 0;
}

/* By the descriptor, for fsetxattr cannot follow a link that someone put in its place. */
static int set_attributes(const struct making *at)
{
	const char *name;
	const void *value;
	size_t length;

	if (!archive_entry_xattr_reset(at->entry))
		return 0;
	AUTO_FD int fd =
	    openat(at->parent, at->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail(at, "cannot open it");
	while (archive_entry_xattr_next(at->entry, &name, &value, &length) == ARCHIVE_OK) {
		const bool kept =
		    !strcmp(name, "security.capability") || !strncmp(name, "user.", 5);
		if (!kept)
			continue;
		if (length > LAYER_XATTR_MAX)
			return refuse(at, "has an extended attribute that is too large");
		if (fsetxattr(fd, name, value, length, 0) < 0 && errno != ENOTSUP)
			return fail(at, "cannot set its extended attributes");
	}
	return 0;
}

static int set_metadata(const struct making *at, mode_t type)
{
	const la_int64_t uid = archive_entry_uid(at->entry), gid = archive_entry_gid(at->entry);
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
					  {.tv_sec = archive_entry_mtime(at->entry),
					   .tv_nsec = archive_entry_mtime_nsec(at->entry)}};

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return refuse(at, "its owner is out of bounds");
	if (fchownat(at->parent, at->name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(at, "cannot set its owner");
	if (type == S_IFREG || type == S_IFDIR) {
		const int rc = set_attributes(at);
		if (rc < 0)
			return rc;
	}
	/* After the owner: changing that takes the set-user-ID bit away. Its name is no link: we
	 * made it. */
	if (type != S_IFLNK &&
	    fchmodat(at->parent, at->name, archive_entry_perm(at->entry) & 07777, 0) < 0)
		return fail(at, "cannot set its mode");
	(void)utimensat(at->parent, at->name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int make_object(const struct making *at, mode_t type, bool hidden)
{
	const char *target;

	switch (type) {
	case S_IFREG:
		return make_file(at);
	case S_IFDIR:
		if (mkdirat(at->parent, at->name, 0700) < 0 && errno != EEXIST)
			return fail(at, "cannot make it");
		return hidden ? make_opaque(at, at->name) : 0;
	case S_IFLNK:
		target = archive_entry_symlink(at->entry);
		if (!target || !*target)
			return refuse(at, "is a symbolic link to nothing");
		return symlinkat(target, at->parent, at->name) < 0 ? fail(at, "cannot make it") : 0;
	case S_IFIFO:
		return mknodat(at->parent, at->name, S_IFIFO | 0600, 0) < 0
			   ? fail(at, "cannot make it")
			   : 0;
	case S_IFCHR:
	case S_IFBLK:
		return refuse(at, "is a device node, which images may not hold");
	default:
		return refuse(at, "is of a kind that images may not hold");
	}
}

static int make_entry(const struct making *at)
{
	const char *hard_link = archive_entry_hardlink(at->entry);
	const mode_t type = archive_entry_filetype(at->entry);
	bool opaque, invalid, hidden;
	const char *whiteout = layer_whiteout(at->name, &opaque, &invalid);
	int rc;

	if (whiteout && opaque)
		return fsetxattr(at->parent, "trusted.overlay.opaque", "y", 1, 0) < 0
			   ? fail(at, "cannot hide what is below")
			   : 0;
	if (invalid)
		return refuse(at, "is a malformed whiteout");
	if (whiteout && !strncmp(whiteout, ".wh.", 4))
		return 0; /* AUFS's own files, which some old images have */
	if (whiteout)
		return make_whiteout(at, whiteout);
	rc = make_room(at, type == S_IFDIR && !hard_link, &hidden);
	if (rc < 0)
		return rc;
	if (hard_link)
		return make_hard_link(at, hard_link);
	rc = make_object(at, type, hidden);
	return rc < 0 ? rc : set_metadata(at, type);
}

/* The root's own entry has no folder to go into: only its owner, mode and time count. */
static int set_root(struct making *at)
{
	if (archive_entry_filetype(at->entry) != S_IFDIR)
		return refuse(at, "is the root, and no folder");
	at->name = ".";
	at->parent = dup(at->root);
	return at->parent < 0 ? fail(at, "cannot open it") : set_metadata(at, S_IFDIR);
}

int layer_entry_make(int root, struct archive *tar, struct archive_entry *entry,
		     uint64_t *bytes_left, const atomic_bool *cancel, struct error *error)
{
	const char *given = archive_entry_pathname(entry);
	char path[PATH_MAX], folder[PATH_MAX];
	struct making at = {.root = root,
			    .parent = -1,
			    .path = path,
			    .tar = tar,
			    .entry = entry,
			    .bytes_left = bytes_left,
			    .cancel = cancel,
			    .error = error};
	char *slash;
	int rc = given ? layer_path_clean(given, path, sizeof(path)) : -EINVAL;

	if (rc < 0)
		return error_set(error, rc, "layer: %.200s: is not a path that images may hold",
				 given ? given : "an entry without a name");
	if (!path[0]) {
		rc = set_root(&at);
		goto done;
	}
	strcpy(folder, path);
	slash = strrchr(folder, '/');
	at.name = slash ? path + (slash - folder) + 1 : path;
	if (slash)
		*slash = '\0';
	/* Some layers name a file and not the folder it is in. */
	rc = slash ? tree_make_folder(root, folder, 0755) : 0;
	at.parent = rc < 0 ? rc : tree_open(root, slash ? folder : "/", O_RDONLY | O_DIRECTORY, 0);
	if (at.parent < 0) {
		errno = -at.parent;
		rc = fail(&at, "cannot open its folder");
	} else {
		rc = make_entry(&at);
	}
done:
	if (at.parent >= 0)
		close(at.parent);
	return rc;
}
