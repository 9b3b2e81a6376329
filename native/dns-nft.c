/*
 * From port 53 to ours and back, inside a container's network namespace. The port itself stays free: containers that
 * serve DNS on all addresses could not bind it otherwise. Two headers are rewritten as they pass, without connection
 * tracking, which would cost memory for every query.
 */
#include "dns.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#define TABLE "berth-dns"
#define CHAIN "output"
#define PRIORITY (-300) /* raw */

static void begin(struct netlink_batch *batch, uint16_t message, uint16_t flags, const char *what)
{
	struct nfgenmsg body = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	netlink_begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, what);
	netlink_body(batch, &body, sizeof body);
}

/* The marks around a transaction are no requests and not always acknowledged. */
static void mark(struct netlink_batch *batch, uint16_t message)
{
	struct nfgenmsg body = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
	netlink_begin(batch, message, 0, "transaction");
	netlink_body(batch, &body, sizeof body);
	if (!batch->overflow)
		batch->message->nlmsg_flags = NLM_F_REQUEST;
}

static void put(struct netlink_batch *batch, uint16_t type, uint32_t value)
{
	netlink_u32(batch, type, htonl(value));
}

/* Opens an expression; closed with the two nests. */
static void expression(struct netlink_batch *batch, const char *name, size_t nests[2])
{
	nests[0] = netlink_nest(batch, NFTA_LIST_ELEM);
	netlink_string(batch, NFTA_EXPR_NAME, name);
	nests[1] = netlink_nest(batch, NFTA_EXPR_DATA);
}

static void expression_end(struct netlink_batch *batch, const size_t nests[2])
{
	netlink_nest_end(batch, nests[1]);
	netlink_nest_end(batch, nests[0]);
}

static void value(struct netlink_batch *batch, uint16_t type, const void *data, size_t length)
{
	size_t nest = netlink_nest(batch, type);
	netlink_attribute(batch, NFTA_DATA_VALUE, data, length);
	netlink_nest_end(batch, nest);
}

static void compare(struct netlink_batch *batch, const void *data, size_t length)
{
	size_t nests[2];
	expression(batch, "cmp", nests);
	put(batch, NFTA_CMP_SREG, NFT_REG_1);
	put(batch, NFTA_CMP_OP, NFT_CMP_EQ);
	value(batch, NFTA_CMP_DATA, data, length);
	expression_end(batch, nests);
}

