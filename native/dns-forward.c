/*
 * Queries that the tables do not know, asked upstream: the host's servers from its network namespace, a container's own
 * ones from the container's. Each has a socket of its own: its port is random, the kernel lets only the server that was
 * asked answer, and the id and the question must match. What came by TCP is asked by TCP.
 */
#include "dns.h"

#include <sys/random.h>
#include <sys/socket.h>

#define ROUNDS 2	      /* through all servers */
#define PATIENCE_UDP 2000     /* milliseconds for one server */
#define PATIENCE_TCP 4000

struct forward {
	struct forward *next;
	struct asker asker;
	struct watch watch;
	size_t server, server_count;
	int round;
	int64_t deadline;
	uint16_t id; /* of the query upstream */
	bool dead, inside;
	size_t sent; /* by TCP, with the length before it */
	struct buffer received;
	size_t question, length;
	struct server servers[SERVERS_MOST];
	unsigned char query[]; /* length as TCP wants it before it, then the message with the asker's own id */
};

static unsigned char message[MESSAGE_MOST];

static uint16_t random_id(void)
{
	static uint16_t pool[128];
	static size_t left;
	if (left == 0) {
		if (getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool)
			die("no random numbers: %m");
		left = ARRAY_LENGTH(pool);
	}
	return pool[--left];
}

static unsigned char *packet_of(struct forward *forward)
{
	return forward->query + 2;
}

/* Delivering may end a connection, and with it this. */
static void drop(struct forward *forward)
{
	if (forward->dead)
		return;
	watch_close(&forward->watch);
	buffer_free(&forward->received);
	forward->asker.container->forward_count--;
	dns.forward_count--;
	if (forward->asker.client != NULL)
		client_pending(forward->asker.client, -1);
	forward->dead = dns.dirty = true;
}

/* An answer in `data`, which is changed: the asker's id goes in, and what is too much for it comes off. */
static void finish(struct forward *forward, unsigned char *data, size_t length)
{
	struct query query;
	struct asker asker = forward->asker;
	memcpy(data, packet_of(forward), 2);
	if (asker.client == NULL && query_parse(packet_of(forward), forward->length, &query) == RCODE_OK &&
	    length > query_limit(&query, MESSAGE_MOST)) {
		length = 12 + forward->question;
		data[2] |= 0x02; /* TC */
		memset(data + 6, 0, 6);
	}
	deliver(&asker, data, length);
	drop(forward);
}

static void give_up(struct forward *forward)
{
	struct query query;
	struct reply reply;
	unsigned char data[ANSWER_MOST];
	if (query_parse(packet_of(forward), forward->length, &query) != RCODE_OK) {
		drop(forward);
		return;
	}
	query.edns_version = 0;
	reply_begin(&reply, &query, RCODE_SERVFAIL, data, 512);
	finish(forward, data, reply_end(&reply, &query));
}

static void on_udp(struct watch *watch, uint32_t events);
static void on_tcp(struct watch *watch, uint32_t events);

