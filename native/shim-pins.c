/*
 * Sources of mounts that are made certain before the OCI runtime, which knows only paths, is called: what a path below a
 * volume leads to, what only the helper's namespace has, and what shows its files under other owners. Each becomes a mount
 * of our own below the container's directory, and the runtime binds that.
 */
#include "shim.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define AT_ALL_BELOW 0x8000
#define MOUNT_ATTR_IDMAPPED 0x100000
#define IDS UINT64_C(4294967295)

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

/* Every id means itself, but `disk` is shown as `shown`; the two others that this leaves over have no counterpart. */
static int format_map(struct buffer *map, uint64_t disk, uint64_t shown)
{
	uint64_t low = disk < shown ? disk : shown, high = disk < shown ? shown : disk;
	if (low == high)
		return buffer_printf(map, "0 0 %ju\n", (uintmax_t)IDS);
	if (buffer_printf(map, "%ju %ju 1\n", (uintmax_t)disk, (uintmax_t)shown) < 0)
		return -1;
	if (low > 0 && buffer_printf(map, "0 0 %ju\n", (uintmax_t)low) < 0)
		return -1;
	if (high - low > 1 && buffer_printf(map, "%ju %ju %ju\n", (uintmax_t)low + 1, (uintmax_t)low + 1,
					    (uintmax_t)(high - low - 1)) < 0)
		return -1;
	return buffer_printf(map, "%ju %ju %ju\n", (uintmax_t)high + 1, (uintmax_t)high + 1, (uintmax_t)(IDS - high - 1));
}

static int write_map(pid_t pid, const char *file, uint64_t disk, uint64_t shown)
{
	cleanup_buffer struct buffer map = {0};
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	return format_map(&map, disk, shown) < 0 ? -1 : write_file(path, map.data);
}

/* A descriptor of a user namespace with these maps. Only a process can make one; ours ends at once. */
static int user_namespace(const struct pin *pin)
{
	int ready[2];
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		char done = (char)(unshare(CLONE_NEWUSER) < 0 ? errno : 0);
		if (write(ready[1], &done, 1) == 1)
			pause();
		_exit(1);
	}
	close_fd(&ready[1]);
	char refused = EIO;
	int fd = -1;
	if (pid > 0 && read(ready[0], &refused, 1) == 1 && refused == 0 &&
	    write_map(pid, "uid_map", pin->disk_uid, pin->shown_uid) == 0 &&
	    write_map(pid, "gid_map", pin->disk_gid, pin->shown_gid) == 0) {
		char path[64];
		snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	} else if (refused != 0) {
		errno = refused;
	}
	int saved = errno;
	close_fd(&ready[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	errno = saved;
	return fd;
}

static int map_owners(const struct pin *pin, int tree)
{
	cleanup_close int namespace = user_namespace(pin);
	if (namespace < 0)
		return fail("owners of %s: user namespace: %m", pin->source);
	struct {
		uint64_t set, clear, propagation, userns;
	} attributes = {.set = MOUNT_ATTR_IDMAPPED, .userns = (uint64_t)namespace};
	unsigned flags = AT_EMPTY_PATH | (pin->alone ? 0 : AT_ALL_BELOW);
	if (syscall(SYS_mount_setattr, tree, "", flags, &attributes, sizeof attributes) < 0)
		return fail("owners of %s cannot be mapped: %s", pin->source,
			    errno == EINVAL ? "its filesystem, or one mounted below it, does not support it"
					    : strerror(errno));
	return 0;
}

/* Symlinks of whoever writes to the volume lead nowhere but to places below it. */
static int open_source(const struct pin *pin)
{
	cleanup_close int base = open(pin->source, O_PATH | O_CLOEXEC);
	if (base < 0)
		return fail("cannot access path %s: %m", pin->source);
	if (pin->path == NULL)
		return take_fd(&base);
	int fd = -1;
	/* A rename anywhere while `..` is walked gives EAGAIN. */
	for (int i = 0; i < 1000; i++) {
		fd = sys_openat2(base, pin->path, O_PATH, 0, BERTH_RESOLVE_BENEATH | BERTH_RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0 && errno == EXDEV)
		return fail("path concatenation escapes the base directory, base: %s, subpath: %s", pin->source, pin->path);
	return fd < 0 ? fail("cannot access path %s/%s: %m", pin->source, pin->path) : fd;
}

/* A place of the source's own kind. */
static int make_place(const char *destination, int source)
{
	struct stat status;
	if (fstat(source, &status) < 0)
		return fail("%s: %m", destination);
	if (S_ISDIR(status.st_mode))
		return mkdir(destination, 0700) < 0 && errno != EEXIST ? fail("%s: %m", destination) : 0;
	cleanup_close int file = open(destination, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return file < 0 ? fail("%s: %m", destination) : 0;
}

/*
 * A detached copy of what another container's process sees at the source: a mount can only be copied in its own namespace.
 * That container may have put anything there, so no symlink is followed.
 */
static int tree_of_process(const struct pin *pin)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pin->process);
	cleanup_close int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	cleanup_close int theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWNS) < 0)
		return fail("mount namespace of process %d: %m", (int)pin->process);
	cleanup_close int source = sys_openat2(AT_FDCWD, pin->source, O_PATH | O_DIRECTORY, 0, BERTH_RESOLVE_NO_SYMLINKS);
	int tree = source < 0 ? -1
			      : sys_open_tree(source, "", BERTH_OPEN_TREE_CLONE | BERTH_OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	int saved = errno;
	if (setns(own, CLONE_NEWNS) < 0)
		die("return to the own mount namespace: %m");
	errno = saved;
	return tree < 0 ? fail("%s of process %d: %m", pin->source, (int)pin->process) : tree;
}

static int attach_tree(const struct pin *pin, int tree)
{
	if (sys_move_mount(tree, "", AT_FDCWD, pin->destination, BERTH_MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail("bind %s: attach: %m", pin->source);
	return 0;
}

static int pin_mount(const struct pin *pin)
{
	if (pin->process > 0) {
		cleanup_close int shared = tree_of_process(pin);
		return shared < 0 || make_place(pin->destination, shared) < 0 ? -1 : attach_tree(pin, shared);
	}
	cleanup_close int source = open_source(pin);
	if (source < 0 || make_place(pin->destination, source) < 0)
		return -1;
	cleanup_close int tree = sys_open_tree(source, "", BERTH_OPEN_TREE_CLONE | BERTH_OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
								   (pin->alone ? 0 : AT_ALL_BELOW));
	if (tree < 0)
		return fail("bind %s: %m", pin->source);
	if (pin->mapped && map_owners(pin, tree) < 0)
		return -1;
	return attach_tree(pin, tree);
}

int pins_mount(const struct config *config)
{
	for (size_t i = 0; i < config->pin_count; i++)
		if (pin_mount(&config->pins[i]) < 0)
			return -1;
	return 0;
}
