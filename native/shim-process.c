/* The container's process and its execs: their streams between the kernel, the log and the clients. */
#include "shim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static void on_input(struct watch *watch, uint32_t events);
static void on_stdout(struct watch *watch, uint32_t events);
static void on_stderr(struct watch *watch, uint32_t events);

struct process *process_new(const char *id, bool tty)
{
	struct process *process = calloc(1, sizeof *process);
	if (process == NULL)
		return NULL;
	snprintf(process->id, sizeof process->id, "%s", id);
	process->tty = tty;
	process->console = -1;
	watch_init(&process->in, -1, on_input);
	watch_init(&process->out[0], -1, on_stdout);
	watch_init(&process->out[1], -1, on_stderr);
	struct process **last = &shim.processes;
	while (*last != NULL)
		last = &(*last)->next;
	*last = process;
	return process;
}

struct process *process_find(const char *id)
{
	for (struct process *process = shim.processes; process != NULL; process = process->next)
		if (strcmp(process->id, id) == 0)
			return process;
	return NULL;
}

static void close_all(struct process *process)
{
	watch_close(&process->in);
	watch_close(&process->out[0]);
	watch_close(&process->out[1]);
	close_fd(&process->console);
}

void process_free(struct process *process)
{
	struct process **at = &shim.processes;
	while (*at != process)
		at = &(*at)->next;
	*at = process->next;
	close_all(process);
	free(process);
}

/* A pipe; our end never blocks. `ours` is 0 to read or 1 to write. */
static int make_pipe(struct watch *watch, int *theirs, int ours)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail("pipe: %m");
	watch->fd = ends[ours];
	*theirs = ends[1 - ours];
	return fcntl(watch->fd, F_SETFL, O_NONBLOCK) < 0 ? fail("pipe: %m") : 0;
}

