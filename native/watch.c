/*
 * berth-watch TABLE: says what the kernel tells about one nft table of the inet family and about bridges, as it happens.
 * Ends with its standard input. Lines: native/PROTOCOL.md.
 */
#include "common.h"

#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif
#ifndef NFPROTO_INET
#define NFPROTO_INET 1
#endif
/* Every message of nf_tables but that of a generation names its table in its first attribute. */
#define TABLE_ATTRIBUTE 1
/* A transaction tells about each of its elements. */
#define RECEIVE_BUFFER (8 << 20)

static const char *table;
/* The transaction whose messages are being read has changed the table. */
static bool touched;

static void say(const char *line)
{
	size_t length = strlen(line);
	if (write_all(STDOUT_FILENO, line, length) < 0)
		exit(0); /* nobody listens any more */
}

static int listen_to(int protocol, int group)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return fail("netlink socket: %m");
	int size = RECEIVE_BUFFER;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return fail("netlink bind: %m");
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
		return fail("netlink group %d: %m", group);
	return take_fd(&fd);
}

/* The attribute of that type in the rest of a message, or NULL. */
static const struct rtattr *attribute(const void *data, int length, unsigned short type)
{
	for (const struct rtattr *at = data; RTA_OK(at, length); at = RTA_NEXT(at, length))
		if ((at->rta_type & NLA_TYPE_MASK) == type)
			return at;
	return NULL;
}

static bool is_text(const struct rtattr *at, const char *text)
{
	return at != NULL && RTA_PAYLOAD(at) == strlen(text) + 1 && memcmp(RTA_DATA(at), text, strlen(text) + 1) == 0;
}

static void firewall_message(const struct nlmsghdr *header)
{
	if (NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
		return;
	if (NFNL_MSG_TYPE(header->nlmsg_type) == NFT_MSG_NEWGEN) {
		if (touched)
			say("table\n");
		touched = false;
		return;
	}
	const struct nfgenmsg *body = NLMSG_DATA(header);
	int length = (int)NLMSG_PAYLOAD(header, sizeof *body);
	if (length < 0 || body->nfgen_family != NFPROTO_INET)
		return;
	const char *attributes = (const char *)body + NLMSG_ALIGN(sizeof *body);
	touched = touched || is_text(attribute(attributes, length, TABLE_ATTRIBUTE), table);
}

static void link_message(const struct nlmsghdr *header)
{
	const struct ifinfomsg *body = NLMSG_DATA(header);
	int length = (int)NLMSG_PAYLOAD(header, sizeof *body);
	/* Messages of the bridge family are about ports. */
	if (length < 0 || body->ifi_family != AF_UNSPEC)
		return;
	bool gone = header->nlmsg_type == RTM_DELLINK;
	/* A new link is down, and says that everything has changed. */
	bool down = header->nlmsg_type == RTM_NEWLINK && !(body->ifi_flags & IFF_UP) && body->ifi_change != ~0U &&
		    (body->ifi_change & IFF_UP);
	const char *attributes = (const char *)body + NLMSG_ALIGN(sizeof *body);
	const struct rtattr *name = attribute(attributes, length, IFLA_IFNAME);
	const struct rtattr *info = attribute(attributes, length, IFLA_LINKINFO);
	if (!(gone || down) || name == NULL || info == NULL)
		return;
	if (!is_text(attribute(RTA_DATA(info), (int)RTA_PAYLOAD(info), IFLA_INFO_KIND), "bridge"))
		return;
	char line[IFNAMSIZ + 16];
	snprintf(line, sizeof line, "link %.*s\n", IFNAMSIZ, (const char *)RTA_DATA(name));
	say(line);
}

static int drain(int fd, void (*handle)(const struct nlmsghdr *))
{
	static _Alignas(NLMSG_ALIGNTO) char data[1 << 18];
	for (;;) {
		ssize_t got = recv(fd, data, sizeof data, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS) {
			say("lost\n");
			continue;
		}
		if (got < 0)
			return errno == EAGAIN ? 0 : fail("netlink: %m");
		int length = (int)got;
		for (const struct nlmsghdr *at = (struct nlmsghdr *)data; NLMSG_OK(at, (unsigned)length); at = NLMSG_NEXT(at, length))
			handle(at);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: berth-watch TABLE");
	table = argv[1];
	/* A terminal's signals are for the daemon, whose end is ours. */
	setsid();
	signal(SIGPIPE, SIG_IGN);
	int firewall = listen_to(NETLINK_NETFILTER, NFNLGRP_NFTABLES), links = listen_to(NETLINK_ROUTE, RTNLGRP_LINK);
	if (firewall < 0 || links < 0)
		die("%s", failure());
	say("ready\n");
	struct pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {firewall, POLLIN, 0}, {links, POLLIN, 0}};
	for (;;) {
		if (poll(polled, ARRAY_LENGTH(polled), -1) < 0 && errno != EINTR)
			die("poll: %m");
		char byte;
		if (polled[0].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			return 0;
		if (drain(firewall, firewall_message) < 0 || drain(links, link_message) < 0)
			die("%s", failure());
	}
}
