/*
 * Mounts as berth needs them. A target is an O_PATH descriptor, so that it cannot be exchanged between its
 * resolution and the mount. Functions return 0, or -1 with errno and failure() set.
 */
#ifndef BERTH_MOUNT_H
#define BERTH_MOUNT_H

#include "common.h"

/* Makes the directory and its missing parents, 0755. */
int make_directories(const char *path);

/* An O_PATH descriptor of the directory `path`, made if needed. */
int open_target(const char *path);

/*
 * Read-only EROFS from an index file whose data lie in the tar file. Where the kernel refuses plain files (ENOTBLK:
 * too old, or the files are on a stacked filesystem), through read-only loop devices that vanish with the mount.
 */
int mount_erofs(const char *index, const char *tar, int target);

/* overlayfs; without `upper` and `work` it is read-only. Topmost lower first. */
struct overlay {
	const char *const *lower;
	size_t lowers;
	const char *upper;
	const char *work;
};
int mount_overlay(const struct overlay *overlay, int target, unsigned attributes);

/* Binds `source` (with the mounts below it, if `recursive`) on target. */
int mount_bind(const char *source, int target, bool recursive, bool read_only);

/* A filesystem without a device (tmpfs, cgroup); `options` are KEY, VALUE pairs up to a NULL; an empty value is a flag. */
int mount_plain(const char *type, const char *const *options, int target);

/* A loop device over the file, detached with its last user; its path goes to `path`. Returns its descriptor. */
int loop_attach(const char *file, char *path, size_t size);

#endif
