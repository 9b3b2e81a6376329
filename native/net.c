#include "net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include "netlink.h"

/* linux/if.h, which has it too, cannot be included next to net/if.h. */
#define LOOPBACK_INDEX 1

struct address {
	int family;
	unsigned prefix;
	size_t length;
	unsigned char bytes[sizeof(struct in6_addr)];
};

/* `text` is an address, with /PREFIX if `prefixed`. */
static int parse_address(const char *text, bool prefixed, struct address *address)
{
	char copy[INET6_ADDRSTRLEN + 4];
	uint64_t prefix = 0;
	if (strlen(text) >= sizeof copy)
		goto invalid;
	strcpy(copy, text);
	char *slash = strchr(copy, '/');
	if ((slash != NULL) != prefixed)
		goto invalid;
	if (slash != NULL) {
		*slash = '\0';
		if (parse_number(slash + 1, 128, &prefix) < 0)
			goto invalid;
	}
	*address = (struct address){.prefix = (unsigned)prefix};
	address->family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
	address->length = address->family == AF_INET6 ? 16 : 4;
	if (address->prefix > address->length * 8 || inet_pton(address->family, copy, address->bytes) != 1)
		goto invalid;
	return 0;
invalid:
	errno = EINVAL;
	return fail("invalid address %s", text);
}

static int parse_mac(const char *text, unsigned char mac[6])
{
	int end = 0;
	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		   &mac[5], &end) != 6 || text[end] != '\0')
		return fail("invalid mac %s", text);
	return 0;
}

/*
 * The pair in one message: the host's end in the bridge and up, the peer born in the shim's own namespace (named by
 * pid), so that it never shows up on the host. The peer cannot be brought up before the pair is complete.
 */
static int create_pair(int host, const struct net_link *link, const char *name)
{
	int bridge = netlink_index(host, link->bridge);
	if (bridge < 0)
		return fail("bridge %s: %m", link->bridge);
	struct netlink_batch batch = {0};
	struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, peer = {0};
	netlink_begin(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link->veth);
	netlink_body(&batch, &up, sizeof up);
	netlink_string(&batch, IFLA_IFNAME, link->veth);
	netlink_u32(&batch, IFLA_MASTER, (uint32_t)bridge);
	if (link->mtu > 0)
		netlink_u32(&batch, IFLA_MTU, (uint32_t)link->mtu);
	size_t info = netlink_nest(&batch, IFLA_LINKINFO);
	netlink_string(&batch, IFLA_INFO_KIND, "veth");
	size_t data = netlink_nest(&batch, IFLA_INFO_DATA);
	size_t nested_peer = netlink_nest(&batch, VETH_INFO_PEER);
	netlink_body(&batch, &peer, sizeof peer);
	netlink_string(&batch, IFLA_IFNAME, name);
	netlink_u32(&batch, IFLA_NET_NS_PID, (uint32_t)getpid());
	if (link->mtu > 0)
		netlink_u32(&batch, IFLA_MTU, (uint32_t)link->mtu);
	if (link->mac != NULL) {
		unsigned char mac[6];
		if (parse_mac(link->mac, mac) < 0)
			return -1;
		netlink_attribute(&batch, IFLA_ADDRESS, mac, sizeof mac);
	}
	netlink_nest_end(&batch, nested_peer);
	netlink_nest_end(&batch, data);
	netlink_nest_end(&batch, info);
	return netlink_commit(host, &batch);
}

/*
 * An interface on a link of the host, born in the shim's own namespace. The kernel takes it away with the namespace, and
 * with the link.
 */
static int create_shared(int host, const struct net_link *link, const char *name)
{
	int parent = netlink_index(host, link->parent);
	if (parent < 0)
		return fail("the requested parent interface %s was not found on the Docker host", link->parent);
	struct netlink_batch batch = {0};
	struct ifinfomsg body = {0};
	netlink_begin(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link->parent);
	netlink_body(&batch, &body, sizeof body);
	netlink_string(&batch, IFLA_IFNAME, name);
	netlink_u32(&batch, IFLA_LINK, (uint32_t)parent);
	netlink_u32(&batch, IFLA_NET_NS_PID, (uint32_t)getpid());
	if (link->mtu > 0)
		netlink_u32(&batch, IFLA_MTU, (uint32_t)link->mtu);
	if (link->mac != NULL) {
		unsigned char mac[6];
		if (parse_mac(link->mac, mac) < 0)
			return -1;
		netlink_attribute(&batch, IFLA_ADDRESS, mac, sizeof mac);
	}
	size_t info = netlink_nest(&batch, IFLA_LINKINFO);
	netlink_string(&batch, IFLA_INFO_KIND, link->kind == LINK_MACVLAN ? "macvlan" : "ipvlan");
	size_t data = netlink_nest(&batch, IFLA_INFO_DATA);
	if (link->kind == LINK_MACVLAN) {
		netlink_u32(&batch, IFLA_MACVLAN_MODE, link->mode);
	} else {
		uint16_t mode = (uint16_t)link->mode;
		netlink_attribute(&batch, IFLA_IPVLAN_MODE, &mode, sizeof mode);
		netlink_attribute(&batch, IFLA_IPVLAN_FLAGS, &link->flags, sizeof link->flags);
	}
	netlink_nest_end(&batch, data);
	netlink_nest_end(&batch, info);
	return netlink_commit(host, &batch);
}

