/*
 * berth-helper EXEC_ROOT SHIM_PATH (PROTOCOL.md §1): the daemon's hands in the kernel. One thread, one poll loop;
 * cheap operations run in line, those that may block in a forked child whose reply comes back through a pipe.
 */
#include "helper.h"
#include "mount.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define REQUEST_MOST (16u << 20)
#define TASKS_MOST 256
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* A request that a child works on; its reply (without the header) arrives through `pipe`. */
struct task {
	uint32_t id;
	int pipe;
	struct buffer reply;
};

struct loop {
	struct helper helper;
	int signals;
	struct buffer input;
	struct task tasks[TASKS_MOST];
	size_t tasks_count;
};

int reply_field(struct buffer *reply, const char *data, size_t length)
{
	if (buffer_reserve(reply, length + 1) < 0)
		return fail("reply: %m");
	for (size_t i = 0; i < length; i++)
		reply->data[reply->length++] = data[i] == '\0' ? ' ' : data[i];
	reply->data[reply->length++] = '\0';
	return 0;
}

/* `body` is the error number and the fields. A daemon that is gone ends the helper. */
static void send_reply(uint32_t id, const void *body, size_t length)
{
	uint32_t header[2] = {(uint32_t)(length + sizeof id), id};
	if (write_all(STDOUT_FILENO, header, sizeof header) < 0 || write_all(STDOUT_FILENO, body, length) < 0)
		die("reply: %m");
}

/* Runs the operation into `body`: error number, then fields. */
static void perform(const struct operation *operation, const struct helper *helper, const struct request *request,
		    struct buffer *body)
{
	uint32_t error = 0;
	body->length = 0;
	if (buffer_append(body, &error, sizeof error) < 0)
		die("out of memory");
	if (operation->act(helper, request, body) == 0)
		return;
	error = errno == 0 ? EIO : (uint32_t)errno;
	body->length = 0;
	if (buffer_append(body, &error, sizeof error) < 0 || reply_field(body, failure(), strlen(failure())) < 0)
		die("out of memory");
}

static void reply_failure(uint32_t id, int error)
{
	cleanup_buffer struct buffer body = {0};
	uint32_t number = (uint32_t)error;
	if (buffer_append(&body, &number, sizeof number) < 0 || reply_field(&body, failure(), strlen(failure())) < 0)
		die("out of memory");
	send_reply(id, body.data, body.length);
}

/* In the child: nothing of the helper's is kept open, so that neither its pipes nor its lock outlive it. */
static NORETURN void work(const struct operation *operation, const struct helper *helper,
			  const struct request *request, int pipe_fd, pid_t parent)
{
	cleanup_buffer struct buffer body = {0};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signals_reset();
	signal(SIGPIPE, SIG_IGN);
	dup2(helper->dev_null, STDIN_FILENO);
	dup2(helper->dev_null, STDOUT_FILENO);
	if (dup2(pipe_fd, 4) < 0 || fcntl(4, F_SETFD, FD_CLOEXEC) < 0)
		_exit(1);
	syscall(SYS_close_range, 5u, ~0u, 0u);
	perform(operation, helper, request, &body);
	_exit(write_all(4, body.data, body.length) < 0);
}

static int start_task(struct loop *loop, const struct operation *operation, const struct request *request)
{
	if (loop->tasks_count == TASKS_MOST) {
		errno = EMFILE;
		return fail("%s: too many operations at once", operation->name);
	}
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail("%s: pipe: %m", operation->name);
	pid_t self = getpid();
	pid_t pid = fork();
	if (pid == 0)
		work(operation, &loop->helper, request, ends[1], self);
	close_fd(&ends[1]);
	if (pid < 0) {
		close_fd(&ends[0]);
		return fail("%s: fork: %m", operation->name);
	}
	loop->tasks[loop->tasks_count++] = (struct task){.id = request->id, .pipe = ends[0]};
	return 0;
}

/* Takes what a child has written; at the end the reply goes out and the task is forgotten. */
static void continue_task(struct loop *loop, size_t index)
{
	struct task *task = &loop->tasks[index];
	ssize_t got = buffer_read(&task->reply, task->pipe, 64 << 10);
	if (got > 0)
		return;
	if (got == 0 && task->reply.length >= sizeof(uint32_t)) {
		send_reply(task->id, task->reply.data, task->reply.length);
	} else {
		fail("a child of the helper ended without a reply");
		reply_failure(task->id, EIO);
	}
	close_fd(&task->pipe);
	buffer_free(&task->reply);
	*task = loop->tasks[--loop->tasks_count];
}

