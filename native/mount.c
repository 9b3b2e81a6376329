#include "mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#define BERTH_AT_RECURSIVE 0x8000
/* fsconfig(2) takes strings below this length. */
#define FSCONFIG_MOST 256
#define OVERLAY_OPTIONS "index=off,metacopy=off,redirect_dir=off,xino=auto"

int make_directories(const char *path)
{
	cleanup_free char *partial = strdup(path);
	if (partial == NULL)
		return fail("%s: %m", path);
	for (char *at = partial + 1;; at++) {
		char end = *at;
		if (end != '/' && end != '\0')
			continue;
		*at = '\0';
		if (mkdir(partial, 0755) < 0 && errno != EEXIST)
			return fail("create directory %s: %m", partial);
		if (end == '\0')
			return 0;
		*at = end;
	}
}

int open_target(const char *path)
{
	if (make_directories(path) < 0)
		return -1;
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail("open %s: %m", path) : fd;
}

/* What the kernel said about a failed fsconfig or fsmount, appended to the text. */
static int fail_context(int context, const char *what)
{
	int saved = errno;
	char message[256];
	ssize_t length = read(context, message, sizeof message - 1);
	errno = saved;
	if (length <= 2)
		return fail("%s: %m", what);
	message[length] = '\0';
	return fail("%s: %m (%s)", what, message + 2);
}

/* A path as fsconfig takes it: one that is too long goes by a descriptor, kept open in `pin`. */
static int set_path(int context, const char *key, const char *path, int *pin)
{
	char by_fd[32];
	if (strlen(path) >= FSCONFIG_MOST) {
		*pin = open(path, O_PATH | O_CLOEXEC);
		if (*pin < 0)
			return -1;
		snprintf(by_fd, sizeof by_fd, "/proc/self/fd/%d", *pin);
		path = by_fd;
	}
	return sys_fsconfig(context, BERTH_FSCONFIG_SET_STRING, key, path, 0);
}

