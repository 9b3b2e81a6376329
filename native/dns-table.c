/*
 * What containers see. A table is one block of entries with a hash index beside it. Containers of one network mostly
 * see the same: equal tables exist once.
 *
 * Entry: u8 kind ('n' name, '4' or '6' address), u8 length of the key, u16 count of IPv4 addresses (of a pointer: length
 * of the name), u16 count of IPv6 addresses; the key; then the addresses, IPv4 first, or the name.
 */
#include "dns.h"

#include <arpa/inet.h>
#include <net/if.h>

#define ENTRY_HEADER 6
#define ADDRESSES_MOST 4096 /* of one name */

static struct table *tables;

int server_parse(const char *text, struct server *server)
{
	char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 8];
	uint64_t port = 53;
	*server = (struct server){0};
	if (strlen(text) >= sizeof copy)
		return -1;
	strcpy(copy, text);
	char *number = strchr(copy, '#');
	if (number != NULL)
		*number++ = '\0';
	if (number != NULL && (parse_number(number, UINT16_MAX, &port) < 0 || port == 0))
		return -1;
	struct sockaddr_in *v4 = &server->address.v4;
	if (inet_pton(AF_INET, copy, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		server->length = sizeof *v4;
		return 0;
	}
	struct sockaddr_in6 *v6 = &server->address.v6;
	char *scope = strchr(copy, '%');
	if (scope != NULL)
		*scope++ = '\0';
	*server = (struct server){0};
	if (inet_pton(AF_INET6, copy, &v6->sin6_addr) != 1)
		return -1;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	/* An interface that is gone leaves 0: the server cannot be reached then, which is for the query to find out. */
	v6->sin6_scope_id = scope == NULL ? 0 : if_nametoindex(scope);
	server->length = sizeof *v6;
	return 0;
}

int server_print(const struct server *server, struct buffer *into)
{
	char text[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1] = "";
	if (server->address.any.sa_family == AF_INET) {
		const struct sockaddr_in *v4 = &server->address.v4;
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
		return buffer_printf(into, " %s#%u", text, ntohs(v4->sin_port));
	}
	const struct sockaddr_in6 *v6 = &server->address.v6;
	inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
	scope[0] = '%';
	bool scoped = v6->sin6_scope_id != 0 && if_indextoname(v6->sin6_scope_id, scope + 1) != NULL;
	return buffer_printf(into, " %s%s#%u", text, scoped ? scope : "", ntohs(v6->sin6_port));
}

struct table *table_new(void)
{
	struct table *table = calloc(1, sizeof *table);
	if (table != NULL)
		table->references = 1;
	return table;
}

/* Labels of 1 to 63 bytes, 253 in all. */
static bool valid_name(const char *name)
{
	size_t label = 0, length = strlen(name);
	if (length == 0 || length > 253)
		return false;
	for (; *name != '\0'; name++) {
		label = *name == '.' ? 0 : label + 1;
		if (label > 63 || (label == 0 && (name[1] == '.' || name[1] == '\0')))
			return false;
	}
	return name[-(ptrdiff_t)length] != '.';
}

static int append_entry(struct table *table, char kind, const void *key, size_t length, size_t first, size_t second)
{
	unsigned char header[ENTRY_HEADER] = {(unsigned char)kind,  (unsigned char)length,
					      (unsigned char)first,  (unsigned char)(first >> 8),
					      (unsigned char)second, (unsigned char)(second >> 8)};
	table->entry_count++;
	if (buffer_append(&table->entries, header, sizeof header) < 0 || buffer_append(&table->entries, key, length) < 0)
		return fail("no memory");
	return 0;
}

static int line_name(struct table *table, char *words)
{
	char *state = NULL, *name = strtok_r(words, " ", &state), *text;
	cleanup_buffer struct buffer v4 = {0}, v6 = {0};
	if (name == NULL || !valid_name(name))
		return fail("invalid name %s", name == NULL ? "" : name);
	while ((text = strtok_r(NULL, " ", &state)) != NULL) {
		unsigned char address[16];
		int result = inet_pton(AF_INET, text, address) == 1    ? buffer_append(&v4, address, 4)
			     : inet_pton(AF_INET6, text, address) == 1 ? buffer_append(&v6, address, 16)
								       : fail("invalid address %s", text);
		if (result < 0)
			return -1;
	}
	if (v4.length / 4 > ADDRESSES_MOST || v6.length / 16 > ADDRESSES_MOST)
		return fail("too many addresses of %s", name);
	if (append_entry(table, 'n', name, strlen(name), v4.length / 4, v6.length / 16) < 0)
		return -1;
	if (buffer_append(&table->entries, v4.data, v4.length) < 0 || buffer_append(&table->entries, v6.data, v6.length) < 0)
		return fail("no memory");
	return 0;
}

