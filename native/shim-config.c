/* shim.conf: lines "key value". An unknown key is an error: daemon and shim would disagree about the container. */
#include "shim.h"

#include <ctype.h>
#include <fcntl.h>

#define CONFIG_LIMIT (1 << 20)

/* Splits "FIRST rest" at the first blank; the rest is "" when there is none. */
static char *split(char *text)
{
	char *blank = strchr(text, ' ');
	if (blank == NULL)
		return text + strlen(text);
	*blank = '\0';
	return blank + 1;
}

static int too_many(const char *what)
{
	errno = E2BIG;
	return fail("too many lines %s", what);
}

static int add(const char **list, size_t *count, size_t most, const char *value, const char *what)
{
	if (*count == most)
		return too_many(what);
	list[(*count)++] = value;
	return 0;
}

static int parse_link(struct net_config *net, const char *key, char *value)
{
	bool veth = strcmp(key, "veth") == 0;
	if (veth || strcmp(key, "macvlan") == 0 || strcmp(key, "ipvlan") == 0) {
		if (net->link_count == NET_LINKS)
			return too_many(key);
		struct net_link *begun = &net->links[net->link_count++];
		begun->veth = veth ? value : NULL;
		return veth ? 0 : net_parse_shared(begun, key, value);
	}
	if (net->link_count == 0)
		return fail("%s comes before its interface", key);
	struct net_link *link = &net->links[net->link_count - 1];
	if (strcmp(key, "ifname") == 0)
		link->name = value;
	else if (strcmp(key, "bridge") == 0)
		link->bridge = value;
	else if (strcmp(key, "mac") == 0)
		link->mac = value;
	else if (strcmp(key, "mtu") == 0)
		return parse_number(value, 65535, &link->mtu) < 0 ? fail("invalid mtu %s", value) : 0;
	else if (strcmp(key, "ip") == 0)
		return add(link->addresses, &link->address_count, NET_ADDRESSES, value, key);
	else
		return add(link->gateways, &link->gateway_count, NET_ADDRESSES, value, key);
	return 0;
}

static int parse_net(struct net_config *net, const char *value)
{
	if (strcmp(value, "host") == 0) {
		net->mode = NET_HOST;
	} else if (strcmp(value, "none") == 0 || strcmp(value, "new") == 0) {
		net->mode = NET_NEW;
	} else {
		net->mode = NET_JOIN;
		net->path = value;
	}
	return 0;
}

/* `pin-path`, `pin-alone`, `pin-process`, `pin-owners`: more about the pin before. */
static int parse_pin(struct config *config, const char *key, char *value)
{
	if (strcmp(key, "pin") == 0) {
		if (config->pin_count == SHIM_PINS)
			return too_many(key);
		config->pins[config->pin_count].source = split(value);
		config->pins[config->pin_count++].destination = value;
		return 0;
	}
	if (config->pin_count == 0)
		return fail("%s comes before pin", key);
	struct pin *pin = &config->pins[config->pin_count - 1];
	if (strcmp(key, "pin-path") == 0) {
		pin->path = value;
		return 0;
	}
	if (strcmp(key, "pin-alone") == 0) {
		pin->alone = strcmp(value, "1") == 0;
		return 0;
	}
	if (strcmp(key, "pin-process") == 0)
		return parse_number(value, INT32_MAX, &pin->process) < 0 ? fail("invalid %s", key) : 0;
	if (strcmp(key, "pin-owners") != 0)
		return fail("unknown key %s", key);
	uint64_t *const ids[] = {&pin->disk_uid, &pin->shown_uid, &pin->disk_gid, &pin->shown_gid};
	for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
		char *rest = split(value);
		if (parse_number(value, UINT32_MAX - 2, ids[i]) < 0)
			return fail("invalid %s", key);
		value = rest;
	}
	pin->mapped = true;
	return 0;
}

