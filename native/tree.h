/*
 * berth-tree (PROTOCOL.md §3). Everything found in the tree is hostile: names are looked up one at a time below
 * pinned descriptors, what a descriptor shows is checked before it is used, and nothing is executed or loaded.
 */
#ifndef BERTH_TREE_H
#define BERTH_TREE_H

#include "common.h"

#include <limits.h>

struct tree_bind {
	const char *source, *destination;
	const char *below; /* relative path that is resolved beneath the source; or NULL */
	bool read_only;
};

struct tree_options {
	bool write;
	const char *path;
	pid_t join;
	uint64_t join_start; /* 0: not checked */
	const char **lower;
	size_t lowers;
	const char *upper, *work;
	struct tree_bind *binds;
	size_t binds_count;
	const char *root;
	bool follow, upper_dir, one_file_system, no_data;
	const char *name;
	bool no_replace, layer, own, sparse;
	uid_t uid;
	gid_t gid;
	const char *source; /* (write) contents of files come from here instead of the stream */
};

/* tree-root.c: enters namespaces, mounts what is asked for; an O_PATH descriptor of the root, or -1. */
int open_root(const struct tree_options *options);

/* tree-path.c */

/*
 * The working directory is our own /proc/self/fd, opened before another namespace is entered, so a descriptor's number
 * is a path to exactly what it pins, for calls that take only paths, even where /proc is missing or forged.
 */
struct fd_path {
	char text[12];
};
struct fd_path fd_path(int fd);
int pin_proc(void);

/* O_PATH descriptor of `path` below `root`, which no symlink or `..` leaves. */
int resolve(int root, const char *path, uint64_t flags);

/* Whether a record's path is relative and made of plain names. */
bool is_plain_path(const char *path);

/* Where records are written: directory `base` (a path) below `root`. */
struct place {
	int root;
	const char *base;
	int base_fd;
	bool layer; /* follow no symlink at all; what stands where a directory must be is replaced by one */
	bool own;   /* of directories made on the way */
	uid_t uid;
	gid_t gid;
	char *known; /* the directory last asked for */
	int known_fd;
};

/*
 * O_PATH descriptor of directory `path` (may be empty), owned by `place` and valid until the next call. With `make`
 * missing ones are made 0755.
 */
int place_directory(struct place *place, const char *path, bool make);
void place_forget(struct place *place);

/* tree-record.c */
struct record {
	char type;
	uint8_t flags;
	uint16_t xattrs_count;
	uint32_t mode, uid, gid, major, minor;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint64_t size;
	const char *path, *link;
	struct buffer xattrs; /* as on the wire */
};
#define RECORD_OPAQUE 1

int record_send(const struct record *record);
int send_data(const void *data, size_t length);
int send_flush(void);

/* The next record, whose strings are valid until the one after it. */
int record_receive(struct record *record);
/* Some of the data that follow a record: at least one and at most `most` bytes. */
ssize_t receive_data(const void **data, uint64_t most);
/* Calls `each` for every extended attribute. */
int record_xattrs(const struct record *record,
		  int (*each)(void *context, const char *name, const void *value, size_t length), void *context);

/*
 * tree-clone.c: contents of the regular file `path` below `source`, which no symlink is on the way to, for the empty file
 * `to`. 1: there is no such file any more.
 */
int clone_data(int source, const char *path, int to);

/* tree-read.c, tree-write.c: the commands. */
int tree_stat(int root, const struct tree_options *options);
int tree_read(int root, const struct tree_options *options);
int tree_write(int root, const struct tree_options *options);

#endif
