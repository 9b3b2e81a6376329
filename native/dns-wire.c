/* DNS messages (RFC 1035 §4, RFC 6891): queries taken apart, answers put together. No state, no allocation. */
#include "dns.h"

#define HEADER 12
#define NAME_MOST 255 /* on the wire */

static uint16_t read16(const unsigned char *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void write16(unsigned char *at, unsigned value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/*
 * The question's name. There is nothing before it that a compression pointer could point to, so one is refused.
 * Returns the position after it, or 0.
 */
static size_t parse_name(const unsigned char *packet, size_t length, struct query *query)
{
	size_t at = HEADER, out = 0;
	bool plain = true;
	for (;;) {
		if (at >= length)
			return 0;
		size_t label = packet[at++];
		if (label == 0)
			break;
		if (label > 63 || label > length - at || at + label - HEADER >= NAME_MOST)
			return 0;
		if (out > 0)
			query->name[out++] = '.';
		for (size_t i = 0; i < label; i++) {
			unsigned char c = lower(packet[at + i]);
			plain = plain && c != '.' && c != '\0';
			query->name[out++] = (char)c;
		}
		at += label;
	}
	query->name_length = plain ? out : 0;
	query->name[query->name_length] = '\0';
	return at;
}

/* Steps over a name that may end in a pointer, which is not followed; 0 when it is broken. */
static size_t skip_name(const unsigned char *packet, size_t length, size_t at)
{
	while (at < length) {
		size_t label = packet[at];
		if (label >= 0xc0)
			return at + 2 <= length ? at + 2 : 0;
		if (label > 63)
			return 0;
		at += 1 + label;
		if (label == 0)
			return at <= length ? at : 0;
	}
	return 0;
}

/* The records after the question: only OPT is of interest. False when they are broken. */
static bool parse_records(const unsigned char *packet, size_t length, size_t at, struct query *query)
{
	unsigned before = (unsigned)read16(packet + 6) + read16(packet + 8), all = before + read16(packet + 10);
	for (unsigned i = 0; i < all; i++) {
		size_t owner = at;
		at = skip_name(packet, length, at);
		if (at == 0 || length - at < 10)
			return false;
		size_t data = read16(packet + at + 8);
		if (length - at - 10 < data)
			return false;
		if (i >= before && read16(packet + at) == TYPE_OPT) {
			if (query->edns || packet[owner] != 0)
				return false;
			query->edns = true;
			query->edns_size = read16(packet + at + 2);
			query->edns_version = packet[at + 5];
		}
		at += 10 + data;
	}
	return true;
}

int query_parse(const unsigned char *packet, size_t length, struct query *query)
{
	if (length < HEADER || (packet[2] & 0x80) != 0)
		return QUERY_DROP;
	if ((packet[2] >> 3 & 15) != 0)
		return RCODE_NOTIMP;
	if (read16(packet + 4) != 1)
		return RCODE_FORMERR;
	query->packet = packet;
	query->length = length;
	query->edns = false;
	size_t at = parse_name(packet, length, query);
	if (at == 0 || length - at < 4)
		return QUERY_DROP;
	query->type = read16(packet + at);
	query->class = read16(packet + at + 2);
	query->question = at + 4 - HEADER;
	return parse_records(packet, length, at + 4, query) ? RCODE_OK : QUERY_DROP;
}

/* 4.3.2.1.in-addr.arpa */
static size_t reverse4(const char *name, const char *end, unsigned char address[16])
{
	for (int i = 3; i >= 0; i--) {
		unsigned value = 0;
		const char *digits = name;
		for (; name < end && *name >= '0' && *name <= '9'; name++)
			value = value * 10 + (unsigned)(*name - '0');
		if (name == digits || name - digits > 3 || value > 255)
			return 0;
		if (i > 0 ? name == end || *name++ != '.' : name != end)
			return 0;
		address[i] = (unsigned char)value;
	}
	return 4;
}

/* Thirty-two nibbles, the last one first, before ip6.arpa. */
static size_t reverse6(const char *name, const char *end, unsigned char address[16])
{
	if (end - name != 63)
		return 0;
	for (int i = 31; i >= 0; i--, name += 2) {
		int c = name[0];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return 0;
		if (i > 0 && name[1] != '.')
			return 0;
		unsigned value = (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		address[i / 2] = (unsigned char)(i % 2 == 1 ? value : address[i / 2] | value << 4);
	}
	return 16;
}

size_t query_address(const struct query *query, unsigned char address[16])
{
	static const char v4[] = ".in-addr.arpa", v6[] = ".ip6.arpa";
	const char *end = query->name + query->name_length;
	if (query->name_length > sizeof v4 - 1 && memcmp(end - (sizeof v4 - 1), v4, sizeof v4 - 1) == 0)
		return reverse4(query->name, end - (sizeof v4 - 1), address);
	if (query->name_length > sizeof v6 - 1 && memcmp(end - (sizeof v6 - 1), v6, sizeof v6 - 1) == 0)
		return reverse6(query->name, end - (sizeof v6 - 1), address);
	return 0;
}

size_t query_limit(const struct query *query, size_t most)
{
	size_t takes = query->edns && query->edns_size > 512 ? query->edns_size : 512;
	return takes < most ? takes : most;
}

void reply_begin(struct reply *reply, const struct query *query, int rcode, unsigned char *data, size_t limit)
{
	size_t question = query->question;
	/* BADVERS is 16: what is more than four bits stands in the OPT record, and nothing but it is said. */
	if (query->edns_version > 0)
		rcode = RCODE_OK;
	*reply = (struct reply){.data = data, .limit = limit - (query->edns ? 11 : 0)};
	memset(data, 0, HEADER);
	memcpy(data, query->packet, 2);
	data[2] = (unsigned char)(0x80 | (query->packet[2] & 0x01)); /* QR, RD as asked */
	data[3] = (unsigned char)(0x80 | (query->packet[3] & 0x10) | rcode); /* RA, CD as asked */
	write16(data + 4, 1);
	/* As it was asked: its case is part of what makes an answer hard to forge. */
	memcpy(data + HEADER, query->packet + HEADER, question);
	reply->length = HEADER + question;
}

/* The fixed part of a record about the question's name; NULL when the whole does not fit. */
static unsigned char *record(struct reply *reply, unsigned type, size_t length)
{
	if (reply->full || reply->limit - reply->length < 12 + length) {
		reply->full = true;
		return NULL;
	}
	unsigned char *at = reply->data + reply->length;
	write16(at, 0xc000 | HEADER);
	write16(at + 2, type);
	write16(at + 4, CLASS_IN);
	write16(at + 6, 0);
	write16(at + 8, TTL);
	write16(at + 10, (unsigned)length);
	reply->length += 12 + length;
	write16(reply->data + 6, read16(reply->data + 6) + 1u);
	return at + 12;
}

void reply_address(struct reply *reply, const unsigned char *address, size_t length)
{
	unsigned char *at = record(reply, length == 4 ? TYPE_A : TYPE_AAAA, length);
	if (at != NULL)
		memcpy(at, address, length);
}

/* `name` is a valid one, so that on the wire it has a length byte before it and a zero after it. */
void reply_pointer(struct reply *reply, const char *name, size_t length)
{
	unsigned char *at = record(reply, TYPE_PTR, length + 2);
	if (at == NULL)
		return;
	unsigned char *label = at++;
	for (size_t i = 0; i < length; i++, at++) {
		if (name[i] != '.') {
			*at = (unsigned char)name[i];
			continue;
		}
		*label = (unsigned char)(at - label - 1);
		label = at;
	}
	*label = (unsigned char)(at - label - 1);
	*at = 0;
}

size_t reply_end(struct reply *reply, const struct query *query)
{
	if (reply->full)
		reply->data[2] |= 0x02; /* TC */
	if (query->edns) {
		unsigned char *at = reply->data + reply->length;
		memset(at, 0, 11);
		write16(at + 1, TYPE_OPT);
		write16(at + 3, ANSWER_MOST);
		at[5] = query->edns_version > 0;
		write16(reply->data + 10, 1);
		reply->length += 11;
	}
	return reply->length;
}

size_t reply_error(const unsigned char *packet, int rcode, unsigned char *data)
{
	memset(data, 0, HEADER);
	memcpy(data, packet, 2);
	data[2] = (unsigned char)(0x80 | (packet[2] & 0x79));
	data[3] = (unsigned char)(0x80 | rcode);
	return HEADER;
}

bool answer_matches(const unsigned char *answer, size_t length, uint16_t id, const unsigned char *question,
		    size_t question_length)
{
	if (length < HEADER + question_length || read16(answer) != id || (answer[2] & 0xf8) != 0x80 || read16(answer + 4) != 1)
		return false;
	/* Length bytes are below 64, so folding the case leaves them alone; type and class are compared as they are. */
	for (size_t i = 0; i + 4 < question_length; i++)
		if (lower(answer[HEADER + i]) != lower(question[i]))
			return false;
	return memcmp(answer + HEADER + question_length - 4, question + question_length - 4, 4) == 0;
}