static int line_pointer(struct table *table, char *words)
{
	char *state = NULL, *text = strtok_r(words, " ", &state), *name = strtok_r(NULL, " ", &state);
	unsigned char address[16];
	if (text == NULL || name == NULL || !valid_name(name))
		return fail("invalid pointer");
	bool v4 = inet_pton(AF_INET, text, address) == 1;
	if (!v4 && inet_pton(AF_INET6, text, address) != 1)
		return fail("invalid address %s", text);
	if (append_entry(table, v4 ? '4' : '6', address, v4 ? 4 : 16, strlen(name), 0) < 0)
		return -1;
	return buffer_append(&table->entries, name, strlen(name)) < 0 ? fail("no memory") : 0;
}

/* Servers beyond the ones that would ever be asked are left out. */
static int line_upstream(struct table *table, char *words)
{
	char *state = NULL, *word = strtok_r(words, " ", &state);
	if (word != NULL && strcmp(word, "host") == 0)
		table->upstream = UPSTREAM_HOST;
	else if (word != NULL && strcmp(word, "none") == 0)
		table->upstream = UPSTREAM_NONE;
	else
		table->upstream = UPSTREAM_SERVERS;
	if (table->upstream != UPSTREAM_SERVERS)
		return 0;
	for (; word != NULL; word = strtok_r(NULL, " ", &state)) {
		struct server server;
		if (server_parse(word, &server) < 0)
			return fail("invalid server %s", word);
		if (table->server_count < SERVERS_MOST)
			table->servers[table->server_count++] = server;
	}
	return 0;
}

int table_line(struct table *table, char *line)
{
	static const struct {
		const char *word;
		int (*parse)(struct table *table, char *words);
	} kinds[] = {{"name ", line_name}, {"pointer ", line_pointer}, {"upstream ", line_upstream}};
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
		if (strncmp(line, kinds[i].word, strlen(kinds[i].word)) == 0)
			return kinds[i].parse(table, line + strlen(kinds[i].word));
	return fail("invalid line %s", line);
}

static uint64_t hash(uint64_t seed, const void *data, size_t length)
{
	const unsigned char *at = data;
	for (size_t i = 0; i < length; i++)
		seed = (seed ^ at[i]) * 0x100000001b3u;
	return seed;
}
#define HASH_SEED 0xcbf29ce484222325u

static uint32_t key_hash(char kind, const void *key, size_t length)
{
	uint64_t value = hash(hash(HASH_SEED, &kind, 1), key, length);
	return (uint32_t)(value ^ value >> 32);
}

static const unsigned char *entry_at(const struct table *table, uint32_t offset)
{
	return (const unsigned char *)table->entries.data + offset;
}

static size_t entry_first(const unsigned char *entry)
{
	return (size_t)(entry[2] | entry[3] << 8);
}

static size_t entry_second(const unsigned char *entry)
{
	return (size_t)(entry[4] | entry[5] << 8);
}

static size_t entry_size(const unsigned char *entry)
{
	size_t payload = entry[0] == 'n' ? entry_first(entry) * 4 + entry_second(entry) * 16 : entry_first(entry);
	return ENTRY_HEADER + entry[1] + payload;
}

static const unsigned char *find(const struct table *table, char kind, const void *key, size_t length)
{
	if (table->index == NULL)
		return NULL;
	for (uint32_t slot = key_hash(kind, key, length) & table->index_mask; table->index[slot] != 0;
	     slot = (slot + 1) & table->index_mask) {
		const unsigned char *entry = entry_at(table, table->index[slot] - 1);
		if (entry[0] == (unsigned char)kind && entry[1] == length && memcmp(entry + ENTRY_HEADER, key, length) == 0)
			return entry;
	}
	return NULL;
}