/* Of the namespace that the server is to be asked from, which a socket belongs to for good. */
static int open_socket(const struct forward *forward, const struct server *server, int type)
{
	/* An interface was named: one of the host's. */
	bool inside = forward->inside && (server->address.any.sa_family != AF_INET6 || server->address.v6.sin6_scope_id == 0);
	/* That is ourselves. */
	if (inside && server->address.any.sa_family == AF_INET && server->address.v4.sin_addr.s_addr == htonl(OWN_ADDRESS))
		return -1;
	if (inside && container_enter(forward->asker.container) < 0)
		return -1;
	int fd = socket(server->address.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (inside)
		container_leave();
	return fd;
}

/* One server, by a fresh socket. */
static int ask(struct forward *forward)
{
	const struct server *server = &forward->servers[forward->server];
	bool tcp = forward->asker.client != NULL;
	int fd = open_socket(forward, server, tcp ? SOCK_STREAM : SOCK_DGRAM);
	watch_close(&forward->watch);
	watch_init(&forward->watch, fd, tcp ? on_tcp : on_udp);
	if (fd < 0 || (connect(fd, &server->address.any, server->length) < 0 && errno != EINPROGRESS))
		return -1;
	forward->id = random_id();
	forward->sent = forward->received.length = 0;
	forward->deadline = dns.now + (tcp ? PATIENCE_TCP : PATIENCE_UDP);
	timer_at(forward->deadline);
	if (watch_set(&forward->watch, tcp ? EPOLLOUT : EPOLLIN) < 0)
		return -1;
	if (tcp)
		return 0;
	memcpy(message, packet_of(forward), forward->length);
	memcpy(message, &(uint16_t){htons(forward->id)}, 2);
	return send(fd, message, forward->length, 0) < 0 ? -1 : 0;
}

static bool next_server(struct forward *forward)
{
	if (++forward->server == forward->server_count) {
		forward->server = 0;
		forward->round++;
	}
	return forward->round < ROUNDS;
}

/* This server, or the first after it that can be asked at all. */
static void ask_any(struct forward *forward)
{
	while (ask(forward) < 0)
		if (!next_server(forward)) {
			give_up(forward);
			return;
		}
}

static void ask_next(struct forward *forward)
{
	if (next_server(forward))
		ask_any(forward);
	else
		give_up(forward);
}

/* A server that will not answer is passed over while there are others. */
static bool refused(const struct forward *forward, const unsigned char *answer)
{
	int rcode = answer[3] & 15;
	bool last = forward->server + 1 == forward->server_count;
	return !last && (rcode == RCODE_SERVFAIL || rcode == RCODE_REFUSED || rcode == RCODE_NOTIMP);
}

static bool matches(struct forward *forward, const unsigned char *answer, size_t length)
{
	return answer_matches(answer, length, forward->id, packet_of(forward) + 12, forward->question);
}

static void on_udp(struct watch *watch, uint32_t events)
{
	struct forward *forward = OWNER(watch, struct forward, watch);
	(void)events;
	ssize_t length = recv(watch->fd, message, sizeof message, 0);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Somebody guesses; the true answer may still come. */
	if (length >= 0 && !matches(forward, message, (size_t)length))
		return;
	if (length < 0 || refused(forward, message))
		ask_next(forward);
	else
		finish(forward, message, (size_t)length);
}

static int send_tcp(struct forward *forward)
{
	size_t total = forward->length + 2;
	memcpy(message, forward->query, total);
	memcpy(message + 2, &(uint16_t){htons(forward->id)}, 2);
	ssize_t put = send(forward->watch.fd, message + forward->sent, total - forward->sent, MSG_NOSIGNAL);
	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	forward->sent += (size_t)put;
	return forward->sent < total ? 0 : watch_set(&forward->watch, EPOLLIN);
}

/* 1 when the whole answer is there. */
static int receive_tcp(struct forward *forward)
{
	struct buffer *received = &forward->received;
	ssize_t got = buffer_read(received, forward->watch.fd, 4096);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return -1;
	if (received->length < 2)
		return 0;
	const unsigned char *data = (const unsigned char *)received->data;
	return received->length >= 2u + (size_t)(data[0] << 8 | data[1]);
}

static void on_tcp(struct watch *watch, uint32_t events)
{
	struct forward *forward = OWNER(watch, struct forward, watch);
	int result = (events & EPOLLOUT) != 0 ? send_tcp(forward) : receive_tcp(forward);
	if (result == 0)
		return;
	unsigned char *answer = (unsigned char *)forward->received.data + 2;
	size_t length = result < 0 ? 0 : (size_t)(answer[-2] << 8 | answer[-1]);
	if (result < 0 || !matches(forward, answer, length) || refused(forward, answer))
		ask_next(forward);
	else
		finish(forward, answer, length);
}

/* Room for one more: the oldest of the container that has most has to go, unless that is the asker itself. */
static bool make_room(const struct container *asking)
{
	if (asking->forward_count >= FORWARDS_EACH)
		return false;
	if (dns.forward_count < FORWARDS_MOST)
		return true;
	const struct container *most = asking;
	for (const struct container *container = dns.containers; container != NULL; container = container->next)
		if (container->forward_count > most->forward_count)
			most = container;
	struct forward *oldest = NULL;
	/* New ones stand in front. */
	for (struct forward *forward = dns.forwards; forward != NULL; forward = forward->next)
		if (!forward->dead && forward->asker.container == most)
			oldest = forward;
	if (most == asking || oldest == NULL)
		return false;
	give_up(oldest);
	return true;
}

int forward(const struct asker *asker, const struct query *query)
{
	const struct table *table = asker->container->table;
	if (!make_room(asker->container))
		return RCODE_REFUSED;
	struct forward *forward = calloc(1, sizeof *forward + 2 + query->length);
	if (forward == NULL)
		return RCODE_SERVFAIL;
	if (table->upstream == UPSTREAM_HOST) {
		forward->server_count = host_servers(forward->servers);
	} else {
		forward->server_count = table->server_count;
		memcpy(forward->servers, table->servers, sizeof table->servers);
	}
	if (forward->server_count == 0) {
		free(forward);
		return RCODE_SERVFAIL;
	}
	forward->asker = *asker;
	forward->inside = table->upstream == UPSTREAM_SERVERS;
	watch_init(&forward->watch, -1, on_udp);
	forward->question = query->question;
	forward->length = query->length;
	forward->query[0] = (unsigned char)(query->length >> 8);
	forward->query[1] = (unsigned char)query->length;
	memcpy(packet_of(forward), query->packet, query->length);
	forward->next = dns.forwards;
	dns.forwards = forward;
	dns.forward_count++;
	asker->container->forward_count++;
	if (asker->client != NULL)
		client_pending(asker->client, 1);
	ask_any(forward);
	return RCODE_OK;
}

void forward_drop_all(const struct container *container, const struct client *client)
{
	for (struct forward *forward = dns.forwards; forward != NULL; forward = forward->next)
		if (!forward->dead && forward->asker.container == container &&
		    (client == NULL || forward->asker.client == client))
			drop(forward);
}

void forward_expire(void)
{
	for (struct forward *forward = dns.forwards; forward != NULL; forward = forward->next) {
		if (!forward->dead && forward->deadline <= dns.now)
			ask_next(forward);
		if (!forward->dead)
			timer_at(forward->deadline);
	}
}

void forward_sweep(void)
{
	for (struct forward **at = &dns.forwards; *at != NULL;) {
		struct forward *forward = *at;
		if (!forward->dead) {
			at = &forward->next;
			continue;
		}
		*at = forward->next;
		free(forward);
	}
}
