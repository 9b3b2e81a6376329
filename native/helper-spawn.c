/*
 * The helper's ways to start a program: shims and the resolver, which outlive it, and a short program whose output is
 * the reply.
 */
#include "helper.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define OUTPUT_MOST (1u << 20)
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* DIR/sock, through the directory's descriptor: the path itself may be longer than a socket address. */
static int listen_in(int directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/sock", directory);
	if (unlinkat(directory, "sock", 0) < 0 && errno != ENOENT)
		return -1;
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* bind gives the file the socket's own mode: there is no moment at which it is wider. */
	if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(fd, 128) < 0)
		return -1;
	return take_fd(&fd);
}

/* A program that is started for a directory, with DIR/sock as descriptor 3. */
struct service {
	const char *program, *directory;
	int host; /* mount namespace to start in, -1 for the helper's own */
	int socket, log;
};

/*
 * Between vfork and exec the parent stands still and memory is shared: nothing here allocates or returns.
 * Descriptor 3 is the helper's /dev/null, so none of the sources is below 3 and gets overwritten too early.
 */
static NORETURN void exec_service(const struct service *service, int null, volatile int *error)
{
	char *argv[] = {(char *)(uintptr_t)service->program, (char *)(uintptr_t)service->directory, NULL};
	setsid();
	signals_reset();
	if ((service->host < 0 || setns(service->host, CLONE_NEWNS) == 0) && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(null, STDOUT_FILENO) >= 0 && dup2(service->log, STDERR_FILENO) >= 0 && dup2(service->socket, 3) >= 0) {
		syscall(SYS_close_range, 4u, ~0u, 0u);
		execv(service->program, argv);
	}
	*error = errno;
	_exit(127);
}

/* `log` is the name of the file in the directory that takes messages. */
static int spawn(struct service service, const char *log_name, int null, struct buffer *reply)
{
	cleanup_close int directory = open(service.directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return fail("%m");
	cleanup_close int log =
		openat(directory, log_name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (log < 0)
		return fail("%s: %m", log_name);
	cleanup_close int socket_fd = listen_in(directory);
	if (socket_fd < 0)
		return fail("sock: %m");
	service.log = log;
	service.socket = socket_fd;

	volatile int error = 0;
	pid_t pid = vfork();
	if (pid == 0)
		exec_service(&service, null, &error);
	if (pid < 0 || error != 0) {
		if (error != 0)
			errno = error;
		fail("start %s: %m", service.program);
		unlinkat(directory, "sock", 0);
		if (error != 0)
			errno = error;
		return -1;
	}
	char text[16];
	return reply_field(reply, text, (size_t)snprintf(text, sizeof text, "%d", (int)pid));
}

int op_spawn_shim(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	struct service shim = {.program = helper->shim, .directory = request->fields[0], .host = -1};
	return spawn(shim, "shim.log", helper->dev_null, reply);
}

/* In the host's mount namespace: it must not keep the helper's mounts, and reads the host's resolv.conf. */
int op_spawn_dns(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	struct service dns = {.program = request->fields[1], .directory = request->fields[0], .host = helper->host};
	return spawn(dns, "dns.log", helper->dev_null, reply);
}

/* A running program and what it has said so far. */
struct program {
	pid_t pid;
	int ended; /* pidfd */
	int in, out, err;
	const char *input;
	size_t input_left;
	struct buffer output, errors;
};

static void program_free(struct program *program)
{
	close_fd(&program->ended);
	close_fd(&program->in);
	close_fd(&program->out);
	close_fd(&program->err);
	buffer_free(&program->output);
	buffer_free(&program->errors);
}

/* We are a child that was forked for this program alone: once more forked, since vfork would be no gain here. */
static int program_start(struct program *program, char **argv)
{
	int in[2], out[2], err[2], status[2], error = 0;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
	    pipe2(status, O_CLOEXEC) < 0)
		return fail("pipe: %m");
	program->pid = fork();
	if (program->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signals_reset();
		if (dup2(in[0], 0) >= 0 && dup2(out[1], 1) >= 0 && dup2(err[1], 2) >= 0)
			execvp(argv[0], argv);
		error = errno;
		_exit(write_all(status[1], &error, sizeof error) < 0 ? 126 : 127);
	}
	close_fd(&in[0]);
	close_fd(&out[1]);
	close_fd(&err[1]);
	close_fd(&status[1]);
	program->in = in[1];
	program->out = out[0];
	program->err = err[0];
	/* The status pipe closes by a successful exec. */
	if (program->pid < 0 || read_all(status[0], &error, sizeof error) == 0) {
		errno = program->pid < 0 ? errno : error;
		close_fd(&status[0]);
		return fail("%m");
	}
	close_fd(&status[0]);
	program->ended = sys_pidfd_open(program->pid);
	if (program->ended < 0)
		return fail("pidfd: %m");
	fcntl(program->in, F_SETFL, O_NONBLOCK);
	fcntl(program->out, F_SETFL, O_NONBLOCK);
	fcntl(program->err, F_SETFL, O_NONBLOCK);
	return 0;
}

/* All there is to read now; beyond the limit it is thrown away. */
static void take_output(int *fd, struct buffer *into)
{
	char data[16 << 10];
	for (;;) {
		ssize_t got = read(*fd, data, sizeof data);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			close_fd(fd);
			return;
		}
		size_t room = OUTPUT_MOST - into->length;
		if (buffer_append(into, data, (size_t)got < room ? (size_t)got : room) < 0)
			return;
	}
}

static void give_input(struct program *program)
{
	ssize_t put = program->input_left == 0 ? 0 : write(program->in, program->input, program->input_left);
	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (put > 0) {
		program->input += put;
		program->input_left -= (size_t)put;
	}
	/* A program that closed its input does not want the rest. */
	if (put < 0 || program->input_left == 0)
		close_fd(&program->in);
}

/* Until the program itself has ended; what it left running in the background is not waited for. */
static int program_serve(struct program *program)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = program->ended, .events = POLLIN},
				       {.fd = program->in, .events = POLLOUT},
				       {.fd = program->out, .events = POLLIN},
				       {.fd = program->err, .events = POLLIN}};
		if (poll(fds, ARRAY_LENGTH(fds), -1) < 0 && errno != EINTR)
			return fail("poll: %m");
		if (fds[1].revents != 0)
			give_input(program);
		if (fds[2].revents != 0 || (fds[0].revents != 0 && program->out >= 0))
			take_output(&program->out, &program->output);
		if (fds[3].revents != 0 || (fds[0].revents != 0 && program->err >= 0))
			take_output(&program->err, &program->errors);
		if (fds[0].revents != 0)
			return 0;
	}
}

int op_run(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	__attribute__((cleanup(program_free))) struct program program = {
		.ended = -1,
		.in = -1,
		.out = -1,
		.err = -1,
		.input = request->fields[0],
		.input_left = strlen(request->fields[0]),
	};
	cleanup_free char **argv = calloc(request->count, sizeof *argv);
	if (argv == NULL)
		return fail("%m");
	memcpy(argv, request->fields + 1, (request->count - 1) * sizeof *argv);

	int status;
	char text[32];
	if (program_start(&program, argv) < 0 || program_serve(&program) < 0)
		return -1;
	if (waitpid(program.pid, &status, 0) < 0)
		return fail("wait: %m");
	int length = WIFEXITED(status) ? snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status))
				       : snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
	if (reply_field(reply, text, (size_t)length) < 0 ||
	    reply_field(reply, program.output.data, program.output.length) < 0)
		return -1;
	return reply_field(reply, program.errors.data, program.errors.length);
}
