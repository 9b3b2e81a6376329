/*
 * What the native programs share: cleanup attributes, whole reads and writes, line reading, a growable buffer,
 * error texts, and the mount calls that C libraries do not all have.
 *
 * Functions return 0 (or a useful value) on success and -1 with errno set on failure, unless said otherwise.
 */
#ifndef BERTH_COMMON_H
#define BERTH_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PRINTF(text, first) __attribute__((format(printf, text, first)))
#define NORETURN __attribute__((noreturn))
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Cleanup when a variable goes out of scope; none of them changes errno. */
void cleanup_free_ptr(void *pointer);
void cleanup_close_fd(const int *fd);
void cleanup_file(FILE **file);
void cleanup_dir(void *dir);
#define cleanup_free __attribute__((cleanup(cleanup_free_ptr)))
#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_fclose __attribute__((cleanup(cleanup_file)))
#define cleanup_closedir __attribute__((cleanup(cleanup_dir)))
#define cleanup_buffer __attribute__((cleanup(buffer_free)))

/* Hands ownership on: the value, with -1 or NULL left behind for the cleanup attribute. */
static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static inline void *take_pointer_at(void *at)
{
	void *taken;
	memcpy(&taken, at, sizeof taken);
	memset(at, 0, sizeof taken);
	return taken;
}
#define take_pointer(pointer) ((__typeof__(pointer))take_pointer_at(&(pointer)))

/* Closes and forgets; keeps errno; -1 is fine. */
void close_fd(int *fd);

/* All of `length` bytes, across EINTR and short transfers. read_all: -1 with ENODATA when the file ends early. */
int read_all(int fd, void *data, size_t length);
int write_all(int fd, const void *data, size_t length);

/*
 * A whole small file as a NUL-terminated string (caller frees), or NULL. `at` is a directory fd or AT_FDCWD.
 * `limit` bounds its length: EFBIG beyond.
 */
char *read_file(int at, const char *path, size_t limit, size_t *length);

/* One write to an existing file, as /proc/sys and cgroup files want it. */
int write_file(const char *path, const char *text);

/* A growable buffer; after an allocation failure every append returns -1 with ENOMEM. */
struct buffer {
	char *data;
	size_t length;
	size_t capacity;
};
int buffer_reserve(struct buffer *buffer, size_t extra);
int buffer_append(struct buffer *buffer, const void *data, size_t length);
int buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF(2, 3);
int buffer_vprintf(struct buffer *buffer, const char *format, va_list args) PRINTF(2, 0);
/* Removes `length` bytes from the front. */
void buffer_consume(struct buffer *buffer, size_t length);
void buffer_free(struct buffer *buffer);
/* Appends what one read gives; returns its count, 0 at the end, -1 on failure. */
ssize_t buffer_read(struct buffer *buffer, int fd, size_t most);

/*
 * The next line of `*cursor` (a modifiable string), without its newline, which becomes a NUL; NULL at the end.
 * Advances `*cursor`. A last line without newline counts.
 */
char *next_line(char **cursor);

/*
 * Error texts for people: lower case, naming the object, "what: cause". Printf format; a `%m` in it is errno.
 * Kept in one static buffer, cut at its size; newlines become spaces so that a text fits into a line.
 */
int fail(const char *format, ...) PRINTF(1, 2); /* returns -1, keeps errno */
const char *failure(void);
/* Failure text to standard error as "NAME: TEXT", then exit 1. */
NORETURN void die(const char *format, ...) PRINTF(1, 2);

/* Decimal digits only, at most `most`; -1 with EINVAL otherwise. */
int parse_number(const char *text, uint64_t most, uint64_t *number);

/* Field 22 of /proc/PID/stat: start time in clock ticks since boot; 0 when there is no such process. */
uint64_t process_start_time(pid_t pid);

/*
 * The mount API of Linux 5.2 and later, by number: glibc before 2.36 and musl do not have it, and linux/mount.h
 * cannot be included next to sys/mount.h everywhere.
 */
#define BERTH_FSCONFIG_SET_FLAG 0
#define BERTH_FSCONFIG_SET_STRING 1
#define BERTH_FSCONFIG_SET_FD 5
#define BERTH_FSCONFIG_CMD_CREATE 6
#define BERTH_FSOPEN_CLOEXEC 1
#define BERTH_FSMOUNT_CLOEXEC 1
#define BERTH_MOVE_MOUNT_F_EMPTY_PATH 0x4
#define BERTH_MOVE_MOUNT_T_EMPTY_PATH 0x40
#define BERTH_OPEN_TREE_CLONE 1
#define BERTH_OPEN_TREE_CLOEXEC 02000000
#define BERTH_MOUNT_ATTR_RDONLY 0x1
#define BERTH_MOUNT_ATTR_NOSUID 0x2
#define BERTH_MOUNT_ATTR_NODEV 0x4
#define BERTH_MOUNT_ATTR_NOATIME 0x10
int sys_fsopen(const char *type, unsigned flags);
int sys_fsconfig(int fd, unsigned command, const char *key, const void *value, int aux);
int sys_fsmount(int fd, unsigned flags, unsigned attributes);
int sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags);
int sys_open_tree(int at, const char *path, unsigned flags);
/* openat2(2) with RESOLVE_* bits; always O_CLOEXEC. */
int sys_openat2(int at, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int sys_pidfd_open(pid_t pid);
int sys_pidfd_send_signal(int pidfd, int signal_number);
#define BERTH_RESOLVE_NO_XDEV 0x01
#define BERTH_RESOLVE_NO_MAGICLINKS 0x02
#define BERTH_RESOLVE_NO_SYMLINKS 0x04
#define BERTH_RESOLVE_BENEATH 0x08
#define BERTH_RESOLVE_IN_ROOT 0x10

/*
 * For a child before it becomes another program: nothing blocked, and nothing ignored, whatever this process was started
 * with (nohup ignores SIGHUP).
 */
void signals_reset(void);

#endif
