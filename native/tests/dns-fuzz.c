/*
 * dns-fuzz COUNT [SEED]: random and mutated messages and tables through everything of berth-dns that looks at bytes of
 * others. Built with the sanitizers, it ends at the first error; else it says how many messages were answered.
 */
#include "../dns.h"

struct dns dns;

static uint64_t state;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static size_t below(size_t limit)
{
	return (size_t)(random64() % limit);
}

/* Queries that are right, in hexadecimal: a name, one with OPT, a reverse one, one of the longest labels. */
static const char *const seeds[] = {
	"123401000001000000000000037765620000010001",
	"123401200001000000000001037765620000010001000029100000000000000c000a0008112233445566" "7788",
	"1234010000010000000000000132013001310231300769" "6e2d61646472046172706100000c0001",
	"12340100000100000000000001320130013001300130013001300130013001300130013001300130013001300130013001300130013001300130013001310130"
	"0130016401660369" "70360461727061" "00000c0001",
	"123485800001000100000000037765620000010001c00c000100010000003c00040a010002",
};

static size_t seed(unsigned char *data)
{
	const char *text = seeds[below(ARRAY_LENGTH(seeds))];
	size_t length = strlen(text) / 2;
	for (size_t i = 0; i < length; i++) {
		unsigned byte;
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			abort();
		data[i] = (unsigned char)byte;
	}
	return length;
}

static size_t mutate(unsigned char *data, size_t length, size_t most)
{
	static const unsigned char telling[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff, 41, '.'};
	for (size_t rounds = below(6); rounds > 0; rounds--) {
		size_t at = length == 0 ? 0 : below(length);
		switch (below(5)) {
		case 0:
			if (length > 0)
				data[at] = (unsigned char)random64();
			break;
		case 1:
			if (length > 0)
				data[at] = telling[below(ARRAY_LENGTH(telling))];
			break;
		case 2:
			length = length == 0 ? 0 : below(length + 1);
			break;
		case 3: {
			size_t extra = below(most - length + 1);
			extra = extra > 300 ? 300 : extra;
			memset(data + length, (int)random64(), extra);
			length += extra;
			break;
		}
		default:
			if (length > 0)
				memmove(data, data + at, length -= at);
		}
	}
	return length;
}

static struct table *table_of(char *text)
{
	struct table *table = table_new();
	bool good = table != NULL;
	for (char *line; good && (line = next_line(&text)) != NULL;)
		good = table_line(table, line) == 0;
	if (!good)
		table_release(table);
	return good ? table_share(table) : NULL;
}

/* Answers as the server does; all of it stays within the limit. */
static bool answer(const struct table *table, const unsigned char *packet, size_t length)
{
	struct query query = {0};
	struct addresses found;
	struct reply reply;
	unsigned char address[16];
	size_t limit = 512 + below(ANSWER_MOST - 512 + 1), name_length;
	unsigned char *out = malloc(limit);
	int rcode = query_parse(packet, length, &query);
	if (rcode > RCODE_OK && reply_error(packet, rcode, out) != 12)
		abort();
	if (rcode == RCODE_OK) {
		limit = query_limit(&query, limit);
		reply_begin(&reply, &query, RCODE_OK, out, limit);
		if (table_name(table, query.name, query.name_length, &found)) {
			for (size_t i = 0; i < found.v4_count; i++)
				reply_address(&reply, found.v4 + i * 4, 4);
			for (size_t i = 0; i < found.v6_count; i++)
				reply_address(&reply, found.v6 + i * 16, 16);
		}
		size_t size = query_address(&query, address);
		const char *name = size == 0 ? NULL : table_pointer(table, address, size, &name_length);
		if (name != NULL)
			reply_pointer(&reply, name, name_length);
		if (reply_end(&reply, &query) > limit)
			abort();
		/* What we answer is an answer to what was asked. */
		if (!answer_matches(out, reply.length, (uint16_t)(packet[0] << 8 | packet[1]), packet + 12, query.question))
			abort();
	}
	if (length > 16)
		answer_matches(packet, length, (uint16_t)random64(), packet + 12, below(length - 16) + 5);
	free(out);
	return rcode == RCODE_OK;
}

/* Tables as requests bring them, mangled; what is taken comes back from its own text the same. */
static void mangle_table(void)
{
	char text[512] = "upstream 10.0.0.1 fe80::1%lo#53\nname web 10.1.0.2 fd00::2\npointer 10.1.0.2 web.net\nname a\n";
	cleanup_buffer struct buffer printed = {0};
	size_t length = mutate((unsigned char *)text, strlen(text), sizeof text - 1);
	text[length] = '\0';
	struct table *table = table_of(text);
	if (table == NULL)
		return;
	if (table_print(table, &printed) < 0 || buffer_append(&printed, "", 1) < 0)
		abort();
	struct table *again = table_of(printed.data + strlen("table\n"));
	/* An `upstream` without servers prints as a line without any. */
	if (again != NULL && again != table && again->entries.length != table->entries.length)
		abort();
	table_release(again);
	table_release(table);
}

static void mangle_servers(void)
{
	struct server servers[SERVERS_MOST];
	char text[256] = "search a.b\nnameserver 10.0.0.1\noptions ndots:2\nnameserver fe80::1%eth0\n#\n";
	size_t length = mutate((unsigned char *)text, strlen(text), sizeof text - 1);
	text[length] = '\0';
	if (servers_parse(text, servers, SERVERS_MOST) > SERVERS_MOST)
		abort();
}

int main(int argc, char **argv)
{
	uint64_t count, answered = 0;
	char text[] = "upstream host\nname web 10.1.0.2 10.1.0.3 fd00::2\npointer 10.1.0.2 web.net\npointer fd00::1:0:0:2 web\nname x 1.2.3.4\n";
	state = 0x9e3779b97f4a7c15u;
	if (argc < 2 || parse_number(argv[1], UINT64_MAX, &count) < 0 || (argc > 2 && parse_number(argv[2], UINT64_MAX, &state) < 0))
		return 2;
	struct table *table = table_of(text);
	if (table == NULL)
		return 1;
	for (uint64_t i = 0; i < count; i++) {
		/* Of its exact size, so that reading beyond it is seen. */
		unsigned char data[2048];
		size_t length = mutate(data, seed(data), sizeof data);
		unsigned char *packet = malloc(length + (length == 0));
		memcpy(packet, data, length);
		answered += answer(table, packet, length);
		free(packet);
		if (i % 4 == 0)
			mangle_table();
		if (i % 16 == 0)
			mangle_servers();
	}
	table_release(table);
	printf("%llu\n", (unsigned long long)answered);
	return 0;
}