static void handle(struct loop *loop, uint32_t id, char *data, size_t length)
{
	size_t count = 0;
	for (size_t i = 0; i < length; i++)
		count += data[i] == '\0';
	if (count == 0 || data[length - 1] != '\0')
		die("malformed request");
	cleanup_free char **fields = calloc(count, sizeof *fields);
	if (fields == NULL)
		die("out of memory");
	for (size_t i = 0; i < count; i++, data += strlen(data) + 1)
		fields[i] = data;

	struct request request = {.id = id, .count = count - 1, .fields = fields + 1};
	const struct operation *operation = find_operation(fields[0]);
	if (operation == NULL || request.count < operation->least || request.count > operation->most) {
		fail("%s: no such operation with %zu fields", fields[0], request.count);
		reply_failure(id, EINVAL);
	} else if (operation->forked) {
		if (start_task(loop, operation, &request) < 0)
			reply_failure(id, errno);
	} else {
		cleanup_buffer struct buffer body = {0};
		perform(operation, &loop->helper, &request, &body);
		send_reply(id, body.data, body.length);
	}
}

/* All whole requests that have arrived. */
static void handle_input(struct loop *loop)
{
	ssize_t got = buffer_read(&loop->input, STDIN_FILENO, 64 << 10);
	if (got < 0)
		die("requests: %m");
	if (got == 0)
		exit(0);
	size_t at = 0;
	uint32_t header[2];
	while (loop->input.length - at >= sizeof header) {
		memcpy(header, loop->input.data + at, sizeof header);
		if (header[0] < sizeof header[1] || header[0] > REQUEST_MOST)
			die("malformed request of %u bytes", header[0]);
		if (loop->input.length - at - sizeof header[0] < header[0])
			break;
		handle(loop, header[1], loop->input.data + at + sizeof header, header[0] - sizeof header[1]);
		at += sizeof header[0] + header[0];
	}
	buffer_consume(&loop->input, at);
	if (loop->input.length == 0 && loop->input.capacity > 1 << 20)
		buffer_free(&loop->input);
}

static void reap(int signals)
{
	struct signalfd_siginfo info;
	while (read(signals, &info, sizeof info) > 0)
		;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void serve(struct loop *loop)
{
	static struct pollfd fds[TASKS_MOST + 2];
	for (;;) {
		size_t tasks = loop->tasks_count;
		fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = loop->signals, .events = POLLIN};
		for (size_t i = 0; i < tasks; i++)
			fds[i + 2] = (struct pollfd){.fd = loop->tasks[i].pipe, .events = POLLIN};
		if (poll(fds, tasks + 2, -1) < 0 && errno != EINTR)
			die("poll: %m");
		/* Backwards, since an ended task is replaced by the last one. */
		for (size_t i = tasks; i > 0; i--)
			if (fds[i + 1].revents != 0)
				continue_task(loop, i - 1);
		if (fds[1].revents != 0)
			reap(loop->signals);
		if (fds[0].revents != 0)
			handle_input(loop);
	}
}

/* A private namespace that hears of the host's mounts, and a tmpfs of its own for ours. */
static void enter_namespace(const char *root)
{
	static const char *const options[] = {"mode", "0700", NULL};
	cleanup_buffer struct buffer path = {0};
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		die("make a mount namespace: %m");
	if (buffer_printf(&path, "%s/mnt", root) < 0)
		die("out of memory");
	cleanup_close int target = open_target(path.data);
	if (target < 0 || mount_plain("tmpfs", options, target) < 0)
		die("%s: %s", path.data, strdup(failure()));
}

int main(int argc, char **argv)
{
	static struct loop loop;
	if (argc != 3 || argv[1][0] != '/' || argv[2][0] != '/') {
		dprintf(STDERR_FILENO, "usage: berth-helper EXEC_ROOT SHIM_PATH\n");
		return 2;
	}
	syscall(SYS_close_range, 3u, ~0u, 0u);
	/* A terminal's signals are for the daemon, which still needs us while it shuts down. */
	setsid();
	umask(022);
	if (chdir("/") < 0)
		die("/: %m");
	loop.helper = (struct helper){.root = argv[1], .shim = argv[2], .dev_null = open("/dev/null", O_RDWR | O_CLOEXEC)};
	if (loop.helper.dev_null != 3)
		die("standard input, output and error must be open");

	loop.helper.host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (loop.helper.host < 0)
		die("/proc/self/ns/mnt: %m");

	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &child, NULL) < 0 ||
	    (loop.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		die("signalfd: %m");
	enter_namespace(argv[1]);
	serve(&loop);
}