/* Goes on when the bytes at `offset` of a header are these. */
static void match(struct netlink_batch *batch, uint32_t base, uint32_t offset, const void *data, size_t length)
{
	size_t nests[2];
	expression(batch, "payload", nests);
	put(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put(batch, NFTA_PAYLOAD_BASE, base);
	put(batch, NFTA_PAYLOAD_OFFSET, offset);
	put(batch, NFTA_PAYLOAD_LEN, (uint32_t)length);
	expression_end(batch, nests);
	compare(batch, data, length);
}

static void match_protocol(struct netlink_batch *batch, uint8_t protocol)
{
	size_t nests[2];
	expression(batch, "meta", nests);
	put(batch, NFTA_META_DREG, NFT_REG_1);
	put(batch, NFTA_META_KEY, NFT_META_L4PROTO);
	expression_end(batch, nests);
	compare(batch, &protocol, sizeof protocol);
}

static void set_port(struct netlink_batch *batch, uint32_t offset, uint16_t port, uint32_t checksum)
{
	size_t nests[2];
	expression(batch, "immediate", nests);
	put(batch, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	value(batch, NFTA_IMMEDIATE_DATA, &port, sizeof port);
	expression_end(batch, nests);
	expression(batch, "payload", nests);
	put(batch, NFTA_PAYLOAD_SREG, NFT_REG_1);
	put(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put(batch, NFTA_PAYLOAD_OFFSET, offset);
	put(batch, NFTA_PAYLOAD_LEN, sizeof port);
	put(batch, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	put(batch, NFTA_PAYLOAD_CSUM_OFFSET, checksum);
	expression_end(batch, nests);
}

/* Packets to (or from) 127.0.0.11 with port `from` get port `to`; both in network order. */
static void rule(struct netlink_batch *batch, uint8_t protocol, bool towards, uint16_t from, uint16_t to)
{
	uint32_t address = htonl(OWN_ADDRESS), port_offset = towards ? 2 : 0;
	begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, "add rule");
	netlink_string(batch, NFTA_RULE_TABLE, TABLE);
	netlink_string(batch, NFTA_RULE_CHAIN, CHAIN);
	size_t expressions = netlink_nest(batch, NFTA_RULE_EXPRESSIONS);
	match(batch, NFT_PAYLOAD_NETWORK_HEADER, towards ? 16 : 12, &address, sizeof address);
	match_protocol(batch, protocol);
	match(batch, NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, &from, sizeof from);
	set_port(batch, port_offset, to, protocol == IPPROTO_UDP ? 6 : 16);
	netlink_nest_end(batch, expressions);
}

static void chain(struct netlink_batch *batch)
{
	begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "add chain");
	netlink_string(batch, NFTA_CHAIN_TABLE, TABLE);
	netlink_string(batch, NFTA_CHAIN_NAME, CHAIN);
	netlink_string(batch, NFTA_CHAIN_TYPE, "filter");
	size_t hook = netlink_nest(batch, NFTA_CHAIN_HOOK);
	put(batch, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
	put(batch, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY);
	netlink_nest_end(batch, hook);
}

static void table(struct netlink_batch *batch, uint16_t message, uint16_t flags, const char *what)
{
	begin(batch, message, flags, what);
	netlink_string(batch, NFTA_TABLE_NAME, TABLE);
}

/* The kernel has carried it out, and written every answer, before sending returns. */
static int transact(struct netlink_batch *batch)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return fail("netfilter socket: %m");
	if (batch->overflow) {
		errno = EMSGSIZE;
		return fail("transaction is too long");
	}
	if (send(fd, batch->data, batch->length, 0) < 0)
		return fail("send to netfilter: %m");
	for (;;) {
		_Alignas(NLMSG_ALIGNTO) char replies[8192];
		ssize_t got = recv(fd, replies, sizeof replies, MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? 0 : fail("receive from netfilter: %m");
		unsigned left = (unsigned)got;
		for (struct nlmsghdr *reply = (struct nlmsghdr *)replies; NLMSG_OK(reply, left); reply = NLMSG_NEXT(reply, left)) {
			const struct nlmsgerr *error = NLMSG_DATA(reply);
			if (reply->nlmsg_type != NLMSG_ERROR || error->error == 0)
				continue;
			uint32_t number = reply->nlmsg_seq;
			errno = -error->error;
			return fail("%s: %m", number > 0 && number <= batch->count ? batch->what[number - 1] : "nft");
		}
	}
}

/* Table, chain and rules. Of an existing table nothing is changed: EEXIST. */
static int install(uint16_t port, bool replace)
{
	static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP};
	struct netlink_batch batch = {0};
	mark(&batch, NFNL_MSG_BATCH_BEGIN);
	/* Made so that it can be removed, whether it was there or not. */
	if (replace) {
		table(&batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, "add table");
		table(&batch, NFT_MSG_DELTABLE, 0, "delete table");
	}
	if (port != 0) {
		table(&batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, "add table");
		chain(&batch);
		for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++) {
			rule(&batch, protocols[i], true, htons(53), htons(port));
			rule(&batch, protocols[i], false, htons(port), htons(53));
		}
	}
	mark(&batch, NFNL_MSG_BATCH_END);
	return transact(&batch);
}

bool redirected(void)
{
	struct netlink_batch batch = {0};
	table(&batch, NFT_MSG_GETTABLE, 0, "get table");
	return transact(&batch) == 0;
}

/* Removing waits for the kernel's grace periods, so it is only done where there is something. */
int redirect(uint16_t port)
{
	if (port != 0 && install(port, false) == 0)
		return 0;
	return port != 0 && errno != EEXIST ? -1 : install(port, true);
}
