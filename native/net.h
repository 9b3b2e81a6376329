/* The container's network namespace: made or joined, its interfaces, addresses, routes, sysctls. */
#ifndef BERTH_NET_H
#define BERTH_NET_H

#include "common.h"

#define NET_LINKS 64
#define NET_ADDRESSES 8
#define NET_SYSCTLS 64

/*
 * One interface: the end of a veth pair into a bridge, or one of its own on a link of the host. It is called NAME, or
 * eth0, eth1, … in the order given.
 */
struct net_link {
	enum { LINK_VETH, LINK_MACVLAN, LINK_IPVLAN } kind;
	const char *veth, *name, *bridge, *mac;
	const char *parent; /* of macvlan and ipvlan */
	uint32_t mode;	    /* as linux/if_link.h has them */
	uint16_t flags;
	uint64_t mtu;
	const char *addresses[NET_ADDRESSES], *gateways[NET_ADDRESSES];
	size_t address_count, gateway_count;
};

struct net_config {
	enum { NET_HOST, NET_NEW, NET_JOIN } mode;
	const char *path; /* of the namespace to join */
	struct net_link links[NET_LINKS];
	struct {
		const char *key, *value;
	} sysctls[NET_SYSCTLS];
	size_t link_count, sysctl_count;
};

/* What `macvlan MODE PARENT` or `ipvlan MODE FLAG PARENT` says, cut at its blanks. */
int net_parse_shared(struct net_link *link, const char *kind, char *value);

/* Puts this process into the namespace that `config` asks for; -1 with failure() on error. */
int net_enter(const struct net_config *config);

/*
 * Takes all interfaces down, if the namespace was made here: it lives on while another container has joined it or a closed
 * connection has something left to send, and its addresses are given to others. Going down costs no grace period that
 * anybody waits for; removal would.
 */
void net_silence(const struct net_config *config);

#endif
