/*
 * The container's root filesystem, mounted where only this process and its children see it. It goes away with them:
 * there is no way to leak it into the host's namespace.
 */
#include "shim.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * Off is what would leave marks on the upper directory which a later mount with other layers (commit, export) cannot read,
 * or would refuse such a mount.
 *
 * Layers are file systems of their own. With xino a container sees one all the same, where inode numbers have room for it:
 * programs that stay on one file system (cp -x, du -x, rsync -x) would pass over every file of a layer. "on" instead of
 * "auto" would mark all new directories as opaque.
 */
static const char *const overlay_options[][2] = {
	{"redirect_dir", "off"}, {"index", "off"}, {"metacopy", "off"}, {"xino", "auto"}};

static int set(int fs, const char *key, const char *value)
{
	return sys_fsconfig(fs, BERTH_FSCONFIG_SET_STRING, key, value, 0);
}

/* With one option per layer there is no limit on their total length (Linux 6.8). */
static int mount_by_descriptor(const struct config *config)
{
	cleanup_close int fs = sys_fsopen("overlay", BERTH_FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	for (size_t i = 0; i < config->lower_count; i++)
		if (set(fs, "lowerdir+", config->lower[i]) < 0)
			return -1;
	if (set(fs, "upperdir", config->upper) < 0 || set(fs, "workdir", config->work) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LENGTH(overlay_options); i++)
		if (set(fs, overlay_options[i][0], overlay_options[i][1]) < 0)
			return -1;
	if (config->is_volatile && sys_fsconfig(fs, BERTH_FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		return -1;
	if (sys_fsconfig(fs, BERTH_FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	cleanup_close int mounted = sys_fsmount(fs, BERTH_FSMOUNT_CLOEXEC, 0);
	if (mounted < 0)
		return -1;
	return sys_move_mount(mounted, "", AT_FDCWD, config->rootfs, BERTH_MOVE_MOUNT_F_EMPTY_PATH);
}

/* Length of the directory part, with its slash, that all layers share. */
static size_t common_directory(const struct config *config)
{
	size_t length = strlen(config->lower[0]);
	for (size_t i = 1; i < config->lower_count; i++) {
		size_t same = 0;
		while (same < length && config->lower[i][same] == config->lower[0][same])
			same++;
		length = same;
	}
	while (length > 0 && config->lower[0][length - 1] != '/')
		length--;
	return length;
}

static int append_escaped(struct buffer *options, const char *path)
{
	for (; *path != '\0'; path++)
		if ((strchr(":,\\", *path) != NULL && buffer_append(options, "\\", 1) < 0) ||
		    buffer_append(options, path, 1) < 0)
			return -1;
	return 0;
}

static int append_options(struct buffer *options, const struct config *config, size_t common)
{
	for (size_t i = 0; i < config->lower_count; i++)
		if (buffer_printf(options, i == 0 ? "lowerdir=" : ":") < 0 ||
		    append_escaped(options, config->lower[i] + common) < 0)
			return -1;
	if (buffer_printf(options, ",upperdir=") < 0 || append_escaped(options, config->upper) < 0 ||
	    buffer_printf(options, ",workdir=") < 0 || append_escaped(options, config->work) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LENGTH(overlay_options); i++)
		if (buffer_printf(options, ",%s=%s", overlay_options[i][0], overlay_options[i][1]) < 0)
			return -1;
	return buffer_printf(options, config->is_volatile ? ",volatile" : "");
}

/* One string of at most a page for everything: layers are named relative to their common directory. */
static int mount_by_string(const struct config *config)
{
	cleanup_buffer struct buffer options = {0};
	size_t common = common_directory(config);
	if (append_options(&options, config, common) < 0)
		return -1;
	if (options.length >= (size_t)sysconf(_SC_PAGESIZE)) {
		errno = E2BIG;
		return -1;
	}
	cleanup_free char *directory = strndup(config->lower[0], common);
	if (directory == NULL || chdir(directory) < 0)
		return -1;
	int result = mount("overlay", config->rootfs, "overlay", 0, options.data);
	int saved = errno;
	if (chdir("/") < 0)
		return -1;
	errno = saved;
	return result;
}

/* A volatile overlay that was not unmounted in order refuses to be mounted again; we know what we ask for. */
static void forget_volatile(const struct config *config)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/work/incompat/volatile/dirty", config->work);
	unlink(path);
	for (int i = 0; i < 2; i++) {
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
}

/* A convenience: what has no /etc, or has one with a file of that name, or a full disk, does without. */
static void link_mtab(const char *rootfs)
{
	cleanup_close int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int etc = sys_openat2(root, "etc", O_PATH | O_DIRECTORY, 0, BERTH_RESOLVE_IN_ROOT);
	if (etc >= 0 && symlinkat("/proc/mounts", etc, "mtab") < 0)
		return;
}

int rootfs_mount(const struct config *config)
{
	if (unshare(CLONE_NEWNS) < 0)
		return fail("new mount namespace: %m");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail("make mounts slave: %m");
	if (config->lower_count > 0) {
		forget_volatile(config);
		if (mkdir(config->rootfs, 0755) < 0 && errno != EEXIST)
			return fail("%s: %m", config->rootfs);
		/* The second call's error is the one reported: it is the same where the cause lies in the paths. */
		if (mount_by_descriptor(config) < 0 && mount_by_string(config) < 0)
			return fail("overlay on %s (upper %s): %m", config->rootfs, config->upper);
		if (config->mtab)
			link_mtab(config->rootfs);
	}
	if (pins_mount(config) < 0)
		return -1;
	if (config->hide != NULL && umount2(config->hide, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
		return fail("detach %s: %m", config->hide);
	return 0;
}

/* A detached copy of the mount at `source` as the namespace `host` sees it, still a peer of the original. */
static int clone_from(int host, int own, const char *source)
{
	if (setns(host, CLONE_NEWNS) < 0)
		return -1;
	int tree = sys_open_tree(AT_FDCWD, source, BERTH_OPEN_TREE_CLONE | BERTH_OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	int saved = errno;
	if (setns(own, CLONE_NEWNS) < 0)
		die("return to the own mount namespace: %m");
	errno = saved;
	return tree;
}

int rootfs_share(const struct config *config, pid_t host)
{
	if (config->share_count == 0)
		return 0;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)host);
	cleanup_close int there = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_close int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (there < 0 || own < 0)
		return fail("mount namespace of process %d: %m", (int)host);
	for (size_t i = 0; i < config->share_count; i++) {
		const char *source = config->shares[i].source, *destination = config->shares[i].destination;
		cleanup_close int tree = clone_from(there, own, source);
		if (tree >= 0 && sys_move_mount(tree, "", AT_FDCWD, destination, BERTH_MOVE_MOUNT_F_EMPTY_PATH) == 0)
			continue;
		/* The kernel moves no copy with the file of a mount namespace in it. Who only follows can do with the own view. */
		bool can_bind = errno == ELOOP && config->shares[i].follows;
		if (!can_bind || mount(source, destination, NULL, MS_BIND | MS_REC, NULL) < 0)
			return fail("share %s: %m", source);
	}
	return 0;
}

void rootfs_unmount(const struct config *config)
{
	if (config->lower_count > 0)
		umount2(config->rootfs, MNT_DETACH);
}
