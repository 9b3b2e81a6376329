/* A tree as records: parents before children, names in byte order, so that equal trees give equal streams. */
#include "tree.h"
#include "tree-links.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#define XATTR_MOST 65536
#define OVERLAY_PREFIX "trusted.overlay."

struct reader {
	const struct tree_options *options;
	struct links links;
	struct buffer path; /* of the current record, NUL-terminated */
	struct record record;
};

/* overlayfs keeps its own notes in attributes of its upper directories: read, never shown. */
static int note_overlay(struct reader *reader, const char *name, const char *value, ssize_t length)
{
	if (!reader->options->upper_dir)
		return 0;
	name += strlen(OVERLAY_PREFIX);
	if (strcmp(name, "opaque") == 0 && length == 1 && value[0] == 'y')
		reader->record.flags |= RECORD_OPAQUE;
	if (strcmp(name, "redirect") == 0 || strcmp(name, "metacopy") == 0) {
		errno = EOPNOTSUPP;
		return fail("%s: overlayfs %s", reader->path.data, name);
	}
	return 0;
}

static int add_xattr(struct reader *reader, const struct fd_path *pinned, const char *name)
{
	static char value[XATTR_MOST];
	struct record *record = &reader->record;
	ssize_t length = getxattr(pinned->text, name, value, sizeof value);
	if (length < 0) /* gone meanwhile, or listed but not for us */
		return 0;
	if (strncmp(name, OVERLAY_PREFIX, strlen(OVERLAY_PREFIX)) == 0)
		return note_overlay(reader, name, value, length);
	/* The label belongs to the machine, not to the file. */
	if (strcmp(name, "security.selinux") == 0)
		return 0;
	struct __attribute__((packed)) {
		uint16_t name;
		uint32_t value;
	} head = {(uint16_t)strlen(name), (uint32_t)length};
	record->xattrs_count++;
	if (buffer_append(&record->xattrs, &head, sizeof head) < 0 ||
	    buffer_append(&record->xattrs, name, head.name) < 0 ||
	    buffer_append(&record->xattrs, value, (size_t)length) < 0)
		return fail("%s: %m", reader->path.data);
	return 0;
}

static int add_xattrs(struct reader *reader, int pin)
{
	static char names[XATTR_MOST];
	struct fd_path pinned = fd_path(pin);
	ssize_t length = listxattr(pinned.text, names, sizeof names);
	reader->record.xattrs.length = 0;
	/* No attributes here, or a file that lets nobody ask. */
	for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1)
		if (add_xattr(reader, &pinned, names + at) < 0)
			return -1;
	return 0;
}

static char type_of(const struct stat *status, bool upper_dir)
{
	switch (status->st_mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFREG:
		return 'f';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFBLK:
		return 'b';
	case S_IFCHR:
		return upper_dir && status->st_rdev == 0 ? 'w' : 'c';
	default:
		return '\0'; /* a socket means nothing without its process */
	}
}

/* Everything but the data; 1 when there is nothing to send. */
static int describe(struct reader *reader, int pin, struct stat *status, char *link, size_t link_size)
{
	struct record *record = &reader->record;
	if (fstat(pin, status) < 0)
		return fail("%s: %m", reader->path.data);
	*record = (struct record){
		.type = type_of(status, reader->options->upper_dir),
		.mode = status->st_mode & 07777,
		.uid = status->st_uid,
		.gid = status->st_gid,
		.mtime = status->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)status->st_mtim.tv_nsec,
		.size = S_ISREG(status->st_mode) ? (uint64_t)status->st_size : 0,
		.path = reader->path.data,
		.link = "",
		.xattrs = record->xattrs,
	};
	if (record->type == '\0')
		return 1;
	if (record->type == 'c' || record->type == 'b') {
		record->major = major(status->st_rdev);
		record->minor = minor(status->st_rdev);
	}
	if (record->type == 'l') {
		ssize_t length = readlinkat(pin, "", link, link_size - 1);
		if (length < 0)
			return fail("%s: %m", reader->path.data);
		link[length] = '\0';
		record->link = link;
	}
	return add_xattrs(reader, pin);
}

