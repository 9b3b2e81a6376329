#include "dns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define LISTENER 3
/* Started, and nobody has spoken to it for so long: left over. */
#define UNUSED_MILLISECONDS 10000

struct dns dns;

void watch_init(struct watch *watch, int fd, void (*handle)(struct watch *, uint32_t))
{
	*watch = (struct watch){.fd = fd, .handle = handle};
}

int watch_set(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	if (watch->registered && watch->events == events)
		return 0;
	if (epoll_ctl(dns.epoll, watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event) < 0)
		return fail("epoll: %m");
	watch->registered = true;
	watch->events = events;
	return 0;
}

void watch_close(struct watch *watch)
{
	if (watch->registered)
		epoll_ctl(dns.epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->registered = false;
	close_fd(&watch->fd);
}

void timer_at(int64_t at)
{
	if (at < dns.next_timer)
		dns.next_timer = at;
}

static int64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Whoever is still interested in timers says so again while looking at them. */
static void timers(void)
{
	if (dns.now < dns.next_timer)
		return;
	dns.next_timer = INT64_MAX;
	state_save_due();
	forward_expire();
	client_expire();
}

/* Clients and forwards point to their container, so they go first. */
static void sweep(void)
{
	if (!dns.dirty)
		return;
	dns.dirty = false;
	forward_sweep();
	client_sweep();
	container_sweep();
	control_sweep();
}

static bool over(int64_t started)
{
	if (dns.containers != NULL || dns.controls != NULL)
		return dns.stop;
	return dns.stop || dns.used || dns.now - started >= UNUSED_MILLISECONDS;
}

static void loop(void)
{
	int64_t started = dns.now = now();
	timer_at(started + UNUSED_MILLISECONDS);
	while (!over(started)) {
		struct epoll_event event;
		int64_t left = dns.next_timer == INT64_MAX ? -1 : dns.next_timer > dns.now ? dns.next_timer - dns.now : 0;
		/* One at a time: whatever handling it frees cannot be in a list of events still to come. */
		int count = epoll_wait(dns.epoll, &event, 1, (int)left);
		dns.now = now();
		if (count == 1) {
			struct watch *watch = event.data.ptr;
			watch->handle(watch, event.events);
		}
		timers();
		sweep();
	}
}

/* As many files as there may be: a few per container, one per query that is under way. */
static void files_raise(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Only its own end, or a request, ends it: what a terminal or an init system sends to everybody does not. */
static void signals_setup(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU};
	signals_reset();
	for (size_t i = 0; i < ARRAY_LENGTH(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

/*
 * It reads what containers send. Left is what takes it into their network namespaces: finding them, entering them, their
 * rules, and port 53 where there can be no rules.
 */
static void capabilities_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	uint32_t kept = 1u << CAP_SYS_PTRACE | 1u << CAP_SYS_ADMIN | 1u << CAP_NET_ADMIN | 1u << CAP_NET_BIND_SERVICE;
	struct __user_cap_data_struct held[2], data[2] = {{0}};
	if (syscall(SYS_capget, &header, held) < 0)
		die("capabilities: %m");
	data[0].permitted = data[0].effective = held[0].permitted & kept;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, data) < 0)
		die("capabilities: %m");
}

/* Waits for an earlier resolver of this directory, which is about to end: nobody accepts connections there any more. */
static void lock(void)
{
	int fd = open("lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		die("%s/lock: %m", dns.directory);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: berth-dns DIRECTORY");
	dns.directory = argv[1];
	dns.next_timer = INT64_MAX;
	umask(077);
	if (chdir(dns.directory) < 0)
		die("%s: %m", dns.directory);
	if (fcntl(LISTENER, F_SETFD, FD_CLOEXEC) < 0)
		die("no listening socket at descriptor %d", LISTENER);
	signals_setup();
	files_raise();
	capabilities_drop();
	lock();
	dns.epoll = epoll_create1(EPOLL_CLOEXEC);
	dns.home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (dns.epoll < 0 || dns.home < 0)
		die("set-up: %m");
	if (state_restore() < 0)
		dprintf(STDERR_FILENO, "berth-dns: %s\n", failure());
	control_listen(LISTENER);
	loop();
	return unlink("state") < 0 && errno != ENOENT;
}