/* Of entries with the same key the first counts. */
static int build_index(struct table *table)
{
	uint32_t size = 4;
	while (size < table->entry_count * 2)
		size *= 2;
	table->index = calloc(size, sizeof *table->index);
	if (table->index == NULL || table->entries.length > UINT32_MAX / 2)
		return -1;
	table->index_mask = size - 1;
	for (uint32_t at = 0; at < table->entries.length; at += (uint32_t)entry_size(entry_at(table, at))) {
		const unsigned char *entry = entry_at(table, at);
		uint32_t slot = key_hash((char)entry[0], entry + ENTRY_HEADER, entry[1]) & table->index_mask;
		if (find(table, (char)entry[0], entry + ENTRY_HEADER, entry[1]) != NULL)
			continue;
		while (table->index[slot] != 0)
			slot = (slot + 1) & table->index_mask;
		table->index[slot] = at + 1;
	}
	return 0;
}

static bool equal(const struct table *a, const struct table *b)
{
	return a->hash == b->hash && a->upstream == b->upstream && a->server_count == b->server_count &&
	       memcmp(a->servers, b->servers, sizeof a->servers) == 0 && a->entries.length == b->entries.length &&
	       (a->entries.length == 0 || memcmp(a->entries.data, b->entries.data, a->entries.length) == 0);
}

struct table *table_share(struct table *table)
{
	table->hash = hash(HASH_SEED, table->entries.data, table->entries.length);
	for (struct table *other = tables; other != NULL; other = other->next)
		if (equal(other, table)) {
			table_release(table);
			return table_hold(other);
		}
	/* What growing left over is given back; a failure only keeps it. */
	char *shrunk = table->entries.length == 0 ? NULL : realloc(table->entries.data, table->entries.length);
	if (shrunk != NULL) {
		table->entries.data = shrunk;
		table->entries.capacity = table->entries.length;
	}
	if (build_index(table) < 0) {
		table_release(table);
		fail("no memory");
		return NULL;
	}
	table->next = tables;
	tables = table;
	return table;
}

struct table *table_hold(struct table *table)
{
	table->references++;
	return table;
}

void table_release(struct table *table)
{
	if (table == NULL || --table->references > 0)
		return;
	for (struct table **at = &tables; *at != NULL; at = &(*at)->next)
		if (*at == table) {
			*at = table->next;
			break;
		}
	buffer_free(&table->entries);
	free(table->index);
	free(table);
}

static int print_entry(const unsigned char *entry, struct buffer *into)
{
	char text[INET6_ADDRSTRLEN];
	const unsigned char *key = entry + ENTRY_HEADER, *payload = key + entry[1];
	if (entry[0] != 'n') {
		inet_ntop(entry[0] == '4' ? AF_INET : AF_INET6, key, text, sizeof text);
		return buffer_printf(into, "pointer %s %.*s\n", text, (int)entry_first(entry), (const char *)payload);
	}
	if (buffer_printf(into, "name %.*s", (int)entry[1], (const char *)key) < 0)
		return -1;
	size_t v4 = entry_first(entry), all = v4 + entry_second(entry);
	for (size_t i = 0; i < all; i++, payload += i <= v4 ? 4 : 16) {
		inet_ntop(i < v4 ? AF_INET : AF_INET6, payload, text, sizeof text);
		if (buffer_printf(into, " %s", text) < 0)
			return -1;
	}
	return buffer_append(into, "\n", 1);
}

int table_print(const struct table *table, struct buffer *into)
{
	static const char *const words[] = {"upstream host", "upstream none", "upstream"};
	if (buffer_printf(into, "table\n%s", words[table->upstream]) < 0)
		return -1;
	for (size_t i = 0; i < table->server_count; i++)
		if (server_print(&table->servers[i], into) < 0)
			return -1;
	if (buffer_append(into, "\n", 1) < 0)
		return -1;
	for (uint32_t at = 0; at < table->entries.length; at += (uint32_t)entry_size(entry_at(table, at)))
		if (print_entry(entry_at(table, at), into) < 0)
			return -1;
	return 0;
}

bool table_name(const struct table *table, const char *name, size_t length, struct addresses *found)
{
	const unsigned char *entry = length == 0 ? NULL : find(table, 'n', name, length);
	if (entry == NULL)
		return false;
	const unsigned char *v4 = entry + ENTRY_HEADER + entry[1];
	*found = (struct addresses){.v4 = v4, .v4_count = entry_first(entry), .v6_count = entry_second(entry)};
	found->v6 = v4 + found->v4_count * 4;
	return true;
}

const char *table_pointer(const struct table *table, const unsigned char *address, size_t length, size_t *name_length)
{
	const unsigned char *entry = find(table, length == 4 ? '4' : '6', address, length);
	if (entry == NULL)
		return NULL;
	*name_length = entry_first(entry);
	return (const char *)entry + ENTRY_HEADER + entry[1];
}
