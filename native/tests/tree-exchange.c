/*
 * tree-exchange A B: exchanges two names as fast as it can until its standard input ends; says `ready` when it begins.
 * The attacker of the race tests. Static, since it runs in bare root directories.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	if (argc != 3 || write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 2;
	for (unsigned long count = 0; poll(&input, 1, 0) == 0; count++)
		for (int i = 0; i < 100; i++)
			if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) < 0) {
				perror("tree-exchange");
				return 1;
			}
	return 0;
}
