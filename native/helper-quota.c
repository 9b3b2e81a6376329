/* The size of a directory tree, limited by a project quota of its filesystem (ext4, XFS; quotactl(2)). */
#include "helper.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#define PROJECTS 2 /* PRJQUOTA */

/* Everything made below it from now on belongs to the project too. */
static int join_project(int fd, uint32_t project)
{
	struct fsxattr attributes;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
		return -1;
	attributes.fsx_projid = project;
	attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	return ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
}

/* DIRECTORY PROJECT BYTES: a limit for the empty directory; 0 bytes: none. */
int op_limit_size(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	uint64_t project, bytes;
	if (parse_number(request->fields[1], UINT32_MAX, &project) < 0 ||
	    parse_number(request->fields[2], INT64_MAX, &bytes) < 0)
		return fail("%m");
	cleanup_close int fd = open(request->fields[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail("%m");
	struct if_dqblk limit = {.dqb_bhardlimit = (bytes + 1023) / 1024, .dqb_valid = QIF_BLIMITS};
	limit.dqb_bsoftlimit = limit.dqb_bhardlimit;
	if (syscall(SYS_quotactl_fd, fd, QCMD(Q_SETQUOTA, PROJECTS), (uint32_t)project, &limit) < 0)
		return fail("its filesystem has no project quotas (mount it with prjquota): %m");
	if (bytes > 0 && join_project(fd, (uint32_t)project) < 0)
		return fail("project of the directory: %m");
	return 0;
}
