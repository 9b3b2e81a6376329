/* Requests to rtnetlink, several in one system call, each acknowledged. */
#ifndef BERTH_NETLINK_H
#define BERTH_NETLINK_H

#include "common.h"
#include <linux/rtnetlink.h>

#define NETLINK_MESSAGES 32

struct netlink_batch {
	_Alignas(NLMSG_ALIGNTO) char data[4096];
	size_t length;
	struct nlmsghdr *message; /* the one being written */
	const char *what[NETLINK_MESSAGES];
	uint32_t count;
	bool overflow;
};

/* A route netlink socket of the namespace that the caller is in. */
int netlink_open(void);

/* Begins a message; `what` says in a few words what it does, for error texts, and must outlive the batch. */
void netlink_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags, const char *what);
void netlink_body(struct netlink_batch *batch, const void *body, size_t length);
void netlink_attribute(struct netlink_batch *batch, uint16_t type, const void *data, size_t length);
void netlink_string(struct netlink_batch *batch, uint16_t type, const char *text);
void netlink_u32(struct netlink_batch *batch, uint16_t type, uint32_t value);
/* Opens a nested attribute; give the result to netlink_nest_end. */
size_t netlink_nest(struct netlink_batch *batch, uint16_t type);
void netlink_nest_end(struct netlink_batch *batch, size_t nest);

/*
 * Sends the batch and waits for every acknowledgement, then empties it. On failure: -1, errno and failure() of the
 * first message refused.
 */
int netlink_commit(int fd, struct netlink_batch *batch);

/* Index of an interface in the namespace of `fd`, or -1. */
int netlink_index(int fd, const char *name);

#endif
