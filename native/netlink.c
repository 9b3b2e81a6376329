#include "netlink.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

int netlink_open(void)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return fail("netlink socket: %m");
	/* Short acknowledgements, with the kernel's own words where it has some; both only improve error texts. */
	int on = 1;
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	return take_fd(&fd);
}

static void *reserve(struct netlink_batch *batch, size_t length)
{
	size_t aligned = NLMSG_ALIGN(length);
	if (batch->overflow || batch->length + aligned > sizeof batch->data) {
		batch->overflow = true;
		return NULL;
	}
	void *at = batch->data + batch->length;
	memset(at, 0, aligned);
	batch->length += aligned;
	return at;
}

static void account(struct netlink_batch *batch)
{
	if (!batch->overflow)
		batch->message->nlmsg_len = (uint32_t)(batch->data + batch->length - (char *)batch->message);
}

void netlink_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags, const char *what)
{
	if (batch->count == NETLINK_MESSAGES)
		batch->overflow = true;
	struct nlmsghdr *header = reserve(batch, sizeof *header);
	if (header == NULL)
		return;
	batch->message = header;
	batch->what[batch->count++] = what;
	header->nlmsg_type = type;
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	header->nlmsg_seq = batch->count;
	account(batch);
}

void netlink_body(struct netlink_batch *batch, const void *body, size_t length)
{
	void *at = reserve(batch, length);
	if (at != NULL)
		memcpy(at, body, length);
	account(batch);
}

void netlink_attribute(struct netlink_batch *batch, uint16_t type, const void *data, size_t length)
{
	struct rtattr *attribute = reserve(batch, RTA_LENGTH(length));
	if (attribute != NULL) {
		attribute->rta_type = type;
		attribute->rta_len = (uint16_t)RTA_LENGTH(length);
		if (length > 0)
			memcpy(RTA_DATA(attribute), data, length);
	}
	account(batch);
}

void netlink_string(struct netlink_batch *batch, uint16_t type, const char *text)
{
	netlink_attribute(batch, type, text, strlen(text) + 1);
}

void netlink_u32(struct netlink_batch *batch, uint16_t type, uint32_t value)
{
	netlink_attribute(batch, type, &value, sizeof value);
}

size_t netlink_nest(struct netlink_batch *batch, uint16_t type)
{
	size_t nest = batch->length;
	netlink_attribute(batch, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void netlink_nest_end(struct netlink_batch *batch, size_t nest)
{
	if (batch->overflow)
		return;
	struct rtattr *attribute = (struct rtattr *)(batch->data + nest);
	attribute->rta_len = (uint16_t)(batch->length - nest);
}

/* The kernel's explanation of a refusal, if it gave one. */
static const char *explanation(const struct nlmsghdr *reply)
{
	if (!(reply->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	const struct nlmsgerr *error = NLMSG_DATA(reply);
	size_t skip = sizeof *error;
	if (!(reply->nlmsg_flags & NLM_F_CAPPED))
		skip += error->msg.nlmsg_len - sizeof error->msg;
	if (skip >= NLMSG_PAYLOAD(reply, 0))
		return NULL;
	int left = (int)(NLMSG_PAYLOAD(reply, 0) - skip);
	const struct rtattr *attribute = (const struct rtattr *)((const char *)NLMSG_DATA(reply) + NLMSG_ALIGN(skip));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if ((attribute->rta_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
			return RTA_DATA(attribute);
	return NULL;
}

/* Keeps the first refusal. */
static void acknowledge(const struct netlink_batch *batch, const struct nlmsghdr *reply, int *first)
{
	const struct nlmsgerr *error = NLMSG_DATA(reply);
	uint32_t number = reply->nlmsg_seq;
	if (error->error == 0 || *first != 0 || number == 0 || number > batch->count)
		return;
	*first = errno = -error->error;
	const char *why = explanation(reply);
	fail("%s: %m%s%s%s", batch->what[number - 1], why ? " (" : "", why ? why : "", why ? ")" : "");
}

int netlink_commit(int fd, struct netlink_batch *batch)
{
	uint32_t waiting = batch->count;
	int first = 0;
	if (batch->overflow) {
		errno = EMSGSIZE;
		return fail("too many addresses or routes");
	}
	if (waiting > 0 && send(fd, batch->data, batch->length, 0) < 0)
		return fail("send to netlink: %m");
	while (waiting > 0) {
		_Alignas(NLMSG_ALIGNTO) char replies[8192];
		ssize_t got = recv(fd, replies, sizeof replies, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail("receive from netlink: %m");
		unsigned left = (unsigned)got;
		for (struct nlmsghdr *reply = (struct nlmsghdr *)replies; NLMSG_OK(reply, left);
		     reply = NLMSG_NEXT(reply, left)) {
			if (reply->nlmsg_type != NLMSG_ERROR)
				continue;
			acknowledge(batch, reply, &first);
			waiting--;
		}
	}
	batch->length = 0;
	batch->count = 0;
	errno = first;
	return first == 0 ? 0 : -1;
}

int netlink_index(int fd, const char *name)
{
	struct ifreq request = {0};
	if (strlen(name) >= sizeof request.ifr_name) {
		errno = ENODEV;
		return -1;
	}
	strcpy(request.ifr_name, name);
	return ioctl(fd, SIOCGIFINDEX, &request) < 0 ? -1 : request.ifr_ifindex;
}
