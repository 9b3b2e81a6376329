/* The daemon's connections and what they ask for (PROTOCOL.md §4). */
#include "dns.h"

#include <ctype.h>
#include <limits.h>
#include <sys/socket.h>

#define REQUEST_MOST (64u << 20)

struct control {
	struct control *next;
	struct watch watch;
	struct buffer in, out;
	bool dead;
};

static struct watch listener;

static bool is_id(const char *word)
{
	size_t length = strlen(word);
	if (length == 0 || length > ID_MOST)
		return false;
	for (; *word != '\0'; word++)
		if (!isalnum((unsigned char)*word) && *word != '-' && *word != '_')
			return false;
	return true;
}

/* attach ID PID [START PORT] */
static int line_attach(char *const words[], size_t count, struct table *table, bool lenient)
{
	uint64_t pid, start = 0, port = 0;
	if (table == NULL || count < 3 || !is_id(words[1]) || parse_number(words[2], INT_MAX, &pid) < 0 || pid == 0 ||
	    (count > 3 && parse_number(words[3], UINT64_MAX, &start) < 0) ||
	    (count > 4 && parse_number(words[4], UINT16_MAX, &port) < 0)) {
		errno = EINVAL;
		return fail("invalid attach");
	}
	if (container_attach(words[1], (pid_t)pid, start, (uint16_t)port, table) == 0)
		return 0;
	if (lenient)
		dprintf(STDERR_FILENO, "berth-dns: %s: %s\n", words[1], failure());
	return lenient ? 0 : -1;
}

static int print_list(struct buffer *reply)
{
	for (struct container *container = dns.containers; container != NULL; container = container->next)
		if (!container->dead && buffer_printf(reply, "container %s %d\n", container->id, (int)container->pid) < 0)
			return fail("no memory");
	return 0;
}

static int act(char *line, struct table *table, bool lenient, struct buffer *reply)
{
	char *words[6], *state = NULL;
	size_t count = 0;
	for (char *word = strtok_r(line, " ", &state); word != NULL && count < ARRAY_LENGTH(words);
	     word = strtok_r(NULL, " ", &state))
		words[count++] = word;
	if (count > 0 && count <= 5 && strcmp(words[0], "attach") == 0)
		return line_attach(words, count, table, lenient);
	struct container *container = count == 2 ? container_find(words[1]) : NULL;
	if (count == 2 && strcmp(words[0], "update") == 0 && table != NULL) {
		if (container != NULL)
			container_see(container, table);
		return 0;
	}
	if (count == 2 && strcmp(words[0], "detach") == 0) {
		if (container != NULL)
			container_detach(container);
		return 0;
	}
	if (count == 1 && strcmp(words[0], "list") == 0)
		return print_list(reply);
	if (count == 1 && strcmp(words[0], "stop") == 0) {
		dns.stop = true;
		return 0;
	}
	errno = EINVAL;
	return fail("invalid request %s", count > 0 ? words[0] : "");
}

static bool of_table(const char *line)
{
	return strncmp(line, "name ", 5) == 0 || strncmp(line, "pointer ", 8) == 0 || strncmp(line, "upstream ", 9) == 0;
}

/* The table that lines have described is complete with the first line that is about something else. */
int control_lines(char *text, bool lenient, struct buffer *reply)
{
	struct table *draft = NULL, *table = NULL;
	int result = 0;
	for (char *line; result == 0 && (line = next_line(&text)) != NULL;) {
		if (strcmp(line, "table") == 0) {
			table_release(draft);
			table_release(table);
			table = NULL;
			draft = table_new();
			result = draft == NULL ? fail("no memory") : 0;
			continue;
		}
		if (of_table(line)) {
			result = draft == NULL ? fail("%s belongs to no table", line) : table_line(draft, line);
			continue;
		}
		if (draft != NULL) {
			table = table_share(draft);
			draft = NULL;
			result = table == NULL ? -1 : 0;
		}
		if (result == 0)
			result = act(line, table, lenient, reply);
	}
	table_release(draft);
	table_release(table);
	return result;
}

static void drop(struct control *control)
{
	watch_close(&control->watch);
	control->dead = dns.dirty = true;
}

/* Error replies tell the number too: that a process is gone is nobody's fault. */
static void handle(struct control *control, char *text)
{
	cleanup_buffer struct buffer reply = {0};
	int result = control_lines(text, false, &reply);
	int error = errno;
	if (result == 0 && state_save() < 0) {
		error = errno;
		result = -1;
	}
	if (result < 0) {
		reply.length = 0;
		result = buffer_printf(&reply, "error %d %s\n", error, failure());
	} else {
		result = buffer_append(&reply, "ok\n", 3);
	}
	uint32_t length = (uint32_t)reply.length;
	if (result < 0 || buffer_append(&control->out, &length, sizeof length) < 0 ||
	    buffer_append(&control->out, reply.data, reply.length) < 0)
		drop(control);
}

static void handle_all(struct control *control)
{
	uint32_t length;
	while (!control->dead && control->in.length >= sizeof length) {
		memcpy(&length, control->in.data, sizeof length);
		if (length > REQUEST_MOST) {
			drop(control);
			return;
		}
		if (control->in.length - sizeof length < length)
			return;
		/* The byte after the request is borrowed to end the text. */
		if (buffer_reserve(&control->in, 1) < 0) {
			drop(control);
			return;
		}
		char *end = control->in.data + sizeof length + length, held = *end;
		*end = '\0';
		handle(control, control->in.data + sizeof length);
		*end = held;
		buffer_consume(&control->in, sizeof length + length);
	}
	if (control->in.length == 0)
		buffer_free(&control->in);
}

static void flush(struct control *control)
{
	if (control->dead || control->out.length == 0)
		return;
	ssize_t put = send(control->watch.fd, control->out.data, control->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		drop(control);
		return;
	}
	if (put > 0)
		buffer_consume(&control->out, (size_t)put);
	if (watch_set(&control->watch, EPOLLIN | (control->out.length > 0 ? EPOLLOUT : 0)) < 0)
		drop(control);
}

static void on_event(struct watch *watch, uint32_t events)
{
	struct control *control = OWNER(watch, struct control, watch);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
		ssize_t got = buffer_read(&control->in, watch->fd, 64 << 10);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
			drop(control);
			return;
		}
	}
	handle_all(control);
	flush(control);
}

/* Nobody but our own user; the socket's mode says so already. */
static bool trusted(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
}

static void on_connection(struct watch *watch, uint32_t events)
{
	(void)events;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct control *control = trusted(fd) ? calloc(1, sizeof *control) : NULL;
	if (control == NULL) {
		close_fd(&fd);
		return;
	}
	dns.used = true;
	watch_init(&control->watch, fd, on_event);
	control->next = dns.controls;
	dns.controls = control;
	if (watch_set(&control->watch, EPOLLIN) < 0)
		drop(control);
}

void control_listen(int fd)
{
	watch_init(&listener, fd, on_connection);
	if (watch_set(&listener, EPOLLIN) < 0)
		die("%s", failure());
}

void control_sweep(void)
{
	for (struct control **at = &dns.controls; *at != NULL;) {
		struct control *control = *at;
		if (!control->dead) {
			at = &control->next;
			continue;
		}
		*at = control->next;
		buffer_free(&control->in);
		buffer_free(&control->out);
		free(control);
	}
}