static int prepare_pipes(struct process *process, const bool wanted[3], int child[3])
{
	if (wanted[0] && make_pipe(&process->in, &child[0], 1) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (wanted[i + 1] && make_pipe(&process->out[i], &child[i + 1], 0) < 0)
			return -1;
	return 0;
}

static int prepare_console(struct process *process)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct call_file file;
	if (snprintf(address.sun_path, sizeof address.sun_path, "%s", call_file(&file, 't', process->call)) >=
	    (int)sizeof address.sun_path)
		return fail("%s is too long for a socket", file.path);
	unlink(address.sun_path);
	process->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (process->console < 0 || bind(process->console, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(process->console, 1) < 0)
		return fail("%s: %m", address.sun_path);
	return 0;
}

int process_prepare(struct process *process, const bool wanted[3], int child[3])
{
	process->call = ++shim.calls;
	if ((process->tty ? prepare_console(process) : prepare_pipes(process, wanted, child)) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (child[i] < 0 && (child[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
			return fail("/dev/null: %m");
	return 0;
}

/* The terminal's master, which the runtime has sent by now. */
static int receive_console(int listener)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char name[256];
	struct iovec text = {name, sizeof name};
	struct msghdr message = {
		.msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	cleanup_close int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (peer < 0 || recvmsg(peer, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return -1;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
		errno = ENODATA;
		return -1;
	}
	int terminal;
	memcpy(&terminal, CMSG_DATA(header), sizeof terminal);
	return terminal;
}

/* Two descriptors of the terminal, since reading and writing are waited for separately. */
static void adopt_console(struct process *process)
{
	int terminal = receive_console(process->console);
	close_fd(&process->console);
	if (terminal < 0)
		return;
	fcntl(terminal, F_SETFL, O_NONBLOCK);
	process->out[0].fd = terminal;
	process->in.fd = fcntl(terminal, F_DUPFD_CLOEXEC, 0);
	if (process->rows != 0)
		process_resize(process, process->rows, process->columns);
}

void process_started(struct process *process, pid_t pid)
{
	struct timespec now;
	process->pid = pid;
	process->state = PROCESS_RUNNING;
	if (process->tty)
		adopt_console(process);
	if (process == shim.init) {
		oom_watch(&shim.config);
		clock_gettime(CLOCK_REALTIME, &now);
		client_event(true, "started %d %llu %lld.%09ld", (int)pid, (unsigned long long)process_start_time(pid),
			     (long long)now.tv_sec, now.tv_nsec);
	} else {
		client_event(true, "exec-started %s %d", process->id, (int)pid);
	}
	if (process->requester != NULL)
		client_started(process->requester, process);
	process->requester = NULL;
	if (process->signal_at_start != 0)
		kill(pid, process->signal_at_start);
	process_flow(process);
	process_feed(process);
}

/* Ends what clients hear of the process; an exec is forgotten, the container's own process stays as a record. */
static void process_end(struct process *process)
{
	process->state = PROCESS_ENDED;
	close_all(process);
	client_finish(process);
	if (process != shim.init)
		process_free(process);
}

void process_failed(struct process *process, const char *text)
{
	if (process == shim.init)
		client_event(true, "failed %s", text);
	else
		client_event(false, "exec-failed %s %s", process->id, text);
	if (process->requester != NULL)
		client_reply(process->requester, "error %s", text);
	process->requester = NULL;
	bool init = process == shim.init;
	process_end(process);
	if (init)
		shim_end();
}

static ssize_t process_read(struct process *process, int stream)
{
	ssize_t got = read(process->out[stream].fd, shim.io, sizeof shim.io);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		/* A terminal whose other side is closed everywhere says EIO. */
		watch_close(&process->out[stream]);
		return 0;
	}
	if (process == shim.init)
		log_write(stream + 1, shim.io, (size_t)got);
	client_output(process, stream + 1, shim.io, (size_t)got);
	return got;
}

/*
 * What is in the pipe at the end, and no more: a process elsewhere may hold the other end for ever, so it is not
 * waited for, and it may write for ever, so no more than a pipe holds is read.
 */
static void process_drain(struct process *process, int stream)
{
	if (process->out[stream].fd < 0)
		return;
	int capacity = fcntl(process->out[stream].fd, F_GETPIPE_SZ);
	ssize_t left = capacity > 0 ? capacity : IO_SIZE, got;
	while (left > 0 && (got = process_read(process, stream)) > 0)
		left -= got;
}

static void init_exited(int code, const struct timespec *at)
{
	bool oom = oom_killed(&shim.config);
	log_finish();
	exit_record_write(&shim.config, code, oom, at);
	client_event(true, "exit %d %d %lld.%09ld", code, oom, (long long)at->tv_sec, at->tv_nsec);
	process_end(shim.init);
	shim_end();
}

void process_exited(struct process *process, int status)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	process->state = PROCESS_ENDED;
	process_drain(process, 0);
	process_drain(process, 1);
	if (process == shim.init) {
		init_exited(code, &now);
		return;
	}
	/* A watcher that hears it now needs no replay; without one it is kept for the next. */
	bool heard = client_watched();
	client_event(!heard, "exec-exit %s %d", process->id, code);
	if (heard)
		client_forget_events(process->id);
	process_end(process);
}

static void on_input(struct watch *watch, uint32_t events)
{
	(void)events;
	process_feed(OWNER(watch, struct process, in));
}

static void on_stdout(struct watch *watch, uint32_t events)
{
	(void)events;
	struct process *process = OWNER(watch, struct process, out[0]);
	process_read(process, 0);
	process_flow(process);
}

static void on_stderr(struct watch *watch, uint32_t events)
{
	(void)events;
	struct process *process = OWNER(watch, struct process, out[1]);
	process_read(process, 1);
	process_flow(process);
}

void process_flow(struct process *process)
{
	for (int stream = 0; stream < 2; stream++) {
		if (process->out[stream].fd < 0 || process->state != PROCESS_RUNNING)
			continue;
		if (client_clogged(process, stream + 1))
			watch_pause(&process->out[stream]);
		else
			watch_set(&process->out[stream], EPOLLIN);
	}
}

void process_feed(struct process *process)
{
	if (process->state != PROCESS_RUNNING)
		return;
	if (client_feed(process))
		watch_pause(&process->in);
	else
		watch_set(&process->in, EPOLLOUT);
}

void process_close_stdin(struct process *process)
{
	/* A terminal has no end of input. */
	if (!process->tty)
		watch_close(&process->in);
}

int process_resize(struct process *process, unsigned short rows, unsigned short columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};
	process->rows = rows;
	process->columns = columns;
	if (process->out[0].fd < 0)
		return 0;
	return ioctl(process->out[0].fd, TIOCSWINSZ, &size);
}
