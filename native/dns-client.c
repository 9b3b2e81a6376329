/* Connections by TCP (RFC 7766): several queries on one, answered as answers come. */
#include "dns.h"

#include <sys/socket.h>

#define IDLE 10000	       /* milliseconds without a byte */
#define PENDING_MOST 32	       /* queries of one connection under way upstream; then it is not read from */
#define UNSENT_MOST (64u << 10) /* bytes that a connection has not taken; then it is not read from */
#define ANSWER_TCP (16u << 10) /* bytes of an answer of our own */

struct client {
	struct client *next;
	struct container *container;
	struct watch watch;
	struct buffer in, out;
	int pending;
	int64_t deadline;
	bool ended; /* it sends no more */
	bool dead;
};

static void drop(struct client *client)
{
	if (client->dead)
		return;
	client->dead = dns.dirty = true;
	watch_close(&client->watch);
	forward_drop_all(client->container, client);
	client->container->client_count--;
	dns.client_count--;
}

static void touch(struct client *client)
{
	client->deadline = dns.now + IDLE;
	timer_at(client->deadline);
}

static void append(struct client *client, const unsigned char *answer, size_t length)
{
	unsigned char prefix[2] = {(unsigned char)(length >> 8), (unsigned char)length};
	if (buffer_append(&client->out, prefix, sizeof prefix) < 0 || buffer_append(&client->out, answer, length) < 0)
		drop(client);
}

static bool busy(const struct client *client)
{
	return client->pending >= PENDING_MOST || client->out.length >= UNSENT_MOST;
}

/* All whole queries that have arrived, as long as it may ask. */
static void take_queries(struct client *client)
{
	static unsigned char answer[ANSWER_TCP];
	struct asker asker = {.container = client->container, .client = client};
	size_t at = 0;
	while (!client->dead && !busy(client) && client->in.length - at >= 2) {
		const unsigned char *data = (const unsigned char *)client->in.data + at;
		size_t length = (size_t)(data[0] << 8 | data[1]);
		if (client->in.length - at - 2 < length)
			break;
		at += 2 + length;
		size_t size = serve(&asker, data + 2, length, answer, sizeof answer);
		if (size > 0)
			append(client, answer, size);
	}
	if (!client->dead)
		buffer_consume(&client->in, at);
}

static void send_answers(struct client *client)
{
	while (client->out.length > 0) {
		ssize_t put = send(client->watch.fd, client->out.data, client->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno != EAGAIN)
			drop(client);
		if (put < 0)
			return;
		buffer_consume(&client->out, (size_t)put);
	}
	buffer_free(&client->out);
}

/* Goes on with what may go on. */
static void advance(struct client *client)
{
	take_queries(client);
	if (!client->dead)
		send_answers(client);
	if (client->dead)
		return;
	if (client->in.length == 0)
		buffer_free(&client->in);
	if (client->ended && client->pending == 0 && client->out.length == 0) {
		drop(client);
		return;
	}
	uint32_t events = client->out.length > 0 ? EPOLLOUT : 0;
	if (!client->ended && !busy(client))
		events |= EPOLLIN;
	if (watch_set(&client->watch, events) < 0)
		drop(client);
}

static void on_event(struct watch *watch, uint32_t events)
{
	struct client *client = OWNER(watch, struct client, watch);
	if ((events & EPOLLIN) != 0) {
		ssize_t got = buffer_read(&client->in, watch->fd, 4096);
		client->ended = got == 0;
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			drop(client);
			return;
		}
	} else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
		drop(client);
		return;
	}
	touch(client);
	advance(client);
}

/* Frees a place by closing the connection that has been silent longest; `container` NULL: of anybody. */
static void make_room(const struct container *container)
{
	struct client *silent = NULL;
	for (struct client *client = dns.clients; client != NULL; client = client->next)
		if (!client->dead && (container == NULL || client->container == container) &&
		    (silent == NULL || client->deadline < silent->deadline))
			silent = client;
	if (silent != NULL)
		drop(silent);
}

void client_accept(struct watch *watch, uint32_t events)
{
	struct container *container = OWNER(watch, struct container, tcp);
	(void)events;
	if (container->client_count >= CLIENTS_EACH)
		make_room(container);
	else if (dns.client_count >= CLIENTS_MOST)
		make_room(NULL);
	int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* Without a free descriptor the connection would be announced for ever. */
		if (errno == EMFILE || errno == ENFILE)
			make_room(NULL);
		return;
	}
	struct client *client = calloc(1, sizeof *client);
	if (client == NULL) {
		close_fd(&fd);
		return;
	}
	client->container = container;
	watch_init(&client->watch, fd, on_event);
	client->next = dns.clients;
	dns.clients = client;
	container->client_count++;
	dns.client_count++;
	touch(client);
	advance(client);
}

/* May be called while queries of the same connection are being taken: what is sent is sent by whoever comes last. */
void client_answer(struct client *client, const unsigned char *answer, size_t length)
{
	if (client->dead)
		return;
	touch(client);
	append(client, answer, length);
	if (!client->dead && watch_set(&client->watch, EPOLLOUT | (client->watch.events & EPOLLIN)) < 0)
		drop(client);
}

void client_pending(struct client *client, int change)
{
	client->pending += change;
}

void client_drop_all(const struct container *container)
{
	for (struct client *client = dns.clients; client != NULL; client = client->next)
		if (!client->dead && client->container == container)
			drop(client);
}

void client_expire(void)
{
	for (struct client *client = dns.clients; client != NULL; client = client->next) {
		if (!client->dead && client->deadline <= dns.now && client->pending == 0)
			drop(client);
		if (!client->dead)
			timer_at(client->deadline > dns.now ? client->deadline : dns.now + IDLE);
	}
}

void client_sweep(void)
{
	for (struct client **at = &dns.clients; *at != NULL;) {
		struct client *client = *at;
		if (!client->dead) {
			at = &client->next;
			continue;
		}
		*at = client->next;
		buffer_free(&client->in);
		buffer_free(&client->out);
		free(client);
	}
}