static int attach(int context, unsigned attributes, int target, const char *what)
{
	if (sys_fsconfig(context, BERTH_FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_context(context, what);
	cleanup_close int mount_fd = sys_fsmount(context, BERTH_FSMOUNT_CLOEXEC, attributes);
	if (mount_fd < 0)
		return fail_context(context, what);
	if (sys_move_mount(mount_fd, "", target, "",
			   BERTH_MOVE_MOUNT_F_EMPTY_PATH | BERTH_MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail("%s: attach: %m", what);
	return 0;
}

static int mount_erofs_from(const char *index, const char *tar, int target)
{
	cleanup_close int context = sys_fsopen("erofs", BERTH_FSOPEN_CLOEXEC);
	cleanup_close int index_pin = -1, tar_pin = -1;
	if (context < 0)
		return fail("erofs: %m");
	if (set_path(context, "source", index, &index_pin) < 0 || set_path(context, "device", tar, &tar_pin) < 0 ||
	    sys_fsconfig(context, BERTH_FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return fail_context(context, "erofs");
	return attach(context, BERTH_MOUNT_ATTR_RDONLY | BERTH_MOUNT_ATTR_NOSUID | BERTH_MOUNT_ATTR_NODEV, target,
		      "mount erofs");
}

int mount_erofs(const char *index, const char *tar, int target)
{
	if (access(index, R_OK) < 0)
		return fail("%s: %m", index);
	if (access(tar, R_OK) < 0)
		return fail("%s: %m", tar);
	if (mount_erofs_from(index, tar, target) == 0)
		return 0;
	if (errno != ENOTBLK)
		return -1;
	char index_path[32], tar_path[32];
	cleanup_close int index_loop = loop_attach(index, index_path, sizeof index_path);
	if (index_loop < 0)
		return -1;
	cleanup_close int tar_loop = loop_attach(tar, tar_path, sizeof tar_path);
	if (tar_loop < 0)
		return -1;
	return mount_erofs_from(index_path, tar_path, target);
}

static int append_escaped(struct buffer *data, const char *path)
{
	for (; *path != '\0'; path++) {
		if (strchr(":,\\", *path) != NULL && buffer_append(data, "\\", 1) < 0)
			return -1;
		if (buffer_append(data, path, 1) < 0)
			return -1;
	}
	return 0;
}

/* mount(2), for kernels before 6.8 that have no `lowerdir+`; its options end at one page. */
static int mount_overlay_legacy(const struct overlay *overlay, int target)
{
	cleanup_buffer struct buffer data = {0};
	char path[32];
	int failed = buffer_printf(&data, "%s,lowerdir=", OVERLAY_OPTIONS);
	for (size_t i = 0; i < overlay->lowers; i++) {
		failed |= i > 0 ? buffer_append(&data, ":", 1) : 0;
		failed |= append_escaped(&data, overlay->lower[i]);
	}
	if (overlay->upper != NULL) {
		failed |= buffer_printf(&data, ",upperdir=") | append_escaped(&data, overlay->upper);
		failed |= buffer_printf(&data, ",workdir=") | append_escaped(&data, overlay->work);
	}
	if (failed < 0 || buffer_append(&data, "", 1) < 0)
		return fail("mount overlay: %m");
	if (data.length > (size_t)getpagesize()) {
		errno = E2BIG;
		return fail("mount overlay: too many layers for this kernel: %m");
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", target);
	if (mount("berth", path, "overlay", overlay->upper == NULL ? MS_RDONLY : 0, data.data) < 0)
		return fail("mount overlay: %m");
	return 0;
}

static int set_overlay(int context, const struct overlay *overlay)
{
	static const char *const options[][2] = {
		{"source", "berth"}, {"index", "off"}, {"metacopy", "off"}, {"redirect_dir", "off"}, {"xino", "auto"}};
	for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
		if (sys_fsconfig(context, BERTH_FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
			return fail_context(context, options[i][0]);
	for (size_t i = 0; i < overlay->lowers; i++) {
		cleanup_close int pin = -1;
		if (set_path(context, "lowerdir+", overlay->lower[i], &pin) < 0)
			return fail_context(context, overlay->lower[i]);
	}
	if (overlay->upper == NULL)
		return 0;
	cleanup_close int upper_pin = -1, work_pin = -1;
	if (set_path(context, "upperdir", overlay->upper, &upper_pin) < 0)
		return fail_context(context, overlay->upper);
	if (set_path(context, "workdir", overlay->work, &work_pin) < 0)
		return fail_context(context, overlay->work);
	return 0;
}

int mount_overlay(const struct overlay *overlay, int target, unsigned attributes)
{
	cleanup_close int context = sys_fsopen("overlay", BERTH_FSOPEN_CLOEXEC);
	if (context < 0)
		return fail("overlay: %m");
	if (set_overlay(context, overlay) < 0)
		return errno == EINVAL ? mount_overlay_legacy(overlay, target) : -1;
	if (overlay->upper == NULL)
		attributes |= BERTH_MOUNT_ATTR_RDONLY;
	return attach(context, attributes, target, "mount overlay");
}

int mount_bind(const char *source, int target, bool recursive, bool read_only)
{
	struct {
		uint64_t set, clear, propagation, userns;
	} attributes = {.set = BERTH_MOUNT_ATTR_RDONLY};
	unsigned recursion = recursive ? BERTH_AT_RECURSIVE : 0;
	cleanup_close int tree =
		sys_open_tree(AT_FDCWD, source, BERTH_OPEN_TREE_CLONE | BERTH_OPEN_TREE_CLOEXEC | recursion);
	if (tree < 0)
		return fail("bind %s: %m", source);
	if (read_only &&
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | recursion, &attributes, sizeof attributes) < 0)
		return fail("bind %s read-only: %m", source);
	if (sys_move_mount(tree, "", target, "", BERTH_MOVE_MOUNT_F_EMPTY_PATH | BERTH_MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail("bind %s: attach: %m", source);
	return 0;
}

int mount_plain(const char *type, const char *const *options, int target)
{
	cleanup_close int context = sys_fsopen(type, BERTH_FSOPEN_CLOEXEC);
	if (context < 0)
		return fail("%s: %m", type);
	for (; options[0] != NULL; options += 2) {
		bool flag = options[1][0] == '\0';
		if (sys_fsconfig(context, flag ? BERTH_FSCONFIG_SET_FLAG : BERTH_FSCONFIG_SET_STRING, options[0],
				 flag ? NULL : options[1], 0) < 0)
			return fail_context(context, options[0]);
	}
	return attach(context, BERTH_MOUNT_ATTR_NOSUID | BERTH_MOUNT_ATTR_NODEV, target, type);
}
