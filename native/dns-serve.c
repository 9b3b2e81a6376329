/* One query: out of the table of its container, or upstream. And the datagrams that bring queries. */
#include "dns.h"

#include <sys/socket.h>

#define BATCH 16 /* datagrams of one container before the next one's turn */

static size_t answer_name(const struct query *query, const struct addresses *found, unsigned char *out, size_t limit)
{
	struct reply reply;
	size_t size = query->type == TYPE_A ? 4 : 16;
	const unsigned char *addresses = query->type == TYPE_A ? found->v4 : found->v6;
	size_t count = query->type == TYPE_A ? found->v4_count : query->type == TYPE_AAAA ? found->v6_count : 0;
	reply_begin(&reply, query, RCODE_OK, out, limit);
	/* Each answer begins with another address, so that whoever takes the first spreads over all. */
	size_t first = count > 1 ? dns.rotation++ % count : 0;
	for (size_t i = 0; i < count; i++)
		reply_address(&reply, addresses + (first + i) % count * size, size);
	return reply_end(&reply, query);
}

static size_t answer_pointer(const struct query *query, const char *name, size_t length, unsigned char *out, size_t limit)
{
	struct reply reply;
	reply_begin(&reply, query, RCODE_OK, out, limit);
	if (query->type == TYPE_PTR)
		reply_pointer(&reply, name, length);
	return reply_end(&reply, query);
}

static size_t answer_plain(const struct query *query, int rcode, unsigned char *out, size_t limit)
{
	struct reply reply;
	reply_begin(&reply, query, rcode, out, limit);
	return reply_end(&reply, query);
}

/* From the table; 0 when it knows nothing of the name. */
static size_t answer_known(const struct table *table, const struct query *query, unsigned char *out, size_t limit)
{
	struct addresses found;
	unsigned char address[16];
	size_t length;
	if (query->class != CLASS_IN && query->class != CLASS_ANY)
		return 0;
	bool known = table_name(table, query->name, query->name_length, &found);
	size_t size = known ? 0 : query_address(query, address);
	const char *name = size == 0 ? NULL : table_pointer(table, address, size, &length);
	if (!known && name == NULL)
		return 0;
	if (query->edns_version > 0)
		return answer_plain(query, RCODE_OK, out, limit);
	return known ? answer_name(query, &found, out, limit) : answer_pointer(query, name, length, out, limit);
}

size_t serve(const struct asker *asker, const unsigned char *packet, size_t length, unsigned char *out, size_t capacity)
{
	struct query query = {0};
	int rcode = query_parse(packet, length, &query);
	if (rcode == QUERY_DROP)
		return 0;
	if (rcode != RCODE_OK)
		return reply_error(packet, rcode, out);
	if (!query.edns)
		query.edns_version = 0;
	size_t limit = asker->client != NULL ? capacity : query_limit(&query, capacity);
	const struct table *table = asker->container->table;
	size_t answer = answer_known(table, &query, out, limit);
	if (answer > 0)
		return answer;
	/* That there is nothing is an answer which every libc takes at once; for failures some wait until they time out. */
	rcode = table->upstream == UPSTREAM_NONE ? RCODE_NXDOMAIN : forward(asker, &query);
	return rcode == RCODE_OK ? 0 : answer_plain(&query, rcode, out, limit);
}

static struct {
	unsigned char queries[BATCH][QUERY_MOST], answers[BATCH][ANSWER_MOST];
	struct sockaddr_in peers[BATCH];
	struct iovec in[BATCH], out[BATCH];
	struct mmsghdr received[BATCH], sent[BATCH];
} udp;

void serve_udp(struct watch *watch, uint32_t events)
{
	struct container *container = OWNER(watch, struct container, udp);
	unsigned answers = 0;
	(void)events;
	for (int i = 0; i < BATCH; i++) {
		udp.in[i] = (struct iovec){.iov_base = udp.queries[i], .iov_len = QUERY_MOST};
		udp.received[i].msg_hdr = (struct msghdr){
			.msg_iov = &udp.in[i], .msg_iovlen = 1, .msg_name = &udp.peers[i], .msg_namelen = sizeof udp.peers[i]};
	}
	int count = recvmmsg(watch->fd, udp.received, BATCH, 0, NULL);
	for (int i = 0; i < count; i++) {
		struct asker asker = {.container = container, .peer = udp.peers[i]};
		if ((udp.received[i].msg_hdr.msg_flags & MSG_TRUNC) != 0)
			continue;
		size_t length = serve(&asker, udp.queries[i], udp.received[i].msg_len, udp.answers[answers], ANSWER_MOST);
		if (length == 0)
			continue;
		udp.out[answers] = (struct iovec){.iov_base = udp.answers[answers], .iov_len = length};
		udp.sent[answers].msg_hdr = udp.received[i].msg_hdr;
		udp.sent[answers].msg_hdr.msg_flags = 0;
		udp.sent[answers].msg_hdr.msg_iov = &udp.out[answers];
		answers++;
	}
	/* One that cannot be sent is lost, as datagrams are; those after it are not. */
	for (unsigned done = 0; done < answers;) {
		int sent = sendmmsg(watch->fd, udp.sent + done, answers - done, MSG_DONTWAIT);
		done += sent > 0 ? (unsigned)sent : 1;
	}
}

void deliver(const struct asker *asker, const unsigned char *answer, size_t length)
{
	if (asker->client != NULL)
		client_answer(asker->client, answer, length);
	else
		sendto(asker->container->udp.fd, answer, length, MSG_DONTWAIT, (const struct sockaddr *)&asker->peer,
		       sizeof asker->peer);
}