/* Exactly `size` bytes, whatever happens to the file meanwhile: cut off, or filled up with zeros. */
static int send_file(struct reader *reader, int pin, uint64_t size)
{
	static char data[256 << 10];
	struct fd_path pinned = fd_path(pin);
	cleanup_close int fd = open(pinned.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail("%s: %m", reader->path.data);
	if (record_send(&reader->record) < 0)
		return -1;
	int error = 0;
	for (bool ended = false; size > 0;) {
		size_t most = size < sizeof data ? (size_t)size : sizeof data;
		ssize_t got = ended ? 0 : read(fd, data, most);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			error = errno;
		if (got <= 0) {
			ended = true;
			got = (ssize_t)most;
			memset(data, 0, most);
		}
		if (send_data(data, (size_t)got) < 0)
			return -1;
		size -= (uint64_t)got;
	}
	if (error == 0)
		return 0;
	errno = error;
	return fail("%s: %m", reader->path.data);
}

struct names {
	char **list;
	size_t count, capacity;
};

static void names_free(struct names *names)
{
	int saved = errno;
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
	errno = saved;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static int add_name(struct names *names, const char *name)
{
	if (names->count == names->capacity) {
		size_t capacity = names->capacity == 0 ? 16 : names->capacity * 2;
		char **list = realloc(names->list, capacity * sizeof *list);
		if (list == NULL)
			return -1;
		names->list = list;
		names->capacity = capacity;
	}
	char *copy = strdup(name);
	if (copy == NULL)
		return -1;
	names->list[names->count++] = copy;
	return 0;
}

static int list_names(int fd, struct names *names)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	if (dir == NULL) {
		close_fd(&copy);
		return -1;
	}
	struct dirent *entry;
	while ((errno = 0, entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    add_name(names, entry->d_name) < 0)
			return -1;
	if (errno != 0)
		return -1;
	if (names->count > 1)
		qsort(names->list, names->count, sizeof *names->list, compare_names);
	return 0;
}

static int read_entry(struct reader *reader, int at, const char *name);

static int set_path(struct reader *reader, size_t prefix, const char *name)
{
	reader->path.length = prefix;
	if (buffer_printf(&reader->path, "%s%s", prefix > 0 ? "/" : "", name) < 0)
		return fail("%s: %m", name);
	return 0;
}

/* Files that the kernel makes up: they come and go while they are read, and some never end. */
static bool made_up(int fd)
{
	enum { MQUEUE = 0x19800202 }; /* in no header */
	static const unsigned int magics[] = {PROC_SUPER_MAGIC,	   SYSFS_MAGIC,	       CGROUP_SUPER_MAGIC,
					      CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, MQUEUE};
	struct statfs status;
	if (fstatfs(fd, &status) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(magics); i++)
		if ((unsigned int)status.f_type == magics[i])
			return true;
	return false;
}

static int read_children(struct reader *reader, int fd)
{
	__attribute__((cleanup(names_free))) struct names names = {0};
	size_t prefix = reader->path.length;
	if (made_up(fd))
		return 0;
	if (list_names(fd, &names) < 0)
		return fail("%s: %m", prefix > 0 ? reader->path.data : reader->options->path);
	for (size_t i = 0; i < names.count; i++)
		if (set_path(reader, prefix, names.list[i]) < 0 || read_entry(reader, fd, names.list[i]) < 0)
			return -1;
	reader->path.length = prefix;
	return 0;
}

/* `covered`: something else is mounted here; what lies below is not shown, so it is sent as empty. */
static int read_pinned(struct reader *reader, int pin, bool covered)
{
	char link[PATH_MAX];
	struct stat status;
	struct record *record = &reader->record;
	int described = describe(reader, pin, &status, link, sizeof link);
	if (described != 0)
		return described < 0 ? -1 : 0;
	if (record->type == 'd')
		return record_send(record) < 0 ? -1 : covered ? 0 : read_children(reader, pin);
	if (covered) {
		record->type = 'f';
		record->size = 0;
		return record_send(record);
	}
	if (status.st_nlink > 1 && record->type != 'w') {
		record->link = links_first(&reader->links, status.st_dev, status.st_ino, reader->path.data);
		if (record->link == NULL)
			return fail("%s: %m", reader->path.data);
		if (record->link[0] != '\0') {
			record->type = 'h';
			record->size = 0;
			return record_send(record);
		}
		record->link = record->type == 'l' ? link : "";
	}
	return record->type == 'f' && !reader->options->no_data ? send_file(reader, pin, record->size) : record_send(record);
}

static int read_entry(struct reader *reader, int at, const char *name)
{
	bool stay = reader->options->one_file_system, covered = false;
	cleanup_close int pin = stay ? sys_openat2(at, name, O_PATH | O_NOFOLLOW, 0, BERTH_RESOLVE_NO_XDEV)
				     : openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (pin < 0 && errno == EXDEV && stay) {
		covered = true;
		pin = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (pin < 0 && errno == ENOENT) /* removed since it was listed */
		return 0;
	return pin < 0 ? fail("%s: %m", reader->path.data) : read_pinned(reader, pin, covered);
}

static int open_start(int root, const struct tree_options *options)
{
	int fd = resolve(root, options->path, options->follow ? 0 : O_NOFOLLOW);
	return fd < 0 ? fail("%s: %m", options->path) : fd;
}

/* The last component of PATH; for the root itself none, so that its children are at the top. */
static int set_first_path(struct reader *reader)
{
	const char *path = reader->options->path, *name = reader->options->name;
	size_t length = strlen(path), start;
	if (name != NULL)
		return set_path(reader, 0, name);
	while (length > 0 && path[length - 1] == '/')
		length--;
	for (start = length; start > 0 && path[start - 1] != '/';)
		start--;
	if (buffer_append(&reader->path, path + start, length - start) < 0 || buffer_append(&reader->path, "", 1) < 0)
		return fail("%s: %m", path);
	reader->path.length--;
	if (strcmp(reader->path.data, ".") == 0 || strcmp(reader->path.data, "..") == 0)
		return set_path(reader, 0, "");
	return 0;
}

static void reader_free(struct reader *reader)
{
	int saved = errno;
	links_free(&reader->links);
	buffer_free(&reader->path);
	buffer_free(&reader->record.xattrs);
	errno = saved;
}
#define cleanup_reader __attribute__((cleanup(reader_free)))

int tree_read(int root, const struct tree_options *options)
{
	cleanup_reader struct reader reader = {.options = options};
	cleanup_close int pin = open_start(root, options);
	if (pin < 0 || set_first_path(&reader) < 0)
		return -1;
	if (reader.path.length > 0)
		return read_pinned(&reader, pin, false);
	return read_children(&reader, pin);
}

int tree_stat(int root, const struct tree_options *options)
{
	cleanup_reader struct reader reader = {.options = options};
	char link[PATH_MAX];
	struct stat status;
	cleanup_close int pin = open_start(root, options);
	if (pin < 0 || set_first_path(&reader) < 0)
		return -1;
	int described = describe(&reader, pin, &status, link, sizeof link);
	if (described > 0) {
		errno = ENOTSUP;
		return fail("%s: is a socket", options->path);
	}
	return described < 0 ? -1 : record_send(&reader.record);
}
