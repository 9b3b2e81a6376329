/* The lock of a data root: held by the helper's open file for as long as the helper, and so its daemon, lives. */
#include "helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>

/* The file says who holds it: the daemon's pid and the helper's. */
static bool read_holder(int fd, int *daemon, int *helper)
{
	char text[64];
	ssize_t length = pread(fd, text, sizeof text - 1, 0);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return sscanf(text, "%d %d", daemon, helper) == 2 && *daemon > 0 && *helper > 0;
}

/* A daemon that was killed leaves a helper that is about to end: waits for that, up to five seconds. */
static bool await_orphan(int daemon, int helper)
{
	if (kill(daemon, 0) == 0 || errno != ESRCH)
		return false;
	cleanup_close int pidfd = sys_pidfd_open(helper);
	if (pidfd < 0)
		return errno == ESRCH;
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	return poll(&ended, 1, 5000) == 1;
}

int op_lock(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	(void)reply;
	const char *path = request->fields[0];
	int daemon = 0, other = 0;
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail("%m");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return fail("%m");
		bool known = read_holder(fd, &daemon, &other);
		if (!known || !await_orphan(daemon, other) || flock(fd, LOCK_EX | LOCK_NB) < 0) {
			errno = EWOULDBLOCK;
			return known ? fail("%s is locked by process %d", path, daemon) : fail("%s is locked", path);
		}
	}
	char text[64];
	int length = snprintf(text, sizeof text, "%d %d\n", (int)getppid(), (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
		return fail("%m");
	(void)take_fd(&fd); /* kept until the helper ends */
	return 0;
}
