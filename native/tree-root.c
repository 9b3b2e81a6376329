/* Where a tree is seen from: another process' mount namespace, a private overlay with its binds, or a plain directory. */
#include "mount.h"
#include "tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* By pidfd, so that a process with the same number but another start time is never entered. */
static int join(pid_t pid, uint64_t start)
{
	cleanup_close int pidfd = sys_pidfd_open(pid);
	if (pidfd < 0)
		return fail("process %d: %m", (int)pid);
	if (start != 0 && process_start_time(pid) != start) {
		errno = ESRCH;
		return fail("process %d: %m", (int)pid);
	}
	return setns(pidfd, CLONE_NEWNS) < 0 ? fail("join the mount namespace of process %d: %m", (int)pid) : 0;
}

/* Symlinks of whoever writes to it lead nowhere but to places below it. */
static int open_source(const struct tree_bind *bind)
{
	cleanup_close int base = open(bind->source, O_PATH | O_CLOEXEC);
	if (base < 0 || bind->below == NULL)
		return take_fd(&base);
	int fd = -1;
	for (int i = 0; i < 1000; i++) {
		fd = sys_openat2(base, bind->below, O_PATH, 0, BERTH_RESOLVE_BENEATH | BERTH_RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

/* The mount point of a bind, made where it is missing as the runtime would do it. */
static int open_mount_point(int root, const struct tree_bind *bind, int pinned)
{
	struct stat source;
	int fd = resolve(root, bind->destination, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (fstat(pinned, &source) < 0)
		return -1;
	cleanup_free char *path = strdup(bind->destination);
	if (path == NULL)
		return -1;
	char *name = strrchr(path, '/');
	if (name == NULL || name[1] == '\0') {
		errno = EINVAL;
		return -1;
	}
	*name++ = '\0';
	struct place place = {.root = root, .base = "/", .base_fd = root, .known_fd = -1};
	int parent = place_directory(&place, path + strspn(path, "/"), true);
	if (parent >= 0 && S_ISDIR(source.st_mode)) {
		if (mkdirat(parent, name, 0755) == 0 || errno == EEXIST)
			fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} else if (parent >= 0) {
		cleanup_close int made = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (made >= 0)
			fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	place_forget(&place);
	return fd;
}

/* What cannot be mounted is not there: the runtime says so of a container that is to start. */
static bool same_kind(int source, int target)
{
	struct stat from, to;
	return fstat(source, &from) == 0 && fstat(target, &to) == 0 && S_ISDIR(from.st_mode) == S_ISDIR(to.st_mode);
}

static int mount_binds(int root, const struct tree_options *options)
{
	for (size_t i = 0; i < options->binds_count; i++) {
		const struct tree_bind *bind = &options->binds[i];
		cleanup_close int source = open_source(bind);
		if (source < 0)
			return fail("%s: %m", bind->source);
		cleanup_close int target = open_mount_point(root, bind, source);
		if (target < 0)
			return fail("mount point %s: %m", bind->destination);
		if (!same_kind(source, target))
			continue;
		char pinned[64];
		snprintf(pinned, sizeof pinned, "/proc/self/fd/%d", source);
		if (mount_bind(pinned, target, true, bind->read_only) < 0)
			return -1;
	}
	return 0;
}

/*
 * The overlay lies on a tmpfs that hides the upper directory's path, in a namespace of our own. For reading, the real
 * upper directory is the topmost lower one and the writable one is on that tmpfs: nothing of the container changes, and
 * a work directory that another mount uses, or left behind after a volatile one, does not matter.
 */
static int mount_private_overlay(const struct tree_options *options)
{
	static const char *const scratch_options[] = {"mode", "0755", NULL};
	char upper[64], scratch_upper[64], scratch_work[64];
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail("make a mount namespace: %m");
	cleanup_close int upper_fd = open(options->upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (upper_fd < 0)
		return fail("%s: %m", options->upper);
	if (mount_plain("tmpfs", scratch_options, upper_fd) < 0)
		return -1;
	cleanup_close int scratch = open(options->upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (scratch < 0 || mkdirat(scratch, "root", 0755) < 0 || mkdirat(scratch, "upper", 0755) < 0 ||
	    mkdirat(scratch, "work", 0755) < 0)
		return fail("scratch directory: %m");

	snprintf(upper, sizeof upper, "/proc/self/fd/%d", upper_fd);
	snprintf(scratch_upper, sizeof scratch_upper, "/proc/self/fd/%d/upper", scratch);
	snprintf(scratch_work, sizeof scratch_work, "/proc/self/fd/%d/work", scratch);
	cleanup_free const char **lower = calloc(options->lowers + 1, sizeof *lower);
	if (lower == NULL)
		return fail("%m");
	memcpy(lower + 1, options->lower, options->lowers * sizeof *lower);
	/* Without layers an empty directory takes their place: overlayfs wants one. */
	lower[0] = options->write ? scratch_upper : upper;
	size_t first = options->write && options->lowers > 0;
	struct overlay overlay = {lower + first, options->lowers + 1 - first, scratch_upper, scratch_work};
	if (options->write) {
		overlay.upper = upper;
		overlay.work = options->work;
	}
	cleanup_close int target = openat(scratch, "root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return fail("scratch directory: %m");
	if (mount_overlay(&overlay, target, 0) < 0)
		return -1;
	cleanup_close int root = openat(scratch, "root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return fail("private overlay: %m");
	return mount_binds(root, options) < 0 ? -1 : take_fd(&root);
}

static int open_plain(const char *root)
{
	int fd = open(root == NULL ? "/" : root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail("%s: %m", root == NULL ? "/" : root) : fd;
}

int open_root(const struct tree_options *options)
{
	cleanup_close int proc = pin_proc();
	if (proc < 0)
		return -1;
	if (options->join != 0 && join(options->join, options->join_start) < 0)
		return -1;
	cleanup_close int root = options->upper != NULL ? mount_private_overlay(options) : open_plain(options->root);
	if (root < 0)
		return -1;
	/* Joining has changed the working directory; only now is it ours to choose. */
	return fchdir(proc) < 0 ? fail("/proc/self/fd: %m") : take_fd(&root);
}
