/*
 * Docker's json-file: {"log":"text\n","stream":"stdout","time":"…"} per line, split at 16 KiB, rotated by size.
 *
 * One read of the container's output becomes one write here, whatever number of lines it holds. A record is escaped
 * straight into the output buffer, where its length is known before it is decided in which file it goes.
 */
#include "shim.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LINE_LIMIT 16384
#define STAMP_LENGTH 30 /* 2026-01-02T03:04:05.123456789Z */
#define ATTRIBUTES_LIMIT 65536
/* The longest record: every byte as \u00XX, and what is around it. */
#define RECORD_LIMIT (6 * (LINE_LIMIT + 1) + ATTRIBUTES_LIMIT + 128)
#define BATCH 65536

/* An unfinished line, or what is left of one that is being split. */
struct log_stream {
	size_t length;
	bool split; /* the pieces of a line share its first stamp */
	char stamp[STAMP_LENGTH + 1];
	char line[LINE_LIMIT + 1];
};

/* All zero at first, so that none of it is in the program's file or in memory before it is used. */
static struct {
	const char *file; /* NULL: no log */
	const char *attributes; /* a JSON object that every record has; or NULL */
	int fd;
	bool compress;
	uint64_t size, max_size, max_files;
	size_t used;
	char stamp[STAMP_LENGTH + 1];
	struct log_stream streams[2];
	char batch[BATCH + RECORD_LIMIT];
} state;

/* --- the file --- */