/* Keys with two values or their own structure. */
static int parse_special(struct config *config, const char *key, char *value)
{
	static const char *const links[] = {"veth", "macvlan", "ipvlan", "ifname", "bridge",
					     "mtu",  "mac",	"ip",	  "gateway"};
	for (size_t i = 0; i < ARRAY_LENGTH(links); i++)
		if (strcmp(key, links[i]) == 0)
			return parse_link(&config->net, key, value);
	if (strncmp(key, "pin", 3) == 0)
		return parse_pin(config, key, value);
	if (strcmp(key, "lower") == 0)
		return add(config->lower, &config->lower_count, SHIM_LAYERS, value, key);
	if (strcmp(key, "net") == 0)
		return parse_net(&config->net, value);
	if (strcmp(key, "cgroup") == 0) {
		config->cgroup = split(value);
		config->cgroup_v1 = strcmp(value, "v1") == 0;
		return 0;
	}
	if (strcmp(key, "sysctl") == 0) {
		if (config->net.sysctl_count == NET_SYSCTLS)
			return too_many(key);
		config->net.sysctls[config->net.sysctl_count].value = split(value);
		config->net.sysctls[config->net.sysctl_count++].key = value;
		return 0;
	}
	if (strcmp(key, "share") == 0 || strcmp(key, "follow") == 0) {
		if (config->share_count == SHIM_SHARES)
			return too_many(key);
		config->shares[config->share_count].follows = key[0] == 'f';
		config->shares[config->share_count].source = split(value);
		config->shares[config->share_count++].destination = value;
		return 0;
	}
	return fail("unknown key %s", key);
}

static int parse_line(struct config *config, const char *key, char *value)
{
	const struct {
		const char *key;
		const char **text;
	} texts[] = {
		{"id", &config->id},	     {"runtime", &config->runtime}, {"runtime-root", &config->runtime_root},
		{"bundle", &config->bundle}, {"rootfs", &config->rootfs},   {"upper", &config->upper},
		{"work", &config->work},     {"hide", &config->hide},	    {"log", &config->log},
		{"exit-record", &config->exit_record}, {"seccomp-filter", &config->seccomp_filter},
		{"log-attributes", &config->log_attributes},
	};
	const struct {
		const char *key;
		bool *flag;
	} flags[] = {
		{"tty", &config->tty},
		{"stdin", &config->use_stdin},
		{"stdin-once", &config->stdin_once},
		{"volatile", &config->is_volatile},
		{"mtab", &config->mtab},
		{"log-compress", &config->log_compress},
	};
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		if (strcmp(key, texts[i].key) == 0) {
			*texts[i].text = value;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
		if (strcmp(key, flags[i].key) == 0) {
			*flags[i].flag = strcmp(value, "1") == 0;
			return 0;
		}
	if (strcmp(key, "log-max-size") == 0)
		return parse_number(value, INT64_MAX, &config->log_max_size) < 0 ? fail("invalid %s", key) : 0;
	if (strcmp(key, "log-max-files") == 0)
		return parse_number(value, 10000, &config->log_max_files) < 0 ? fail("invalid %s", key) : 0;
	return parse_special(config, key, value);
}

static int check(const struct config *config)
{
	if (config->id == NULL || config->runtime == NULL || config->runtime_root == NULL || config->bundle == NULL ||
	    config->rootfs == NULL || config->exit_record == NULL)
		return fail("one of id, runtime, runtime-root, bundle, rootfs, exit-record is missing");
	if (config->lower_count > 0 && (config->upper == NULL || config->work == NULL))
		return fail("lower without upper and work");
	for (size_t i = 0; i < config->net.link_count; i++)
		if (config->net.links[i].kind == LINK_VETH && config->net.links[i].bridge == NULL)
			return fail("veth %s without bridge", config->net.links[i].veth);
	return 0;
}

int config_read(const char *directory, struct config *config)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/shim.conf", directory);
	/* Never freed: the values point into it. */
	char *cursor = read_file(AT_FDCWD, path, CONFIG_LIMIT, NULL);
	if (cursor == NULL)
		return fail("%s: %m", path);
	config->directory = directory;
	for (char *line; (line = next_line(&cursor)) != NULL;) {
		char *value = split(line);
		if (*line != '\0' && parse_line(config, line, value) < 0)
			return -1;
	}
	return check(config);
}
