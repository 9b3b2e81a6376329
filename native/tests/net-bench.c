/*
 * net-bench serve CLOSE_PORT STREAM_PORT      closes what connects to the one, sends zeros to the other
 * net-bench rate ADDRESS PORT SECONDS         connections, one after the other: how many per second
 * net-bench stream ADDRESS PORT SECONDS       megabytes per second of one connection
 *
 * Runs in network namespaces, and in containers of any image: it is static. IPv4.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char block[1 << 18];

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	if (inet_pton(AF_INET, address, &result.sin_addr) != 1)
		exit(2);
	return result;
}

static int listen_on(const char *port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_in any = address_of("0.0.0.0", port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0 || listen(fd, 1024) < 0) {
		perror("net-bench: listen");
		exit(1);
	}
	return fd;
}

static void serve(int fd, int stream)
{
	for (;;) {
		int client = accept(fd, NULL, NULL);
		if (client < 0)
			continue;
		if (stream && fork() == 0) {
			while (write(client, block, sizeof block) > 0)
				;
			_exit(0);
		}
		close(client);
	}
}

static int connected(const struct sockaddr_in *server)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (const struct sockaddr *)server, sizeof *server) < 0) {
		perror("net-bench: connect");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	signal(SIGCHLD, SIG_IGN);
	if (argc == 4 && strcmp(argv[1], "serve") == 0) {
		int closing = listen_on(argv[2]), streaming = listen_on(argv[3]);
		if (fork() == 0)
			serve(streaming, 1);
		serve(closing, 0);
	}
	if (argc != 5)
		return 2;
	struct sockaddr_in server = address_of(argv[2], argv[3]);
	double begun = seconds(), end = begun + atof(argv[4]), count = 0;
	if (strcmp(argv[1], "rate") == 0) {
		for (; seconds() < end; count++) {
			int fd = connected(&server);
			if (read(fd, block, 1) != 0)
				return 1;
			/* No port waits for its end: there would soon be none left. */
			struct linger now = {1, 0};
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
			close(fd);
		}
		printf("%.0f\n", count / (seconds() - begun));
		return 0;
	}
	int fd = connected(&server);
	while (seconds() < end) {
		ssize_t got = read(fd, block, sizeof block);
		if (got <= 0)
			return 1;
		count += (double)got;
	}
	printf("%.1f\n", count / 1e6 / (seconds() - begun));
	return 0;
}
