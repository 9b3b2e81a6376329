/* Records become a tree below a directory in which others may change everything at any time. */
#include "tree.h"
#include "tree-remove.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define ATTEMPTS 100
#define HOLE 4096

/* A directory whose time is set at the end, when nothing is written into it any more. */
struct late {
	char *path;
	struct timespec mtime;
};

struct writer {
	const struct tree_options *options;
	int source; /* of --source, or -1 */
	struct place place;
	struct record record;
	struct late *late;
	size_t late_count, late_capacity;
};

static int refuse(const struct record *record, int error, const char *why)
{
	errno = error;
	return fail("%s: %s", record->path, why);
}

/* Splits the record's path; `parent` (to be freed) ends before the returned name. */
static const char *split(const char *path, char **parent)
{
	const char *slash = strrchr(path, '/');
	*parent = slash == NULL ? strdup("") : strndup(path, (size_t)(slash - path));
	return slash == NULL ? path : slash + 1;
}

static int pin_entry(int at, const char *name)
{
	return openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int remove_existing(struct writer *writer, int at, const char *name)
{
	/* What is removed may be the directory that `place` remembers, or hold it: `at` is not, since it holds `name`. */
	struct place *place = &writer->place;
	cleanup_free_ptr(&place->known);
	return remove_at(at, name);
}

static bool matches(char type, mode_t mode)
{
	return (mode & S_IFMT) == (type == 'd'	 ? S_IFDIR
				   : type == 'f' ? S_IFREG
				   : type == 'l' ? S_IFLNK
				   : type == 'b' ? S_IFBLK
				   : type == 'p' ? S_IFIFO
						 : S_IFCHR);
}

/* The earlier record of a hard link, itself never followed. */
static int pin_link_target(struct writer *writer)
{
	const struct record *record = &writer->record;
	cleanup_free char *parent = NULL;
	if (!is_plain_path(record->link))
		return refuse(record, EBADMSG, "bad path of a hard link");
	const char *name = split(record->link, &parent);
	int at = parent == NULL ? -1 : place_directory(&writer->place, parent, false);
	int fd = at < 0 ? -1 : pin_entry(at, name);
	return fd < 0 ? fail("%s: hard link to %s: %m", record->path, record->link) : fd;
}

/* Makes the entry, empty and ours alone, where there is none; EEXIST when there is. Gives its descriptor. */
static int create(struct writer *writer, int at, const char *name)
{
	const struct record *record = &writer->record;
	dev_t device = makedev(record->major, record->minor);
	int done = -1;
	switch (record->type) {
	case 'f':
		return openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	case 'd':
		done = mkdirat(at, name, 0700);
		break;
	case 'l':
		done = symlinkat(record->link, at, name);
		break;
	case 'c':
		done = mknodat(at, name, S_IFCHR | 0600, device);
		break;
	case 'b':
		done = mknodat(at, name, S_IFBLK | 0600, device);
		break;
	case 'p':
		done = mknodat(at, name, S_IFIFO | 0600, 0);
		break;
	case 'w':
		done = mknodat(at, name, S_IFCHR, 0);
		break;
	default:
		errno = EBADMSG;
	}
	return done < 0 ? -1 : pin_entry(at, name);
}

static bool is_whiteout(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == 0;
}

/* Deals with what is there already: 1 when it stays and the record only describes it, 0 when it is gone. */
static int make_way(struct writer *writer, int at, const char *name)
{
	struct record *record = &writer->record;
	struct stat status;
	if (fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail("%s: %m", record->path);
	bool was = S_ISDIR(status.st_mode), becomes = record->type == 'd';
	if (was && becomes)
		return 1;
	if (writer->options->no_replace && was != becomes) {
		errno = was ? EISDIR : ENOTDIR;
		return fail(was ? "cannot overwrite directory \"%s\" with non-directory \"%s\""
				: "cannot overwrite non-directory \"%s\" with directory \"%s\"",
			    record->path, record->path);
	}
	/* A whiteout hides what lower layers have; a directory of this layer beside it shows nothing of theirs. */
	if (writer->options->layer && becomes && is_whiteout(&status))
		record->flags |= RECORD_OPAQUE;
	return remove_existing(writer, at, name);
}

/* The new entry's descriptor, or that of the directory that is described anew. */
static int obtain(struct writer *writer, int at, const char *name)
{
	const struct record *record = &writer->record;
	for (int i = 0; i < ATTEMPTS; i++) {
		int fd = create(writer, at, name);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? fail("%s: %m", record->path) : fd;
		int way = make_way(writer, at, name);
		if (way < 0)
			return -1;
		fd = way == 0 ? -1 : openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return refuse(record, EBUSY, "somebody else keeps changing it");
}

static bool is_zero(const char *data, size_t length)
{
	return data[0] == '\0' && memcmp(data, data + 1, length - 1) == 0;
}

/* Blocks of zeros are left out; the file's size is set in the end. */
static int write_sparse(int fd, const char *data, size_t length)
{
	while (length > 0) {
		size_t piece = length < HOLE ? length : HOLE;
		if (is_zero(data, piece) ? lseek(fd, (off_t)piece, SEEK_CUR) < 0 : write_all(fd, data, piece) < 0)
			return -1;
		data += piece;
		length -= piece;
	}
	return 0;
}

static int copy_data(struct writer *writer, int fd)
{
	bool sparse = writer->options->sparse;
	for (uint64_t left = writer->record.size; left > 0;) {
		const void *data;
		ssize_t length = receive_data(&data, left);
		if (length < 0)
			return -1;
		if (sparse ? write_sparse(fd, data, (size_t)length) < 0 : write_all(fd, data, (size_t)length) < 0)
			return fail("%s: %m", writer->record.path);
		left -= (uint64_t)length;
	}
	if (sparse && ftruncate(fd, (off_t)writer->record.size) < 0)
		return fail("%s: %m", writer->record.path);
	return 0;
}

/* 1: the file is gone where its contents come from. */
static int fill(struct writer *writer, int fd)
{
	return writer->source < 0 ? copy_data(writer, fd) : clone_data(writer->source, writer->record.path, fd);
}

struct xattr_target {
	const struct record *record;
	struct fd_path pinned;
};

/* A filesystem without such attributes does without; overlayfs' own notes are nothing for a stream to bring. */
static int set_xattr(void *context, const char *name, const void *value, size_t length)
{
	const struct xattr_target *target = context;
	if (strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0)
		return 0;
	if (setxattr(target->pinned.text, name, value, length, 0) == 0 || errno == EOPNOTSUPP)
		return 0;
	return fail("%s: %s: %m", target->record->path, name);
}

/* The owner comes first: a change of it takes setuid bits and capabilities away. */
static int apply(struct writer *writer, int fd)
{
	const struct record *record = &writer->record;
	struct xattr_target target = {record, fd_path(fd)};
	uid_t uid = writer->options->own ? writer->options->uid : record->uid;
	gid_t gid = writer->options->own ? writer->options->gid : record->gid;
	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return fail("%s: change the owner: %m", record->path);
	if (record->type != 'l' && chmod(target.pinned.text, record->mode) < 0)
		return fail("%s: change the mode: %m", record->path);
	if (record_xattrs(record, set_xattr, &target) < 0)
		return -1;
	if (record->type == 'd' && (record->flags & RECORD_OPAQUE) && writer->options->layer &&
	    setxattr(target.pinned.text, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return fail("%s: trusted.overlay.opaque: %m", record->path);
	return 0;
}

static int set_time(int fd, const struct timespec *mtime)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *mtime};
	return utimensat(AT_FDCWD, fd_path(fd).text, times, 0);
}

static int remember_time(struct writer *writer, const struct timespec *mtime)
{
	if (writer->late_count == writer->late_capacity) {
		size_t capacity = writer->late_capacity == 0 ? 64 : writer->late_capacity * 2;
		struct late *late = realloc(writer->late, capacity * sizeof *late);
		if (late == NULL)
			return fail("%m");
		writer->late = late;
		writer->late_capacity = capacity;
	}
	char *path = strdup(writer->record.path);
	if (path == NULL)
		return fail("%m");
	writer->late[writer->late_count++] = (struct late){path, *mtime};
	return 0;
}

/* What cannot be found any more needs no time. */
static int set_late_times(struct writer *writer)
{
	for (size_t i = writer->late_count; i > 0; i--) {
		struct late *late = &writer->late[i - 1];
		cleanup_free char *parent = NULL;
		const char *name = split(late->path, &parent);
		if (parent == NULL)
			return fail("%m");
		int at = place_directory(&writer->place, parent, false);
		cleanup_close int fd =
			at < 0 ? -1 : openat(at, name[0] == '\0' ? "." : name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && set_time(fd, &late->mtime) < 0)
			return fail("%s: set the time: %m", late->path);
	}
	return 0;
}

/* A directory's earlier content is that of lower layers when layers are applied to one tree. */
static int empty_opaque(struct writer *writer, int fd)
{
	cleanup_close int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free_ptr(&writer->place.known);
	if (readable < 0)
		return fail("%s: %m", writer->record.path);
	return remove_children(readable);
}

static int finish_entry(struct writer *writer, int fd)
{
	const struct record *record = &writer->record;
	struct timespec mtime = {.tv_sec = record->mtime, .tv_nsec = record->mtime_nsec};
	struct stat status;
	/* An entry that somebody put in the place of ours is not ours to change. */
	if (fstat(fd, &status) < 0 || !matches(record->type, status.st_mode))
		return refuse(record, EBUSY, "exchanged while it was written");
	if (record->type == 'd' && (record->flags & RECORD_OPAQUE) && !writer->options->layer &&
	    empty_opaque(writer, fd) < 0)
		return -1;
	int filled = record->type == 'f' ? fill(writer, fd) : 0;
	if (filled != 0)
		return filled;
	if (apply(writer, fd) < 0)
		return -1;
	if (record->type == 'd')
		return remember_time(writer, &mtime);
	return set_time(fd, &mtime) < 0 ? fail("%s: set the time: %m", record->path) : 0;
}

static int write_hard_link(struct writer *writer, int at, const char *name)
{
	const struct record *record = &writer->record;
	/* Finding the target makes `place` forget the directory. */
	cleanup_close int keep = fcntl(at, F_DUPFD_CLOEXEC, 0);
	if (keep < 0)
		return fail("%s: %m", record->path);
	cleanup_close int target = pin_link_target(writer);
	if (target < 0)
		return -1;
	for (int i = 0; i < ATTEMPTS; i++) {
		if (linkat(target, "", keep, name, AT_EMPTY_PATH) == 0)
			return 0;
		if (errno != EEXIST)
			return fail("%s: hard link to %s: %m", record->path, record->link);
		if (make_way(writer, keep, name) < 0)
			return -1;
	}
	return refuse(record, EBUSY, "somebody else keeps changing it");
}

static int write_whiteout(struct writer *writer, int at, const char *name)
{
	struct stat status;
	if (!writer->options->layer)
		return remove_existing(writer, at, name);
	if (mknodat(at, name, S_IFCHR, 0) == 0)
		return 0;
	if (errno != EEXIST || fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail("%s: whiteout: %m", writer->record.path);
	/* It is about lower layers: what this one has brought itself stays. */
	if (!S_ISDIR(status.st_mode))
		return 0;
	cleanup_close int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return fail("%s: whiteout: %m", writer->record.path);
	return 0;
}

static int write_entry(struct writer *writer)
{
	struct record *record = &writer->record;
	cleanup_free char *parent = NULL;
	bool itself = record->path[0] == '\0' && record->type == 'd';
	if (!itself && !is_plain_path(record->path))
		return refuse(record, EBADMSG, "bad path");
	if (record->size > 0 && record->type != 'f')
		return refuse(record, EBADMSG, "data where there can be none");
	const char *name = split(record->path, &parent);
	if (parent == NULL)
		return fail("%m");
	bool make = record->type != 'w' || writer->options->layer;
	int at = place_directory(&writer->place, parent, make);
	if (at < 0)
		return !make && (errno == ENOENT || errno == ENOTDIR) ? 0 : fail("%s: %m", record->path);
	if (record->type == 'h')
		return write_hard_link(writer, at, name);
	if (record->type == 'w')
		return write_whiteout(writer, at, name);
	cleanup_close int fd = itself ? fcntl(at, F_DUPFD_CLOEXEC, 0) : obtain(writer, at, name);
	int finished = fd < 0 ? -1 : finish_entry(writer, fd);
	if (finished != 1)
		return finished;
	return remove_existing(writer, at, name);
}

static void writer_free(struct writer *writer)
{
	int saved = errno;
	for (size_t i = 0; i < writer->late_count; i++)
		free(writer->late[i].path);
	free(writer->late);
	buffer_free(&writer->record.xattrs);
	place_forget(&writer->place);
	close_fd(&writer->source);
	errno = saved;
}

int tree_write(int root, const struct tree_options *options)
{
	cleanup_close int base = resolve(root, options->path, O_DIRECTORY);
	if (base < 0)
		return fail("%s: %m", options->path);
	__attribute__((cleanup(writer_free))) struct writer writer = {
		.options = options,
		.source = -1,
		.place = {.root = root,
			  .base = options->path,
			  .base_fd = base,
			  .layer = options->layer,
			  .own = options->own,
			  .uid = options->uid,
			  .gid = options->gid,
			  .known_fd = -1},
	};
	if (options->source != NULL &&
	    (writer.source = open(options->source, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return fail("%s: %m", options->source);
	for (;;) {
		if (record_receive(&writer.record) < 0)
			return -1;
		if (writer.record.type == 'E')
			return set_late_times(&writer);
		if (writer.record.type == '\0' || strchr("dflhcbpw", writer.record.type) == NULL)
			return refuse(&writer.record, EBADMSG, "unknown type of record");
		if (write_entry(&writer) < 0)
			return -1;
	}
}
