/*
 * DIRECTORY/state: who is attached and what they see, in the language of requests, so that a resolver that was killed is
 * set up again by being started. Replaced as a whole; not synced, since no process outlives a power cut.
 */
#include "dns.h"

#include <fcntl.h>

#define STATE_MOST (256u << 20)
#define SOON 20 /* milliseconds */

/* Containers of one table stand together, so that each table is written once. */
static int print(struct buffer *text)
{
	for (struct container *first = dns.containers; first != NULL; first = first->next) {
		bool begun = first->dead;
		for (struct container *other = dns.containers; other != first && !begun; other = other->next)
			begun = !other->dead && other->table == first->table;
		if (begun)
			continue;
		if (table_print(first->table, text) < 0)
			return -1;
		for (struct container *other = first; other != NULL; other = other->next)
			if (!other->dead && other->table == first->table &&
			    buffer_printf(text, "attach %s %d %llu %u\n", other->id, (int)other->pid,
					  (unsigned long long)other->start, other->port) < 0)
				return -1;
	}
	return 0;
}

int state_save(void)
{
	dns.unsaved = false;
	cleanup_buffer struct buffer text = {0};
	if (print(&text) < 0)
		return fail("state: no memory");
	cleanup_close int fd = open("state.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write_all(fd, text.data, text.length) < 0 || rename("state.new", "state") < 0)
		return fail("state: %m");
	return 0;
}

void state_save_soon(void)
{
	dns.unsaved = true;
	timer_at(dns.now + SOON);
}

void state_save_due(void)
{
	if (dns.unsaved && state_save() < 0)
		dprintf(STDERR_FILENO, "berth-dns: %s\n", failure());
}

int state_restore(void)
{
	cleanup_buffer struct buffer reply = {0};
	cleanup_free char *text = read_file(AT_FDCWD, "state", STATE_MOST, NULL);
	if (text == NULL)
		return errno == ENOENT ? 0 : fail("state: %m");
	return control_lines(text, true, &reply);
}