/* A name left behind by a namespace that is not quite gone yet belongs to this container: take it over. */
static int replace_pair(int host, const struct net_link *link, const char *name)
{
	if (create_pair(host, link, name) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	struct netlink_batch batch = {0};
	struct ifinfomsg any = {0};
	netlink_begin(&batch, RTM_DELLINK, 0, "remove a stale link");
	netlink_body(&batch, &any, sizeof any);
	netlink_string(&batch, IFLA_IFNAME, link->veth);
	if (netlink_commit(host, &batch) < 0 && errno != ENODEV)
		return -1;
	return create_pair(host, link, name);
}

static void add_up(struct netlink_batch *batch, int index, const char *what)
{
	struct ifinfomsg up = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	netlink_begin(batch, RTM_NEWLINK, 0, what);
	netlink_body(batch, &up, sizeof up);
}

static int add_address(struct netlink_batch *batch, int index, const char *text)
{
	struct address address;
	if (parse_address(text, true, &address) < 0)
		return -1;
	struct ifaddrmsg body = {.ifa_family = (uint8_t)address.family,
				 .ifa_prefixlen = (uint8_t)address.prefix,
				 .ifa_index = (uint32_t)index};
	netlink_begin(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, text);
	netlink_body(batch, &body, sizeof body);
	netlink_attribute(batch, IFA_LOCAL, address.bytes, address.length);
	netlink_attribute(batch, IFA_ADDRESS, address.bytes, address.length);
	if (address.family == AF_INET6) {
		/* Addresses are unique by lease; duplicate detection would make them unusable for a second. */
		netlink_u32(batch, IFA_FLAGS, IFA_F_NODAD);
	} else if (address.prefix < 31) {
		uint32_t broadcast;
		memcpy(&broadcast, address.bytes, sizeof broadcast);
		broadcast |= htonl((uint32_t)(0xffffffffULL >> address.prefix));
		netlink_attribute(batch, IFA_BROADCAST, &broadcast, sizeof broadcast);
	}
	return 0;
}

static int add_default_route(struct netlink_batch *batch, int index, const char *text)
{
	struct address gateway;
	static const unsigned char unspecified[sizeof gateway.bytes];
	if (parse_address(text, false, &gateway) < 0)
		return -1;
	/* The unspecified address: everybody is on the link itself. */
	bool on_link = memcmp(gateway.bytes, unspecified, gateway.length) == 0;
	struct rtmsg body = {.rtm_family = (uint8_t)gateway.family,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_protocol = RTPROT_BOOT,
			     .rtm_scope = on_link && gateway.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
			     .rtm_type = RTN_UNICAST};
	netlink_begin(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, text);
	netlink_body(batch, &body, sizeof body);
	if (!on_link)
		netlink_attribute(batch, RTA_GATEWAY, gateway.bytes, gateway.length);
	netlink_u32(batch, RTA_OIF, (uint32_t)index);
	return 0;
}

static int configure_link(int inside, struct netlink_batch *batch, const struct net_link *link, const char *name)
{
	int index = netlink_index(inside, name);
	if (index < 0)
		return fail("interface %s: %m", name);
	add_up(batch, index, "bring the interface up");
	for (size_t i = 0; i < link->address_count; i++)
		if (add_address(batch, index, link->addresses[i]) < 0)
			return -1;
	for (size_t i = 0; i < link->gateway_count; i++)
		if (add_default_route(batch, index, link->gateways[i]) < 0)
			return -1;
	return 0;
}

/* /proc/sys/net shows the namespace of whoever opens it. Only net.*: the rest of /proc/sys is the host's. */
static int write_sysctl(const char *key, const char *value)
{
	char path[256];
	if (strncmp(key, "net.", 4) != 0 || strchr(key, '/') != NULL)
		return fail("sysctl %s is not in the network namespace", key);
	if (snprintf(path, sizeof path, "/proc/sys/%s", key) >= (int)sizeof path)
		return fail("sysctl %s: name too long", key);
	for (char *c = path; *c != '\0'; c++)
		if (*c == '.')
			*c = '/';
	if (write_file(path, value) == 0)
		return 0;
	/* An interface whose packets are too small for IPv6, or a kernel without it: there is nothing to switch off. */
	const char *end = strrchr(key, '.');
	if (errno == ENOENT && strncmp(key, "net.ipv6.", 9) == 0 && strcmp(end, ".disable_ipv6") == 0 &&
	    strcmp(value, "1") == 0)
		return 0;
	return fail("sysctl %s=%s: %m", key, value);
}

static void add_down(struct netlink_batch *batch, unsigned index)
{
	struct ifinfomsg down = {.ifi_index = (int)index, .ifi_change = IFF_UP};
	netlink_begin(batch, RTM_NEWLINK, 0, "take an interface down");
	netlink_body(batch, &down, sizeof down);
}

void net_silence(const struct net_config *config)
{
	if (config->mode != NET_NEW)
		return;
	/* Connections that nobody has any more are given up after one try. */
	write_sysctl("net.ipv4.tcp_orphan_retries", "1");
	cleanup_close int inside = netlink_open();
	struct if_nameindex *all = if_nameindex();
	for (struct if_nameindex *one = all; inside >= 0 && one != NULL && one->if_index != 0; one++) {
		struct netlink_batch batch = {0};
		if (one->if_index == LOOPBACK_INDEX)
			continue;
		add_down(&batch, one->if_index);
		netlink_commit(inside, &batch);
	}
	if (all != NULL)
		if_freenameindex(all);
}

static int make_namespace(const struct net_config *config)
{
	/* Opened before the switch: it goes on speaking for the host's namespace. */
	cleanup_close int host = config->link_count > 0 ? netlink_open() : -1;
	if (config->link_count > 0 && host < 0)
		return -1;
	if (unshare(CLONE_NEWNET) < 0)
		return fail("new network namespace: %m");
	cleanup_close int inside = netlink_open();
	if (inside < 0)
		return -1;
	char names[NET_LINKS][IFNAMSIZ];
	for (size_t i = 0; i < config->link_count; i++) {
		if (config->links[i].name != NULL)
			snprintf(names[i], sizeof names[i], "%s", config->links[i].name);
		else
			snprintf(names[i], sizeof names[i], "eth%u", (unsigned)i);
		const struct net_link *link = &config->links[i];
		if ((link->kind == LINK_VETH ? replace_pair(host, link, names[i]) : create_shared(host, link, names[i])) < 0)
			return -1;
	}
	/* After the links exist, so that net.ipv4.conf.eth0.* does; before the addresses, so that they obey. */
	for (size_t i = 0; i < config->sysctl_count; i++)
		if (write_sysctl(config->sysctls[i].key, config->sysctls[i].value) < 0)
			return -1;
	struct netlink_batch batch = {0};
	add_up(&batch, LOOPBACK_INDEX, "bring the loopback up");
	for (size_t i = 0; i < config->link_count; i++)
		if (configure_link(inside, &batch, &config->links[i], names[i]) < 0 || netlink_commit(inside, &batch) < 0)
			return -1;
	return netlink_commit(inside, &batch);
}

struct choice {
	const char *name;
	uint32_t value;
};

/* Takes the first word of *value, which has to be one of the choices. */
static int choose(const struct choice *choices, size_t count, char **value, uint32_t *chosen)
{
	char *word = *value, *blank = strchr(word, ' ');
	if (blank != NULL) {
		*blank = '\0';
		*value = blank + 1;
		for (size_t i = 0; i < count; i++)
			if (strcmp(choices[i].name, word) == 0) {
				*chosen = choices[i].value;
				return 0;
			}
	}
	errno = EINVAL;
	return fail("invalid mode or flag %s", word);
}

int net_parse_shared(struct net_link *link, const char *kind, char *value)
{
	static const struct choice macvlan[] = {{"bridge", MACVLAN_MODE_BRIDGE},
						{"private", MACVLAN_MODE_PRIVATE},
						{"vepa", MACVLAN_MODE_VEPA},
						{"passthru", MACVLAN_MODE_PASSTHRU}};
	static const struct choice ipvlan[] = {
		{"l2", IPVLAN_MODE_L2}, {"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S}};
	static const struct choice flags[] = {{"bridge", 0}, {"private", IPVLAN_F_PRIVATE}, {"vepa", IPVLAN_F_VEPA}};
	uint32_t flag = 0;
	if (strcmp(kind, "macvlan") == 0) {
		link->kind = LINK_MACVLAN;
		if (choose(macvlan, ARRAY_LENGTH(macvlan), &value, &link->mode) < 0)
			return -1;
	} else {
		link->kind = LINK_IPVLAN;
		if (choose(ipvlan, ARRAY_LENGTH(ipvlan), &value, &link->mode) < 0 ||
		    choose(flags, ARRAY_LENGTH(flags), &value, &flag) < 0)
			return -1;
	}
	link->flags = (uint16_t)flag;
	link->parent = value;
	return 0;
}

int net_enter(const struct net_config *config)
{
	if (config->mode == NET_HOST)
		return 0;
	if (config->mode == NET_NEW)
		return make_namespace(config);
	cleanup_close int fd = open(config->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return fail("join network namespace %s: %m", config->path);
	return 0;
}
