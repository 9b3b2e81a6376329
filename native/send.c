/*
 * berth-send SOCKET: sends what comes on standard input, as a length (u32) and so many bytes each, as datagrams to a unix
 * socket: Node has no such sockets. Says one `.` per datagram that was taken. Ends with its standard input, or with the
 * reason on standard error.
 */
#include "common.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DATAGRAM_LIMIT (1 << 20)

static char datagram[DATAGRAM_LIMIT];

static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	if (length >= sizeof address.sun_path)
		die("%s: the path is too long", path);
	memcpy(address.sun_path, path, length);
	/* As systemd writes the name of an abstract socket. */
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: berth-send SOCKET");
	signal(SIGPIPE, SIG_IGN);
	int fd = open_socket(argv[1]);
	uint32_t length;
	while (read_all(STDIN_FILENO, &length, sizeof length) == 0) {
		if (length > sizeof datagram)
			die("a datagram of %u bytes is too long", length);
		if (read_all(STDIN_FILENO, datagram, length) < 0)
			break;
		if (send(fd, datagram, length, 0) < 0)
			die("%s: %s", argv[1], strerror(errno));
		if (write_all(STDOUT_FILENO, ".", 1) < 0)
			break;
	}
	return 0;
}
