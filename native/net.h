/* The container's network namespace: made or joined, one veth pair per link, addresses, routes, sysctls. */
#ifndef BERTH_NET_H
#define BERTH_NET_H

#include "common.h"

#define NET_LINKS 64
#define NET_ADDRESSES 8
#define NET_SYSCTLS 64

/* One veth pair into a bridge; the container's end is called NAME, or eth0, eth1, … in the order given. */
struct net_link {
	const char *veth, *name, *bridge, *mac;
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

/* Puts this process into the namespace that `config` asks for; -1 with failure() on error. */
int net_enter(const struct net_config *config);

#endif
