/* Connections: what is read from them, what is owed to them, and when they end. Requests are in shim-request.c. */
#include "shim.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define LINE_LIMIT 512
#define FRAME_LIMIT 32768 /* payload of one stdcopy frame */

static void update(struct client *client);

/* Nobody reads any more; what still comes in is of use. */
static void lose(struct client *client)
{
	client->gone = true;
	buffer_free(&client->out);
}

static void flush(struct client *client)
{
	ssize_t sent = send(client->watch.fd, client->out.data, client->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		lose(client);
		return;
	}
	if (sent > 0)
		buffer_consume(&client->out, (size_t)sent);
	if (client->out.length == 0)
		buffer_free(&client->out);
}

/* Both parts at once where the socket takes them; the rest is kept. */
static void send_parts(struct client *client, const char *header, size_t header_length, const char *data, size_t length)
{
	struct iovec parts[2] = {{(void *)(uintptr_t)header, header_length}, {(void *)(uintptr_t)data, length}};
	ssize_t sent = 0;
	if (client->gone || client->dead)
		return;
	if (client->out.length == 0) {
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		sent = sendmsg(client->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			lose(client);
			update(client);
			return;
		}
	}
	size_t done = sent > 0 ? (size_t)sent : 0;
	for (int i = 0; i < 2; i++) {
		size_t skip = done < parts[i].iov_len ? done : parts[i].iov_len;
		done -= skip;
		if (buffer_append(&client->out, (char *)parts[i].iov_base + skip, parts[i].iov_len - skip) < 0)
			client->dead = true; /* a stream with a hole is worse than none */
	}
	update(client);
}

/*
 * A stream is ended, but not closed before its client has read the end and closes too: input that it is still sending
 * would otherwise turn into a connection error and cost it output that it has not read yet.
 */
static uint32_t close_gently(struct client *client)
{
	if (client->kind != CLIENT_STREAM || client->input_ended || client->gone) {
		client->dead = true;
		return 0;
	}
	if (!client->shut)
		shutdown(client->watch.fd, SHUT_WR);
	client->shut = true;
	return EPOLLIN;
}

/* What to wait for; a client that owes and is owed nothing any more is dead. */
static void update(struct client *client)
{
	const struct process *process = client->process;
	uint32_t events = client->out.length > 0 ? EPOLLOUT : 0;
	bool reads = client->kind == CLIENT_STREAM && client->wants[0] && !client->input_ended && process != NULL;
	if (client->kind == CLIENT_REQUEST)
		events |= EPOLLIN;
	/* Input is left in the socket until the process takes it. */
	if (reads && process->state == PROCESS_RUNNING && client->in.length == 0)
		events |= EPOLLIN;
	if (client->closing && client->out.length == 0)
		events |= close_gently(client);
	bool feeds = reads || (process != NULL && client->wants[0] && (client->kind == CLIENT_WAITING || client->in.length > 0));
	if (client->gone && client->kind != CLIENT_REQUEST && !feeds)
		client->dead = true;
	if (client->gone && events == 0)
		watch_pause(&client->watch);
	else
		watch_set(&client->watch, events);
}

/* End of input of one client: by rule also that of the process. */
static void end_input(struct client *client)
{
	struct process *process = client->process;
	if (process != NULL && (process != shim.init || shim.config.stdin_once))
		process_close_stdin(process);
}

