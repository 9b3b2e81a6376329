/* Calls of the OCI runtime. Each is a child of its own; its end comes by SIGCHLD, so a stuck one stops nothing else. */
#include "shim.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>

#define ARGUMENTS 24
#define LOG_LIMIT (1 << 20)

const char *call_file(struct call_file *file, char kind, unsigned call)
{
	snprintf(file->path, sizeof file->path, "%s/%c.%u", shim.config.directory, kind, call);
	return file->path;
}

static void remove_files(unsigned call)
{
	struct call_file file;
	for (const char *kind = "plt"; *kind != '\0'; kind++)
		unlink(call_file(&file, *kind, call));
}

/* In the child: nothing of the shim but standard streams passes on. All descriptors are close-on-exec. */
NORETURN static void become(const char *const argv[], const int child[3])
{
	int copies[3];
	/* Copied above 2 first: a source may be one of the targets. */
	for (int i = 0; i < 3; i++)
		copies[i] = fcntl(child[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		if (copies[i] < 0 || dup2(copies[i], i) < 0)
			_exit(127);
	signals_reset();
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static pid_t call(const char *const argv[], const int child[3])
{
	pid_t pid = fork();
	if (pid == 0)
		become(argv, child);
	return pid < 0 ? fail("fork: %m") : pid;
}

/* `RUNTIME --root R --log L --log-format json run|exec --detach --pid-file P …` */
static pid_t call_start(struct process *process, const int child[3])
{
	const struct config *config = &shim.config;
	struct call_file log, pid, console, spec;
	const char *argv[ARGUMENTS] = {config->runtime,
				       "--root",
				       config->runtime_root,
				       "--log",
				       call_file(&log, 'l', process->call),
				       "--log-format",
				       "json",
				       process == shim.init ? "run" : "exec",
				       "--detach",
				       "--pid-file",
				       call_file(&pid, 'p', process->call)};
	size_t count = 11;
	if (process->tty) {
		argv[count++] = "--console-socket";
		argv[count++] = call_file(&console, 't', process->call);
	}
	if (process == shim.init) {
		argv[count++] = "--bundle";
		argv[count++] = config->bundle;
	} else {
		snprintf(spec.path, sizeof spec.path, "%s/exec/%s.json", config->directory, process->id);
		argv[count++] = "--process";
		argv[count++] = spec.path;
	}
	argv[count] = config->id;
	return call(argv, child);
}

void runtime_start(struct process *process, const bool wanted[3])
{
	int child[3] = {-1, -1, -1};
	process->state = PROCESS_STARTING;
	pid_t pid = process_prepare(process, wanted, child) < 0 ? -1 : call_start(process, child);
	for (int i = 0; i < 3; i++)
		close_fd(&child[i]);
	if (pid > 0) {
		process->runtime = pid;
		return;
	}
	remove_files(process->call);
	process_failed(process, failure());
}

pid_t runtime_delete(void)
{
	const struct config *config = &shim.config;
	const char *argv[] = {config->runtime, "--root", config->runtime_root, "delete", "--force", config->id, NULL};
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int child[3] = {null, null, null};
	pid_t pid = call(argv, child);
	return pid < 0 ? 0 : pid;
}

static unsigned hexadecimal(const char *digits)
{
	char copy[5] = {0};
	memcpy(copy, digits, strnlen(digits, 4));
	return (unsigned)strtoul(copy, NULL, 16);
}

/* The JSON string that begins at `from`, unescaped in place; what is not ASCII in an escape becomes `?`. */
static char *unescape(char *from)
{
	char *to = from, *text = from;
	while (*from != '\0' && *from != '"') {
		if (*from != '\\' || from[1] == '\0') {
			*to++ = *from++;
			continue;
		}
		char kind = from[1];
		from += 2;
		if (kind == 'u') {
			unsigned code = hexadecimal(from);
			*to++ = code >= ' ' && code < 127 ? (char)code : (code < ' ' ? ' ' : '?');
			from += strnlen(from, 4);
		} else {
			*to++ = strchr("nrtbf", kind) != NULL ? ' ' : kind;
		}
	}
	*to = '\0';
	return text;
}

/*
 * crun ends its texts with strerror's capital; Docker clients look for "no such file or directory" and "permission
 * denied" as Go writes them.
 */
static void lower_reason(char *text)
{
	for (char *at = text; (at = strstr(at, ": ")) != NULL; at += 2)
		if (isupper((unsigned char)at[2]) && islower((unsigned char)at[3]))
			at[2] = (char)tolower((unsigned char)at[2]);
}

/* The last error in the runtime's log, for people. */
static const char *error_text(unsigned number, int status)
{
	struct call_file file;
	cleanup_free char *log = read_file(AT_FDCWD, call_file(&file, 'l', number), LOG_LIMIT, NULL);
	char *cursor = log, *message = NULL;
	for (char *line; (line = next_line(&cursor)) != NULL;) {
		char *found = strstr(line, "\"msg\":");
		if (found == NULL)
			continue;
		found += strlen("\"msg\":");
		found += strspn(found, " ");
		if (*found == '"' && (message == NULL || strstr(line, "\"error\"") != NULL))
			message = found + 1;
	}
	if (message != NULL) {
		message = unescape(message);
		lower_reason(message);
		fail("%s", message);
	} else if (WIFSIGNALED(status)) {
		fail("%s was killed by signal %d", shim.config.runtime, WTERMSIG(status));
	} else if (WEXITSTATUS(status) == 127) {
		fail("cannot run %s", shim.config.runtime);
	} else {
		fail("%s failed with status %d", shim.config.runtime, WEXITSTATUS(status));
	}
	return failure();
}

static pid_t read_pid(unsigned number)
{
	struct call_file file;
	cleanup_free char *text = read_file(AT_FDCWD, call_file(&file, 'p', number), 64, NULL);
	uint64_t pid;
	if (text != NULL)
		text[strcspn(text, "\n")] = '\0';
	return text != NULL && parse_number(text, INT32_MAX, &pid) == 0 ? (pid_t)pid : 0;
}

/*
 * crun compiles the seccomp profile at every start, which takes longer than all the rest, and keeps the result with the
 * container. A hard link keeps it for the next start. It is there or it is not: a start does not depend on it.
 */
static void keep_seccomp_filter(void)
{
	const struct config *config = &shim.config;
	char compiled[PATH_MAX];
	if (config->seccomp_filter == NULL)
		return;
	int length = snprintf(compiled, sizeof compiled, "%s/%s/seccomp.bpf", config->runtime_root, config->id);
	if (length >= (int)sizeof compiled)
		return;
	if (link(compiled, config->seccomp_filter) < 0 && errno != EEXIST && errno != ENOENT)
		dprintf(STDERR_FILENO, "cannot keep %s: %m\n", compiled);
}

bool runtime_reaped(pid_t pid, int status)
{
	struct process *process = shim.processes;
	while (process != NULL && process->runtime != pid)
		process = process->next;
	if (process == NULL)
		return false;
	process->runtime = 0;
	unsigned number = process->call;
	pid_t started = status == 0 ? read_pid(number) : 0;
	const char *text = started > 0 ? NULL : error_text(number, status);
	remove_files(number);
	if (started > 0 && process == shim.init)
		keep_seccomp_filter();
	if (started > 0)
		process_started(process, started);
	else
		process_failed(process, text);
	return true;
}
