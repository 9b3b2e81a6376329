/* The end of the process: was it out of memory, and the record that survives. */
#include "shim.h"

#include <fcntl.h>
#include <libgen.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

/* v2 counts in memory.events, v1 (since Linux 4.13) in memory.oom_control; both as a line "oom_kill N". */
static const char *counter_file(const struct config *config)
{
	return config->cgroup_v1 ? "memory.oom_control" : "memory.events";
}

static uint64_t read_counter(int directory, const char *name)
{
	cleanup_free char *text = read_file(directory, name, 4096, NULL);
	char *cursor = text;
	for (char *line; (line = next_line(&cursor)) != NULL;)
		if (strncmp(line, "oom_kill ", strlen("oom_kill ")) == 0)
			return strtoull(line + strlen("oom_kill "), NULL, 10);
	return 0;
}

bool oom_killed(const struct config *config)
{
	if (config->cgroup == NULL)
		return false;
	cleanup_close int directory = open(config->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return shim.oom_seen || (directory >= 0 && read_counter(directory, counter_file(config)) > 0);
}

static void report(void)
{
	/* Kept once: a container that kills its children again and again must not grow the history. */
	client_event(!shim.oom_seen, "oom");
	shim.oom_seen = true;
}

/* v1 announces that memory ran out before it kills, and once more when the cgroup is removed. */
static void on_v1(struct watch *watch, uint32_t events)
{
	(void)events;
	uint64_t count;
	if (read(watch->fd, &count, sizeof count) < 0)
		return;
	if (access(shim.config.cgroup, F_OK) == 0)
		report();
}

/* v2 announces every change of the file, reading it waits for the next. */
static void on_v2(struct watch *watch, uint32_t events)
{
	static uint64_t known;
	(void)events;
	char text[4096];
	ssize_t length = pread(watch->fd, text, sizeof text - 1, 0);
	if (length <= 0) {
		watch_close(watch);
		return;
	}
	text[length] = '\0';
	const char *line = strstr(text, "\noom_kill ");
	uint64_t count = line == NULL ? 0 : strtoull(line + strlen("\noom_kill "), NULL, 10);
	if (count > known)
		report();
	known = count;
}

static int watch_v1(int directory)
{
	char text[64];
	cleanup_close int counter = openat(directory, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	cleanup_close int control = openat(directory, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
	cleanup_close int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (counter < 0 || control < 0 || event < 0)
		return -1;
	int length = snprintf(text, sizeof text, "%d %d", event, counter);
	if (write_all(control, text, (size_t)length) < 0)
		return -1;
	return take_fd(&event);
}

void oom_watch(const struct config *config)
{
	if (config->cgroup == NULL)
		return;
	cleanup_close int directory = open(config->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return; /* the process has ended already, or has no memory controller */
	if (config->cgroup_v1) {
		watch_init(&shim.oom, watch_v1(directory), on_v1);
		watch_set(&shim.oom, EPOLLIN);
	} else {
		watch_init(&shim.oom, openat(directory, "memory.events", O_RDONLY | O_CLOEXEC), on_v2);
		watch_set(&shim.oom, EPOLLPRI);
		if (shim.oom.fd >= 0)
			on_v2(&shim.oom, 0);
	}
}

void exit_record_write(const struct config *config, int code, bool oom, const struct timespec *at)
{
	char text[64], aside[4096];
	int length = snprintf(text, sizeof text, "%d %d %lld.%09ld\n", code, oom, (long long)at->tv_sec, at->tv_nsec);
	snprintf(aside, sizeof aside, "%s.new", config->exit_record);
	cleanup_close int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	/* Failing here leaves no record: the daemon then knows that it does not know. */
	if (fd < 0 || write_all(fd, text, (size_t)length) < 0 || rename(aside, config->exit_record) < 0)
		unlink(aside);
}

static void sync_path(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

void exit_record_sync(const struct config *config)
{
	char path[4096];
	snprintf(path, sizeof path, "%s", config->exit_record);
	sync_path(path);
	sync_path(dirname(path));
}