static void discard_input(struct client *client)
{
	ssize_t got = read(client->watch.fd, shim.io, sizeof shim.io);
	client->dead = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* Straight on to the process; what it does not take is kept and stops further reading. */
static void read_input(struct client *client)
{
	ssize_t got = read(client->watch.fd, shim.io, sizeof shim.io);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		client->input_ended = true;
	else if (buffer_append(&client->in, shim.io, (size_t)got) < 0)
		client->dead = true;
	process_feed(client->process);
}

bool client_feed(struct process *process)
{
	bool drained = true;
	for (struct client *client = shim.clients; client != NULL; client = client->next) {
		if (client->process != process || client->kind != CLIENT_STREAM || !client->wants[0])
			continue;
		while (client->in.length > 0 && process->in.fd >= 0) {
			ssize_t put = write(process->in.fd, client->in.data, client->in.length);
			if (put > 0)
				buffer_consume(&client->in, (size_t)put);
			else if (errno == EAGAIN)
				break;
			else if (errno != EINTR)
				watch_close(&process->in); /* nobody reads it */
		}
		if (process->in.fd < 0 || client->in.length == 0)
			buffer_free(&client->in);
		else
			drained = false;
		if (client->input_ended && client->in.length == 0)
			end_input(client);
		update(client);
	}
	return drained;
}

static void read_request(struct client *client)
{
	ssize_t got = buffer_read(&client->in, client->watch.fd, LINE_LIMIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	char *end = got > 0 ? memchr(client->in.data, '\n', client->in.length) : NULL;
	if (end == NULL) {
		client->dead = got <= 0 || client->in.length >= LINE_LIMIT;
		return;
	}
	char line[2 * LINE_LIMIT];
	size_t length = (size_t)(end - client->in.data);
	memcpy(line, client->in.data, length);
	line[length] = '\0';
	/* What follows the line already belongs to the stream. */
	buffer_consume(&client->in, length + 1);
	request_handle(client, line);
}

static void on_client(struct watch *watch, uint32_t events)
{
	struct client *client = OWNER(watch, struct client, watch);
	if (events & (EPOLLHUP | EPOLLERR))
		lose(client);
	if (client->out.length > 0)
		flush(client);
	if (events & (EPOLLIN | EPOLLHUP) && client->kind == CLIENT_REQUEST)
		read_request(client);
	else if (events & EPOLLIN && client->shut)
		discard_input(client);
	else if (events & EPOLLIN && client->kind == CLIENT_STREAM && client->process != NULL)
		read_input(client);
	update(client);
	/* It may have been the one that the others of this process waited for. */
	if (client->process != NULL)
		process_flow(client->process);
}

static void on_connection(struct watch *watch, uint32_t events)
{
	(void)events;
	struct ucred peer;
	socklen_t size = sizeof peer;
	cleanup_close int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid())
		return;
	struct client *client = calloc(1, sizeof *client);
	if (client == NULL)
		return;
	client->peer = peer.pid;
	watch_init(&client->watch, take_fd(&fd), on_client);
	client->next = shim.clients;
	shim.clients = client;
	update(client);
}

void client_listen(int fd)
{
	watch_init(&shim.listener, fd, on_connection);
	watch_set(&shim.listener, EPOLLIN);
}

void client_reply(struct client *client, const char *format, ...)
{
	cleanup_buffer struct buffer line = {0};
	va_list args;
	va_start(args, format);
	client->dead = buffer_vprintf(&line, format, args) < 0 || buffer_append(&line, "\n", 1) < 0;
	va_end(args);
	client->kind = CLIENT_REPLIED;
	client->closing = true;
	send_parts(client, line.data, line.length, NULL, 0);
	update(client);
}

void client_started(struct client *client, struct process *process)
{
	bool stream = client->process == process && (client->wants[0] || client->wants[1] || client->wants[2]);
	client_reply(client, "ok %d", (int)process->pid);
	if (!stream)
		return;
	client_stream(client, process);
}

void client_stream(struct client *client, struct process *process)
{
	client->kind = CLIENT_STREAM;
	client->process = process;
	client->closing = false;
	client->dead = false;
	if (!client->wants[0])
		buffer_free(&client->in);
	update(client);
}

void client_output(struct process *process, int stream, const char *data, size_t length)
{
	for (struct client *client = shim.clients; client != NULL; client = client->next) {
		if (client->process != process || client->kind != CLIENT_STREAM)
			continue;
		if (process->tty) {
			if (client->wants[1] || client->wants[2])
				send_parts(client, NULL, 0, data, length);
			continue;
		}
		for (size_t done = 0; client->wants[stream] && done < length;) {
			size_t size = length - done < FRAME_LIMIT ? length - done : FRAME_LIMIT;
			const char header[8] = {(char)stream,	    0, 0, 0, 0, (char)(size >> 16), (char)(size >> 8),
						(char)(size & 0xff)};
			send_parts(client, header, sizeof header, data + done, size);
			done += size;
		}
	}
}

bool client_clogged(const struct process *process, int stream)
{
	for (const struct client *client = shim.clients; client != NULL; client = client->next)
		if (client->process == process && client->kind == CLIENT_STREAM && !client->dead &&
		    (client->wants[stream] || process->tty) && client->out.length > CLIENT_LIMIT)
			return true;
	return false;
}

void client_finish(struct process *process)
{
	for (struct client *client = shim.clients; client != NULL; client = client->next) {
		if (client->process != process)
			continue;
		client->process = NULL;
		client->closing = true;
		buffer_free(&client->in);
		update(client);
	}
}

void client_finish_watchers(void)
{
	for (struct client *client = shim.clients; client != NULL; client = client->next)
		if (client->kind == CLIENT_WATCHER) {
			client->closing = true;
			update(client);
		}
}

bool client_watched(void)
{
	for (const struct client *client = shim.clients; client != NULL; client = client->next)
		if (client->kind == CLIENT_WATCHER && !client->gone && !client->dead)
			return true;
	return false;
}

bool client_any(void)
{
	return shim.clients != NULL;
}

bool client_pending(void)
{
	for (const struct client *client = shim.clients; client != NULL; client = client->next)
		if ((client->out.length > 0 || client->shut) && !client->dead)
			return true;
	return false;
}

static void client_free(struct client *client)
{
	struct process *process = client->process;
	if (process != NULL && process->requester == client)
		process->requester = NULL;
	bool ended = client->kind == CLIENT_STREAM && client->wants[0] && !client->input_ended;
	if (ended)
		end_input(client);
	watch_close(&client->watch);
	buffer_free(&client->in);
	buffer_free(&client->out);
	free(client);
	if (process != NULL)
		process_flow(process);
}

void client_sweep(void)
{
	for (struct client **at = &shim.clients; *at != NULL;) {
		struct client *client = *at;
		if (!client->dead) {
			at = &client->next;
			continue;
		}
		*at = client->next;
		client_free(client);
	}
}

/* --- events --- */

void client_watch(struct client *client)
{
	client->kind = CLIENT_WATCHER;
	send_parts(client, shim.history.data, shim.history.length, NULL, 0);
}

void client_event(bool keep, const char *format, ...)
{
	cleanup_buffer struct buffer line = {0};
	va_list args;
	va_start(args, format);
	int made = buffer_vprintf(&line, format, args) < 0 ? -1 : buffer_append(&line, "\n", 1);
	va_end(args);
	if (made < 0)
		return;
	if (keep)
		buffer_append(&shim.history, line.data, line.length);
	for (struct client *client = shim.clients; client != NULL; client = client->next) {
		if (client->kind != CLIENT_WATCHER)
			continue;
		send_parts(client, line.data, line.length, NULL, 0);
		/* It can come back and hear everything again. */
		if (client->out.length > CLIENT_LIMIT)
			client->dead = true;
	}
}

void client_forget_events(const char *exec)
{
	char needle[ID_LENGTH + 4];
	int needle_length = snprintf(needle, sizeof needle, " %s ", exec);
	char *end = shim.history.data + shim.history.length, *to = shim.history.data;
	for (char *from = to, *next; from < end; from = next) {
		char *newline = memchr(from, '\n', (size_t)(end - from));
		next = newline == NULL ? end : newline + 1;
		if (memmem(from, (size_t)(next - from), needle, (size_t)needle_length) != NULL)
			continue;
		memmove(to, from, (size_t)(next - from));
		to += next - from;
	}
	shim.history.length = (size_t)(to - shim.history.data);
}
