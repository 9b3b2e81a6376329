#include "tree-links.h"

/* Open addressing, at most half full. */
static struct link_entry *find(const struct links *links, dev_t device, ino_t inode)
{
	size_t hash = (size_t)((inode ^ device * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu >> 17);
	for (size_t i = hash & (links->capacity - 1);; i = (i + 1) & (links->capacity - 1)) {
		struct link_entry *entry = &links->entries[i];
		if (entry->path == NULL || (entry->device == device && entry->inode == inode))
			return entry;
	}
}

static int grow(struct links *links)
{
	struct links larger = {.capacity = links->capacity == 0 ? 64 : links->capacity * 2, .count = links->count};
	larger.entries = calloc(larger.capacity, sizeof *larger.entries);
	if (larger.entries == NULL)
		return -1;
	for (size_t i = 0; i < links->capacity; i++)
		if (links->entries[i].path != NULL)
			*find(&larger, links->entries[i].device, links->entries[i].inode) = links->entries[i];
	free(links->entries);
	*links = larger;
	return 0;
}

const char *links_first(struct links *links, dev_t device, ino_t inode, const char *path)
{
	if (links->count * 2 >= links->capacity && grow(links) < 0)
		return NULL;
	struct link_entry *entry = find(links, device, inode);
	if (entry->path != NULL)
		return entry->path;
	entry->path = strdup(path);
	if (entry->path == NULL)
		return NULL;
	entry->device = device;
	entry->inode = inode;
	links->count++;
	return "";
}

void links_free(struct links *links)
{
	for (size_t i = 0; i < links->capacity; i++)
		free(links->entries[i].path);
	free(links->entries);
	*links = (struct links){0};
}
