#include "common.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

void cleanup_free_ptr(void *pointer)
{
	free(take_pointer_at(pointer));
}

void cleanup_close_fd(const int *fd)
{
	int owned = *fd;
	close_fd(&owned);
}

void cleanup_file(FILE **file)
{
	int saved = errno;
	if (*file != NULL)
		fclose(*file);
	errno = saved;
}

void cleanup_dir(void *dir)
{
	int saved = errno;
	DIR *owned = take_pointer_at(dir);
	if (owned != NULL)
		closedir(owned);
	errno = saved;
}

void close_fd(int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int read_all(int fd, void *data, size_t length)
{
	char *at = data;
	while (length > 0) {
		ssize_t got = read(fd, at, length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0) {
			errno = ENODATA;
			return -1;
		}
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

int write_all(int fd, const void *data, size_t length)
{
	const char *at = data;
	while (length > 0) {
		ssize_t put = write(fd, at, length);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		at += put;
		length -= (size_t)put;
	}
	return 0;
}

char *read_file(int at, const char *path, size_t limit, size_t *length)
{
	cleanup_close int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	cleanup_buffer struct buffer text = {0};
	for (;;) {
		ssize_t got = buffer_read(&text, fd, 4096);
		if (got < 0)
			return NULL;
		if (got == 0)
			break;
		if (text.length > limit) {
			errno = EFBIG;
			return NULL;
		}
	}
	if (length != NULL)
		*length = text.length;
	if (buffer_append(&text, "", 1) < 0)
		return NULL;
	return take_pointer(text.data);
}

int write_file(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	return write_all(fd, text, strlen(text));
}

int buffer_reserve(struct buffer *buffer, size_t extra)
{
	size_t needed = buffer->length + extra;
	if (needed <= buffer->capacity)
		return 0;
	size_t capacity = buffer->capacity == 0 ? 256 : buffer->capacity;
	while (capacity < needed)
		capacity *= 2;
	char *data = realloc(buffer->data, capacity);
	if (data == NULL)
		return -1;
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int buffer_append(struct buffer *buffer, const void *data, size_t length)
{
	if (length == 0)
		return 0;
	if (buffer_reserve(buffer, length) < 0)
		return -1;
	memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	return 0;
}

int buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int result = buffer_vprintf(buffer, format, args);
	va_end(args);
	return result;
}

int buffer_vprintf(struct buffer *buffer, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0 || buffer_reserve(buffer, (size_t)length + 1) < 0)
		return -1;
	vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, args);
	buffer->length += (size_t)length;
	return 0;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	buffer->length -= length;
	if (buffer->length > 0)
		memmove(buffer->data, buffer->data + length, buffer->length);
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}

ssize_t buffer_read(struct buffer *buffer, int fd, size_t most)
{
	if (buffer_reserve(buffer, most) < 0)
		return -1;
	for (;;) {
		ssize_t got = read(fd, buffer->data + buffer->length, most);
		if (got < 0 && errno == EINTR)
			continue;
		if (got > 0)
			buffer->length += (size_t)got;
		return got;
	}
}

char *next_line(char **cursor)
{
	char *line = *cursor;
	if (line == NULL || *line == '\0')
		return NULL;
	char *end = strchr(line, '\n');
	if (end == NULL) {
		*cursor = line + strlen(line);
		return line;
	}
	*end = '\0';
	*cursor = end + 1;
	return line;
}

static char failure_text[1024];

static void set_failure(const char *format, va_list args)
{
	int saved = errno;
	vsnprintf(failure_text, sizeof failure_text, format, args);
	for (char *c = failure_text; *c != '\0'; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	errno = saved;
}

int fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_failure(format, args);
	va_end(args);
	return -1;
}

const char *failure(void)
{
	return failure_text;
}

void die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_failure(format, args);
	va_end(args);
	dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name, failure_text);
	exit(1);
}

int parse_number(const char *text, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;
	if (*text == '\0')
		goto invalid;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			goto invalid;
		uint64_t digit = (uint64_t)(*text - '0');
		if (digit > most || value > (most - digit) / 10)
			goto invalid;
		value = value * 10 + digit;
	}
	*number = value;
	return 0;
invalid:
	errno = EINVAL;
	return -1;
}

uint64_t process_start_time(pid_t pid)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[1024];
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	/* The command (field 2) may hold blanks and parentheses: count from the last one, which ends it. */
	char *at = strrchr(text, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

int sys_fsopen(const char *type, unsigned flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

int sys_fsconfig(int fd, unsigned command, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

int sys_fsmount(int fd, unsigned flags, unsigned attributes)
{
	return (int)syscall(SYS_fsmount, fd, flags, attributes);
}

int sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
	return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

int sys_open_tree(int at, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, at, path, flags);
}

int sys_openat2(int at, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = {flags | O_CLOEXEC, mode, resolve};
	return (int)syscall(SYS_openat2, at, path, &how, sizeof how);
}

int sys_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int sys_pidfd_send_signal(int pidfd, int signal_number)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

/*
 * Asked of the kernel itself: libc hides the signals it keeps for threads, and glibc's posix_spawn (make has it) leaves those
 * ignored. The kernel's struct sigaction is smaller than this, and all zero means the default.
 */
void signals_reset(void)
{
	static const uint64_t by_default[8];
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		syscall(SYS_rt_sigaction, i, by_default, NULL, (size_t)8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
