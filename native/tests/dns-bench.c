/*
 * dns-bench NAME SECONDS WINDOW: asks 127.0.0.11 for NAME by UDP, with WINDOW queries under way, from one socket. Says how
 * many were answered per second and, with a window of 1, the median and 99th percentile of one look-up in microseconds.
 * Runs inside a container's network namespace.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_MOST 256
#define SAMPLES 4000000

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

static size_t encode(unsigned char *query, const char *name)
{
	static const unsigned char header[12] = {0x12, 0x34, 1, 0, 0, 1}, question[4] = {0, 1, 0, 1};
	size_t length = strlen(name);
	memcpy(query, header, sizeof header);
	query[12] = (unsigned char)length;
	memcpy(query + 13, name, length);
	query[13 + length] = 0;
	memcpy(query + 14 + length, question, sizeof question);
	return 18 + length;
}

int main(int argc, char **argv)
{
	static unsigned char answers[WINDOW_MOST][512];
	static float samples[SAMPLES];
	static struct mmsghdr out[WINDOW_MOST], in[WINDOW_MOST];
	static struct iovec to[WINDOW_MOST], from[WINDOW_MOST];
	unsigned char query[128];
	if (argc != 4 || strlen(argv[1]) > 63)
		return 2;
	int window = atoi(argv[3]), fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = inet_addr("127.0.0.11")};
	if (window < 1 || window > WINDOW_MOST || connect(fd, (struct sockaddr *)&server, sizeof server) < 0)
		return 2;
	size_t length = encode(query, argv[1]), count = 0, sampled = 0;
	for (int i = 0; i < window; i++) {
		to[i] = (struct iovec){query, length};
		from[i] = (struct iovec){answers[i], sizeof answers[i]};
		out[i].msg_hdr = (struct msghdr){.msg_iov = &to[i], .msg_iovlen = 1};
		in[i].msg_hdr = (struct msghdr){.msg_iov = &from[i], .msg_iovlen = 1};
	}
	double begun = seconds(), end = begun + atof(argv[2]), now = begun;
	for (int due = window; now < end;) {
		double asked = now;
		if (sendmmsg(fd, out, (unsigned)due, 0) != due || (due = recvmmsg(fd, in, (unsigned)window, MSG_WAITFORONE, NULL)) <= 0) {
			perror("dns-bench");
			return 1;
		}
		now = seconds();
		count += (size_t)due;
		if (sampled < SAMPLES)
			samples[sampled++] = (float)((now - asked) * 1e6);
	}
	qsort(samples, sampled, sizeof *samples, compare);
	printf("%.0f per second", (double)count / (now - begun));
	if (window == 1)
		printf(", p50 %.1f us, p99 %.1f us", (double)samples[sampled / 2], (double)samples[sampled * 99 / 100]);
	printf("\n");
	return 0;
}
