/* The helper's cheap operations, and the table of all. */
#include "helper.h"
#include "mount.h"
#include "tree-remove.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static int op_ping(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)request;
	return reply_field(reply, BERTH_HELPER_VERSION, strlen(BERTH_HELPER_VERSION));
}

static int op_mount_erofs(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	char **fields = request->fields;
	cleanup_close int target = open_target(fields[2]);
	return target < 0 ? -1 : mount_erofs(fields[0], fields[1], target);
}

static int op_mount_view(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	struct overlay overlay = {.lower = (const char *const *)request->fields + 1, .lowers = request->count - 1};
	cleanup_close int target = open_target(request->fields[0]);
	if (target < 0)
		return -1;
	if (overlay.lowers == 1)
		return mount_bind(overlay.lower[0], target, false, true);
	return mount_overlay(&overlay, target, BERTH_MOUNT_ATTR_NOSUID | BERTH_MOUNT_ATTR_NODEV);
}

/* What is no mount (EINVAL) or missing has been unmounted before: both are success. */
static int op_umount(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	const char *target = request->fields[0];
	if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return fail("%m");
	if (rmdir(target) < 0 && errno != ENOENT)
		return fail("remove directory: %m");
	return 0;
}

static int op_remove_tree(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	const char *path = request->fields[0];
	cleanup_free char *parent = strdup(path), *name = strdup(path);
	if (parent == NULL || name == NULL)
		return fail("%m");
	cleanup_close int at = open(dirname(parent), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return errno == ENOENT ? 0 : fail("open parent: %m");
	return remove_at(at, basename(name));
}

static int op_syncfs(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	cleanup_close int fd = open(request->fields[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || syncfs(fd) < 0)
		return fail("%m");
	return 0;
}

/* By pidfd: opened first, compared then, it cannot be another process any more when the signal is sent. */
static int op_kill(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	uint64_t pid, start, number;
	if (parse_number(request->fields[0], INT_MAX, &pid) < 0 ||
	    parse_number(request->fields[1], UINT64_MAX, &start) < 0 ||
	    parse_number(request->fields[2], _NSIG - 1, &number) < 0 || pid == 0)
		return fail("%m");
	cleanup_close int pidfd = sys_pidfd_open((pid_t)pid);
	if (pidfd < 0)
		return fail("%m");
	if (process_start_time((pid_t)pid) != start) {
		errno = ESRCH;
		return fail("another process has this number");
	}
	return sys_pidfd_send_signal(pidfd, (int)number) < 0 ? fail("%m") : 0;
}

/*
 * Who is at the other end of a unix socket of the daemon, our parent, by the descriptor that it has there: Node has no
 * getsockopt(2).
 */
static int op_peer(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	uint64_t number;
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (parse_number(request->fields[0], INT_MAX, &number) < 0)
		return fail("%m");
	cleanup_close int daemon = sys_pidfd_open(getppid());
	if (daemon < 0)
		return fail("%m");
	cleanup_close int fd = (int)syscall(SYS_pidfd_getfd, daemon, (int)number, 0);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return fail("%m");
	return buffer_printf(reply, "%d%c%u%c%u%c", peer.pid, 0, peer.uid, 0, peer.gid, 0);
}

/* Not below mnt, which shims detach: they need it for as long as they run the OCI runtime. */
static int op_mount_cgroup_hugetlb(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)request;
	(void)reply;
	static const char *const options[] = {"hugetlb", "", NULL};
	cleanup_buffer struct buffer path = {0};
	struct stat root, parent;
	if (buffer_printf(&path, "%s/hugetlb", helper->root) < 0)
		return fail("hugetlb: %m");
	cleanup_close int target = open_target(path.data);
	if (target < 0)
		return -1;
	if (fstat(target, &root) < 0 || stat(helper->root, &parent) < 0)
		return fail("%s: %m", path.data);
	return root.st_dev != parent.st_dev ? 0 : mount_plain("cgroup", options, target);
}

static const struct operation operations[] = {
	{"ping", 0, 0, false, op_ping},
	{"spawn-shim", 1, 1, false, op_spawn_shim},
	{"spawn-dns", 2, 2, false, op_spawn_dns},
	{"mount-erofs", 3, 3, false, op_mount_erofs},
	{"mount-view", 2, 501, false, op_mount_view},
	{"mount-cgroup-hugetlb", 0, 0, false, op_mount_cgroup_hugetlb},
	{"umount", 1, 1, false, op_umount},
	{"lock", 1, 1, false, op_lock},
	{"remove-tree", 1, 1, true, op_remove_tree},
	{"syncfs", 1, 1, true, op_syncfs},
	{"run", 2, 4096, true, op_run},
	{"kill", 3, 3, false, op_kill},
	{"peer", 1, 1, false, op_peer},
	{"probe", 6, 32, true, op_probe},
	{"mount-volume", 5, 5, true, op_mount_volume},
	{"copy-mount", 4, 4, true, op_copy_mount},
	{"limit-size", 3, 3, true, op_limit_size},
};

const struct operation *find_operation(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(operations); i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	return NULL;
}
