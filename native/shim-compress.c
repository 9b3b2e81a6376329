/* Packs rotated logs with gzip(1), which every system has, beside the container and with little priority. */
#include "shim.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct {
	pid_t pid; /* 0: none */
	struct timespec modified;
	char packed[4096];
} state;

NORETURN static void become_gzip(const char *file)
{
	setpriority(PRIO_PROCESS, 0, 10);
	signals_reset();
	execlp("gzip", "gzip", "-nf1", file, (char *)NULL);
	_exit(127);
}

void compress_start(const char *file, const struct timespec *modified)
{
	char plain[4096];
	snprintf(plain, sizeof plain, "%s.1", file);
	snprintf(state.packed, sizeof state.packed, "%s.1.gz", file);
	state.modified = *modified;
	pid_t pid = fork();
	if (pid == 0)
		become_gzip(plain);
	state.pid = pid < 0 ? 0 : pid;
}

static void finish(void)
{
	const struct timespec times[2] = {state.modified, state.modified};
	state.pid = 0;
	utimensat(AT_FDCWD, state.packed, times, 0);
}

bool compress_reaped(pid_t pid)
{
	if (pid == 0 || pid != state.pid)
		return false;
	finish();
	return true;
}

void compress_wait(void)
{
	if (state.pid == 0)
		return;
	while (waitpid(state.pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	finish();
}
