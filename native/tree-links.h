/* Which files with several names have been seen, and under which path first. */
#ifndef BERTH_TREE_LINKS_H
#define BERTH_TREE_LINKS_H

#include "common.h"

struct link_entry {
	dev_t device;
	ino_t inode;
	char *path; /* NULL: a free place */
};
struct links {
	struct link_entry *entries;
	size_t capacity, count;
};

/* The path of an earlier call for this file; else remembers `path` and returns "". NULL: out of memory. */
const char *links_first(struct links *links, dev_t device, ino_t inode, const char *path);
void links_free(struct links *links);

#endif
