/*
 * A look at a port of a container from within its network namespace: far cheaper than a command in it, and no program of
 * the image is needed. In a child of the helper, which takes the namespace with it.
 */
#include "helper.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_LIMIT 512 /* of an HTTP answer; its first line is what is read */

static int enter_network(pid_t pid, uint64_t start)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
	cleanup_close int net = open(path, O_RDONLY | O_CLOEXEC);
	if (net < 0)
		return fail("%m");
	/* Compared after it was opened: it cannot be another process' any more. */
	if (process_start_time(pid) != start) {
		errno = ESRCH;
		return fail("another process has this number");
	}
	return setns(net, CLONE_NEWNET) < 0 ? fail("join network: %m") : 0;
}

static int dial(const char *address, uint64_t port, uint64_t milliseconds)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	cleanup_close int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {(time_t)(milliseconds / 1000), (suseconds_t)(milliseconds % 1000 * 1000)};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
		return -1;
	const struct sockaddr *to = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
	if (connect(fd, to, is_v4 ? sizeof v4 : sizeof v6) < 0)
		return -1;
	return take_fd(&fd);
}

/* The first line of the answer to GET, without its end; its length, or -1. */
static ssize_t get(int fd, const char *path, char *line)
{
	char head[2048];
	int length = snprintf(head, sizeof head,
			      "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: berth\r\nConnection: close\r\n\r\n", path);
	if (length >= (int)sizeof head) {
		errno = E2BIG;
		return -1;
	}
	size_t filled = 0;
	if (write_all(fd, head, (size_t)length) < 0)
		return -1;
	while (filled < ANSWER_LIMIT) {
		ssize_t got = read(fd, line + filled, ANSWER_LIMIT - filled);
		if (got < 0)
			return -1;
		filled += (size_t)got;
		char *end = memchr(line, '\n', filled);
		if (end != NULL)
			filled = (size_t)(end - line);
		if (end != NULL || got == 0)
			break;
	}
	while (filled > 0 && line[filled - 1] == '\r')
		filled--;
	return (ssize_t)filled;
}

/* PID START MILLISECONDS PORT PATH ADDRESS…: the first address that answers; with a path what it says to GET. */
int op_probe(const struct helper *helper, const struct request *request, struct buffer *reply)
{
	(void)helper;
	uint64_t pid, start, milliseconds, port;
	if (parse_number(request->fields[0], INT_MAX, &pid) < 0 ||
	    parse_number(request->fields[1], UINT64_MAX, &start) < 0 ||
	    parse_number(request->fields[2], INT_MAX, &milliseconds) < 0 ||
	    parse_number(request->fields[3], UINT16_MAX, &port) < 0)
		return fail("%m");
	if (enter_network((pid_t)pid, start) < 0)
		return -1;
	cleanup_close int fd = -1;
	for (size_t i = 5; i < request->count && fd < 0; i++)
		fd = dial(request->fields[i], port, milliseconds);
	if (fd < 0)
		return fail("connect: %m");
	if (*request->fields[4] == '\0')
		return reply_field(reply, "connected", strlen("connected"));
	char line[ANSWER_LIMIT];
	ssize_t length = get(fd, request->fields[4], line);
	return length < 0 ? fail("GET: %m") : reply_field(reply, line, (size_t)length);
}
