#include "shim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LISTENER 3
/* A shim that was never started and that no daemon speaks to for so long is left over. */
#define IDLE_MILLISECONDS 60000

struct shim shim;

/* An exit seen before the runtime told us the pid it belongs to. */
struct orphan {
	pid_t pid;
	int status;
};

void watch_init(struct watch *watch, int fd, void (*handle)(struct watch *, uint32_t))
{
	*watch = (struct watch){.fd = fd, .handle = handle};
}

void watch_set(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	if (watch->fd < 0 || (watch->registered && watch->events == events))
		return;
	if (epoll_ctl(shim.epoll, watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event) < 0)
		return; /* out of memory, or a file that cannot be waited for (/dev/null): never ready */
	watch->registered = true;
	watch->events = events;
}

void watch_pause(struct watch *watch)
{
	if (watch->registered)
		epoll_ctl(shim.epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->registered = false;
}

void watch_close(struct watch *watch)
{
	watch_pause(watch);
	close_fd(&watch->fd);
}

static void finish(void)
{
	net_silence(&shim.config.net);
	rootfs_unmount(&shim.config);
	if (!shim.discard) {
		exit_record_sync(&shim.config);
		log_sync();
	}
	watch_close(&shim.listener);
	client_finish_watchers();
	shim.phase = PHASE_DONE;
}

/*
 * The runtime deletes what it knows when no other call of it works on the container: one that just moves an exec into the
 * control groups would keep them from being removed. The shim ends once nothing runs any more.
 */
static void advance(void)
{
	if (shim.phase != PHASE_ENDING || shim.deleting != 0)
		return;
	bool running = false;
	for (struct process *process = shim.processes; process != NULL; process = process->next) {
		if (process->state == PROCESS_STARTING)
			return;
		if (process->state != PROCESS_RUNNING)
			continue;
		/* Execs in a private pid namespace are dead by now; those of other containers must not stay behind. */
		if (process != shim.init)
			kill(process->pid, SIGKILL);
		running = true;
	}
	if (!shim.deleted) {
		shim.deleted = true;
		shim.deleting = runtime_delete();
	}
	if (!running && shim.deleting == 0)
		finish();
}

void shim_end(void)
{
	shim.phase = PHASE_ENDING;
	watch_close(&shim.oom);
	log_finish();
}

static struct process *process_of(pid_t pid)
{
	for (struct process *process = shim.processes; process != NULL; process = process->next)
		if (process->pid == pid && process->state == PROCESS_RUNNING)
			return process;
	return NULL;
}

static bool runtime_busy(void)
{
	for (struct process *process = shim.processes; process != NULL; process = process->next)
		if (process->runtime != 0)
			return true;
	return false;
}

/* Orphans that turned out to be ours, after a call of the runtime has ended. */
static void claim_orphans(void)
{
	struct orphan *orphans = (struct orphan *)shim.orphans.data;
	size_t count = shim.orphans.length / sizeof *orphans;
	for (size_t i = 0; i < count; i++) {
		struct process *process = process_of(orphans[i].pid);
		if (process != NULL)
			process_exited(process, orphans[i].status);
	}
	if (!runtime_busy())
		buffer_free(&shim.orphans);
}

static void reaped(pid_t pid, int status)
{
	struct process *process = process_of(pid);
	if (process != NULL) {
		process_exited(process, status);
	} else if (pid == shim.deleting) {
		shim.deleting = 0;
	} else if (compress_reaped(pid)) {
		return;
	} else if (runtime_reaped(pid, status)) {
		claim_orphans();
	} else if (runtime_busy()) {
		struct orphan orphan = {pid, status};
		/* Without memory an exec's exit would be missed; its state then stays running until the end. */
		buffer_append(&shim.orphans, &orphan, sizeof orphan);
	}
}

static void on_signal(struct watch *watch, uint32_t events)
{
	(void)events;
	struct signalfd_siginfo info;
	while (read(watch->fd, &info, sizeof info) > 0)
		continue;
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		reaped(pid, status);
}

/* The shim ends by itself only: what a terminal or an init system sends to everybody must not orphan a container. */
static int signals_setup(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU};
	sigset_t child;
	for (size_t i = 0; i < ARRAY_LENGTH(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	int fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return fail("signalfd: %m");
	watch_init(&shim.signals, fd, on_signal);
	watch_set(&shim.signals, EPOLLIN);
	return 0;
}

/*
 * Nothing depends on who started it. 0, 1 and 2 must exist, or the next files opened would become somebody's
 * standard output.
 */
static int surroundings_setup(void)
{
	umask(022);
	if (chdir("/") < 0)
		return fail("/: %m");
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return fail("/dev/null: %m");
	if (fcntl(LISTENER, F_SETFD, FD_CLOEXEC) < 0)
		return fail("no listening socket at descriptor %d", LISTENER);
	shim.epoll = epoll_create1(EPOLL_CLOEXEC);
	return shim.epoll < 0 ? fail("epoll: %m") : 0;
}

static int container_setup(const char *directory)
{
	struct config *config = &shim.config;
	if (config_read(directory, config) < 0)
		return -1;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return fail("become a subreaper: %m");
	if (config->log != NULL && log_open(config) < 0)
		return -1;
	shim.init = process_new("init", config->tty);
	if (shim.init == NULL)
		return fail("no memory");
	if (rootfs_mount(config) < 0 || net_enter(&config->net) < 0)
		return -1;
	return 0;
}

static bool ends(bool timed_out)
{
	switch (shim.phase) {
	case PHASE_BROKEN:
		/* The daemon that asked for it has been told. */
		return timed_out || client_watched();
	case PHASE_READY:
		return timed_out;
	case PHASE_DONE:
		return !client_pending();
	case PHASE_STARTED:
	case PHASE_ENDING:
		return false;
	}
	return false;
}

static void loop(void)
{
	bool timed_out = false;
	while (!ends(timed_out)) {
		struct epoll_event event;
		bool idle = shim.phase <= PHASE_READY && !client_any();
		/* One at a time: whatever handling it frees cannot be in a list of events still to come. */
		int count = epoll_wait(shim.epoll, &event, 1, idle ? IDLE_MILLISECONDS : -1);
		timed_out = count == 0;
		if (count == 1) {
			struct watch *watch = event.data.ptr;
			watch->handle(watch, event.events);
		}
		advance();
		client_sweep();
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: berth-shim DIRECTORY");
	watch_init(&shim.oom, -1, NULL);
	if (surroundings_setup() < 0 || signals_setup() < 0)
		die("%s", failure());
	if (container_setup(argv[1]) < 0) {
		shim.phase = PHASE_BROKEN;
		client_event(true, "error %s", failure());
	} else {
		shim.phase = PHASE_READY;
		client_event(true, "ready");
	}
	client_listen(LISTENER);
	loop();
	/* The next life of the container rotates the same files. */
	compress_wait();
	return 0;
}
