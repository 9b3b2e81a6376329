/* Filesystems of volumes, mounted in the helper's namespace only. All in a forked child: servers and devices may hang. */
#include "helper.h"
#include "mount.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>

/* Descriptors of all processes are open to us; none of the namespaces is left by the child that changes its own. */
static int enter_mounts_of(pid_t pid, uint64_t start)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
	cleanup_close int namespace = open(path, O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		return fail("mount namespace of process %d: %m", (int)pid);
	if (process_start_time(pid) != start) {
		errno = ESRCH;
		return fail("another process has this number");
	}
	return setns(namespace, CLONE_NEWNS) < 0 ? fail("mount namespace of process %d: %m", (int)pid) : 0;
}

/* TARGET TYPE SOURCE FLAGS DATA, as mount(2) takes them. A bind takes its other flags in a second call. */
int op_mount_volume(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	char **fields = request->fields;
	const char *target = fields[0], *source = fields[2], *data = fields[4][0] == '\0' ? NULL : fields[4];
	uint64_t flags;
	if (parse_number(fields[3], ULONG_MAX, &flags) < 0)
		return fail("flags: %m");
	bool bind = (flags & MS_BIND) != 0;
	cleanup_close int place = open_target(target);
	if (place < 0)
		return -1;
	unsigned long first = bind ? (unsigned long)flags & (MS_BIND | MS_REC) : (unsigned long)flags;
	if (mount(source, target, fields[1], first, bind ? NULL : data) < 0)
		return fail("%m");
	unsigned long rest = (unsigned long)flags & ~(unsigned long)(MS_REC | MS_SILENT);
	if (!bind || rest == MS_BIND)
		return 0;
	if (mount(NULL, target, NULL, MS_REMOUNT | rest, NULL) == 0)
		return 0;
	int saved = errno;
	umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
	errno = saved;
	return fail("%m");
}

/* PID STARTTIME SOURCE TARGET: SOURCE as that process sees it, also mounted at TARGET here. */
int op_copy_mount(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	char **fields = request->fields;
	uint64_t pid, start;
	if (parse_number(fields[0], INT_MAX, &pid) < 0 || parse_number(fields[1], UINT64_MAX, &start) < 0)
		return fail("%m");
	cleanup_close int target = open_target(fields[3]);
	cleanup_close int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (target < 0 || own < 0)
		return target < 0 ? -1 : fail("/proc/self/ns/mnt: %m");
	if (enter_mounts_of((pid_t)pid, start) < 0)
		return -1;
	cleanup_close int tree =
		sys_open_tree(AT_FDCWD, fields[2], BERTH_OPEN_TREE_CLONE | BERTH_OPEN_TREE_CLOEXEC | 0x8000 /* AT_RECURSIVE */);
	if (tree < 0)
		return fail("%m");
	if (setns(own, CLONE_NEWNS) < 0)
		return fail("return to the own mount namespace: %m");
	if (sys_move_mount(tree, "", target, "", BERTH_MOVE_MOUNT_F_EMPTY_PATH | BERTH_MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail("attach: %m");
	return 0;
}