static int open_file(void)
{
	struct stat status;
	state.fd = open(state.file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (state.fd < 0 || fstat(state.fd, &status) < 0)
		return fail("log %s: %m", state.file);
	state.size = (uint64_t)status.st_size;
	return 0;
}

/* A record torn by a crash has no newline: cut it off, so that no reader sees half a line. */
static int repair(void)
{
	uint64_t end = state.size;
	while (end > 0) {
		char block[4096];
		uint64_t from = end > sizeof block ? end - sizeof block : 0;
		ssize_t got = pread(state.fd, block, (size_t)(end - from), (off_t)from);
		if (got <= 0)
			return fail("log %s: %m", state.file);
		const char *newline = memrchr(block, '\n', (size_t)got);
		end = newline == NULL ? from : from + (uint64_t)(newline - block) + 1;
		if (newline != NULL)
			break;
	}
	if (end < state.size && ftruncate(state.fd, (off_t)end) < 0)
		return fail("log %s: %m", state.file);
	state.size = end;
	return 0;
}

int log_open(const struct config *config)
{
	state.file = config->log;
	state.attributes = config->log_attributes;
	state.fd = -1;
	state.max_size = config->log_max_size;
	state.max_files = config->log_max_files == 0 ? 1 : config->log_max_files;
	state.compress = config->log_compress && state.max_files > 1;
	if (state.attributes != NULL && strlen(state.attributes) > ATTRIBUTES_LIMIT)
		return fail("attributes of the log are too long");
	return open_file() < 0 ? -1 : repair();
}

static void flush(void)
{
	/* A rotation that could not make its new file is made up for as soon as it can. */
	if (state.used > 0 && (state.fd >= 0 || open_file() == 0)) {
		if (write_all(state.fd, state.batch, state.used) == 0)
			state.size += state.used;
		else if (ftruncate(state.fd, (off_t)state.size) < 0) /* no space: lines are lost, but none is torn */
			close_fd(&state.fd);
	}
	state.used = 0;
}

/* FILE, or FILE.N and FILE.N.gz. */
static void shift(uint64_t from, const char *suffix)
{
	char old[4096], new[4096];
	if (from == 0)
		snprintf(old, sizeof old, "%s", state.file);
	else
		snprintf(old, sizeof old, "%s.%llu%s", state.file, (unsigned long long)from, suffix);
	snprintf(new, sizeof new, "%s.%llu%s", state.file, (unsigned long long)from + 1, suffix);
	rename(old, new);
}

/*
 * FILE → FILE.1 → … ; with one file only it begins anew, and a reader that has it open still reads its end. FILE.1 is packed
 * beside the container; the next rotation waits for that, so that nobody renames what is being packed.
 */
static void rotate(void)
{
	struct stat last;
	bool known = fstat(state.fd, &last) == 0;
	compress_wait();
	for (uint64_t i = state.max_files - 1; i > 0; i--) {
		shift(i - 1, "");
		if (i > 1)
			shift(i - 1, ".gz");
	}
	if (state.max_files == 1)
		unlink(state.file);
	close_fd(&state.fd);
	open_file();
	if (state.compress && known)
		compress_start(state.file, &last.st_mtim);
}

/* --- time --- */

static char *digits(char *to, unsigned long value, int count)
{
	for (int i = count - 1; i >= 0; i--, value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + count;
}

static void stamp_now(void)
{
	static time_t second = -1;
	struct timespec now;
	struct tm date;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second && gmtime_r(&now.tv_sec, &date) != NULL) {
		second = now.tv_sec;
		strftime(state.stamp, sizeof state.stamp, "%Y-%m-%dT%H:%M:%S.", &date);
	}
	strcpy(digits(state.stamp + 20, (unsigned long)now.tv_nsec, 9), "Z");
}

/* --- escaping --- */

/* Length of the UTF-8 sequence at `data`, or 0 when it is not a valid one (RFC 3629 §4). */
static size_t sequence(const unsigned char *data, size_t length)
{
	unsigned char lead = data[0], low = 0x80, high = 0xbf;
	size_t size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
	if (size == 0 || size > length)
		return 0;
	if (lead == 0xe0)
		low = 0xa0; /* overlong */
	else if (lead == 0xed)
		high = 0x9f; /* surrogates */
	else if (lead == 0xf0)
		low = 0x90; /* overlong */
	else if (lead == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	if (data[1] < low || data[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++)
		if (data[i] < 0x80 || data[i] > 0xbf)
			return 0;
	return size;
}

/* 1: stands for itself in a JSON string. Not so: controls, quote, backslash, and < > & as Go's encoder has it. */
static const unsigned char plain[256] = {
	[' '] = 1, ['!'] = 1, ['#' ... '%'] = 1, ['\'' ... ';'] = 1, ['='] = 1, ['?' ... '['] = 1, [']' ... 0x7f] = 1,
};

static char *escape_ascii(char *to, unsigned char c)
{
	static const char hexadecimal[] = "0123456789abcdef";
	*to++ = '\\';
	if (c == '"' || c == '\\') {
		*to++ = (char)c;
	} else if (c == '\n' || c == '\r') {
		*to++ = c == '\n' ? 'n' : 'r';
	} else {
		memcpy(to, "u00", 3);
		to[3] = hexadecimal[c >> 4];
		to[4] = hexadecimal[c & 15];
		to += 5;
	}
	return to;
}

static char *escape(char *to, const char *text, size_t length)
{
	const unsigned char *from = (const unsigned char *)text, *end = from + length;
	while (from < end) {
		const unsigned char *start = from;
		while (from < end && plain[*from])
			from++;
		memcpy(to, start, (size_t)(from - start));
		to += from - start;
		if (from == end)
			break;
		if (*from < 0x80) {
			to = escape_ascii(to, *from++);
			continue;
		}
		size_t size = sequence(from, (size_t)(end - from));
		if (size == 0) {
			memcpy(to, "\\ufffd", 6);
			to += 6;
			from++;
		} else if (size == 3 && from[0] == 0xe2 && from[1] == 0x80 && (from[2] | 1) == 0xa9) {
			/* U+2028 and U+2029 end a line in JavaScript. */
			memcpy(to, from[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
			to += 6;
			from += 3;
		} else {
			memcpy(to, from, size);
			to += size;
			from += size;
		}
	}
	return to;
}

/* --- records --- */

static char *put(char *to, const char *text)
{
	size_t length = strlen(text);
	memcpy(to, text, length);
	return to + length;
}

static void emit(const struct log_stream *stream, const char *stamp, const char *text, size_t length)
{
	char *record = state.batch + state.used;
	char *to = put(record, "{\"log\":\"");
	to = escape(to, text, length);
	to = put(to, "\",\"stream\":\"");
	to = put(to, stream == &state.streams[0] ? "stdout" : "stderr");
	if (state.attributes != NULL) {
		to = put(to, "\",\"attrs\":");
		to = put(to, state.attributes);
		to = put(to, ",\"time\":\"");
	} else {
		to = put(to, "\",\"time\":\"");
	}
	to = put(to, stamp);
	to = put(to, "\"}\n");
	size_t size = (size_t)(to - record);
	uint64_t before = state.size + state.used;
	if (state.max_size > 0 && before > 0 && before + size > state.max_size) {
		flush();
		rotate();
		memmove(state.batch, record, size);
	}
	state.used += size;
	if (state.used >= BATCH)
		flush();
}

/* Length of the beginning of a full line that does not cut a character in two. */
static size_t whole_characters(const char *line)
{
	for (size_t back = 1; back <= 3; back++) {
		unsigned char c = (unsigned char)line[LINE_LIMIT - back];
		size_t size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
		if (c >= 0xc0)
			return size > back ? LINE_LIMIT - back : LINE_LIMIT;
		if (c < 0x80)
			break;
	}
	return LINE_LIMIT;
}

static void emit_line(struct log_stream *stream, size_t length)
{
	if (!stream->split)
		memcpy(stream->stamp, state.stamp, sizeof stream->stamp);
	emit(stream, stream->stamp, stream->line, length);
	stream->length -= length;
	if (stream->length > 0)
		memmove(stream->line, stream->line + length, stream->length);
}

void log_write(int number, const char *data, size_t length)
{
	struct log_stream *stream = &state.streams[number - 1];
	if (state.file == NULL || shim.discard)
		return;
	stamp_now();
	while (length > 0) {
		size_t room = LINE_LIMIT + 1 - stream->length;
		size_t take = length < room ? length : room;
		const char *newline = memchr(data, '\n', take);
		if (newline != NULL)
			take = (size_t)(newline - data) + 1;
		if (newline != NULL && stream->length == 0 && !stream->split) {
			emit(stream, state.stamp, data, take);
		} else {
			memcpy(stream->line + stream->length, data, take);
			stream->length += take;
			if (newline != NULL)
				emit_line(stream, stream->length);
			else if (stream->length > LINE_LIMIT)
				emit_line(stream, whole_characters(stream->line));
			stream->split = newline == NULL && (stream->split || take == room);
		}
		data += take;
		length -= take;
	}
	flush();
}

void log_finish(void)
{
	if (state.file == NULL || shim.discard)
		return;
	stamp_now();
	for (size_t i = 0; i < ARRAY_LENGTH(state.streams); i++)
		if (state.streams[i].length > 0)
			emit_line(&state.streams[i], state.streams[i].length);
	flush();
}

void log_sync(void)
{
	if (state.file != NULL && state.fd >= 0)
		fdatasync(state.fd);
}
