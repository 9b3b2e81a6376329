/* The record stream: one at a time out through a large buffer, one at a time in. */
#include "tree.h"

#include <endian.h>

#define BUFFER_SIZE (256u << 10)
#define PATH_MOST (1u << 20)
#define XATTR_MOST 65536u

/* The fixed part of a record, as it is on the wire. */
struct __attribute__((packed)) wire {
	uint8_t type, flags;
	uint16_t xattrs;
	uint32_t mode, uid, gid, major, minor;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint64_t size;
	uint32_t path, link;
};
_Static_assert(sizeof(struct wire) == 52, "the record head has 52 bytes");
_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "fields are copied as they are");

struct __attribute__((packed)) wire_xattr {
	uint16_t name;
	uint32_t value;
};

static char output[BUFFER_SIZE];
static size_t output_length;

int send_flush(void)
{
	if (write_all(STDOUT_FILENO, output, output_length) < 0)
		return fail("write the stream: %m");
	output_length = 0;
	return 0;
}

int send_data(const void *data, size_t length)
{
	if (length > sizeof output - output_length && send_flush() < 0)
		return -1;
	if (length > sizeof output)
		return write_all(STDOUT_FILENO, data, length) < 0 ? fail("write the stream: %m") : 0;
	memcpy(output + output_length, data, length);
	output_length += length;
	return 0;
}

int record_send(const struct record *record)
{
	size_t path = strlen(record->path), link = strlen(record->link);
	struct wire wire = {
		.type = (uint8_t)record->type,
		.flags = record->flags,
		.xattrs = record->xattrs_count,
		.mode = record->mode,
		.uid = record->uid,
		.gid = record->gid,
		.major = record->major,
		.minor = record->minor,
		.mtime = record->mtime,
		.mtime_nsec = record->mtime_nsec,
		.size = record->size,
		.path = (uint32_t)path,
		.link = (uint32_t)link,
	};
	if (send_data(&wire, sizeof wire) < 0 || send_data(record->path, path) < 0 ||
	    send_data(record->link, link) < 0)
		return -1;
	return record->xattrs.length == 0 ? 0 : send_data(record->xattrs.data, record->xattrs.length);
}

static char input[BUFFER_SIZE];
static size_t input_start, input_end;
static struct buffer path_buffer, link_buffer;

static int malformed(const char *what)
{
	errno = EBADMSG;
	return fail("malformed stream: %s", what);
}

static int fill(void)
{
	if (input_start < input_end)
		return 0;
	ssize_t got;
	do
		got = read(STDIN_FILENO, input, sizeof input);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return fail("read the stream: %m");
	if (got == 0)
		return malformed("it ends early");
	input_start = 0;
	input_end = (size_t)got;
	return 0;
}

ssize_t receive_data(const void **data, uint64_t most)
{
	if (fill() < 0)
		return -1;
	size_t length = input_end - input_start;
	if (length > most)
		length = (size_t)most;
	*data = input + input_start;
	input_start += length;
	return (ssize_t)length;
}

static int receive(void *into, size_t length)
{
	for (char *at = into; length > 0;) {
		const void *data;
		ssize_t got = receive_data(&data, length);
		if (got < 0)
			return -1;
		memcpy(at, data, (size_t)got);
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

static int receive_into(struct buffer *buffer, size_t length)
{
	if (buffer_reserve(buffer, length + 1) < 0)
		return fail("receive a record: %m");
	if (receive(buffer->data + buffer->length, length) < 0)
		return -1;
	buffer->length += length;
	return 0;
}

static int receive_string(struct buffer *buffer, size_t length, const char **string)
{
	buffer->length = 0;
	if (length > PATH_MOST)
		return malformed("a path is too long");
	if (receive_into(buffer, length) < 0)
		return -1;
	buffer->data[length] = '\0';
	if (strlen(buffer->data) != length)
		return malformed("a path holds a NUL");
	*string = buffer->data;
	return 0;
}

static int receive_xattrs(struct record *record)
{
	record->xattrs.length = 0;
	for (unsigned i = 0; i < record->xattrs_count; i++) {
		struct wire_xattr head;
		if (receive(&head, sizeof head) < 0)
			return -1;
		if (head.name == 0 || head.name > NAME_MAX || head.value > XATTR_MOST)
			return malformed("the size of an extended attribute");
		if (buffer_append(&record->xattrs, &head, sizeof head) < 0)
			return fail("receive a record: %m");
		if (receive_into(&record->xattrs, (size_t)head.name + head.value) < 0)
			return -1;
	}
	return 0;
}

int record_receive(struct record *record)
{
	struct wire wire;
	if (receive(&wire, sizeof wire) < 0)
		return -1;
	*record = (struct record){
		.type = (char)wire.type,
		.flags = wire.flags,
		.xattrs_count = wire.xattrs,
		.mode = wire.mode & 07777,
		.uid = wire.uid,
		.gid = wire.gid,
		.major = wire.major,
		.minor = wire.minor,
		.mtime = wire.mtime,
		.mtime_nsec = wire.mtime_nsec,
		.size = wire.size,
		.xattrs = record->xattrs,
	};
	if (wire.mtime_nsec >= 1000000000)
		return malformed("nanoseconds");
	if (receive_string(&path_buffer, wire.path, &record->path) < 0 ||
	    receive_string(&link_buffer, wire.link, &record->link) < 0)
		return -1;
	return receive_xattrs(record);
}

int record_xattrs(const struct record *record,
		  int (*each)(void *context, const char *name, const void *value, size_t length), void *context)
{
	char name[NAME_MAX + 1];
	const char *at = record->xattrs.data;
	for (unsigned i = 0; i < record->xattrs_count; i++) {
		struct wire_xattr head;
		memcpy(&head, at, sizeof head);
		at += sizeof head;
		memcpy(name, at, head.name);
		name[head.name] = '\0';
		at += head.name;
		if (each(context, name, at, head.value) < 0)
			return -1;
		at += head.value;
	}
	return 0;
}
