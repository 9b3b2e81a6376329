/* The host's name servers: /etc/resolv.conf as it is at this moment. */
#include "dns.h"

#include <fcntl.h>
#include <sys/stat.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MOST (64u << 10)

size_t servers_parse(char *text, struct server *servers, size_t most)
{
	size_t count = 0;
	for (char *line; count < most && (line = next_line(&text)) != NULL;) {
		char *state = NULL, *keyword = strtok_r(line, " \t\r", &state), *value = strtok_r(NULL, " \t\r", &state);
		if (keyword == NULL || value == NULL || strcmp(keyword, "nameserver") != 0)
			continue;
		if (server_parse(value, &servers[count]) == 0)
			count++;
	}
	if (count == 0 && server_parse("127.0.0.1", &servers[0]) == 0)
		count = 1;
	return count;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A file that is missing, or being replaced, for a moment: what was read last goes on to count. */
size_t host_servers(struct server servers[SERVERS_MOST])
{
	static struct stat read_at;
	static struct server last[SERVERS_MOST];
	static size_t count;
	struct stat at;
	if (stat(RESOLV_CONF, &at) == 0 && (count == 0 || !same(&at, &read_at))) {
		cleanup_free char *text = read_file(AT_FDCWD, RESOLV_CONF, RESOLV_CONF_MOST, NULL);
		if (text != NULL) {
			memset(last, 0, sizeof last);
			count = servers_parse(text, last, SERVERS_MOST);
			read_at = at;
		}
	}
	memcpy(servers, last, sizeof last);
	return count;
}
