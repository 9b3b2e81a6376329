#include "tree-remove.h"

#include <dirent.h>
#include <fcntl.h>

/* Deeper directories are moved up to the top and removed from there, so that descriptors and stack stay bounded. */
#define DEPTH 100

struct removal {
	int top;
	unsigned moved;
};

static int remove_entry(struct removal *removal, int at, const char *name, int depth);

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* One pass over a directory; what others add meanwhile makes the final rmdir fail, and the caller passes again. */
static int empty(struct removal *removal, int fd, int depth)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	if (dir == NULL) {
		close_fd(&copy);
		return fail("read directory: %m");
	}
	struct dirent *entry;
	while ((errno = 0, entry = readdir(dir)) != NULL)
		if (!is_dots(entry->d_name) && remove_entry(removal, fd, entry->d_name, depth) < 0)
			return -1;
	return errno == 0 ? 0 : fail("read directory: %m");
}

static int move_up(struct removal *removal, int at, const char *name)
{
	char target[32];
	for (int i = 0; i < 1000; i++) {
		snprintf(target, sizeof target, ".berth-deep-%u", removal->moved++);
		if (renameat(at, name, removal->top, target) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
			break;
	}
	return fail("move deep directory %s: %m", name);
}

/* Passes again for as long as directories were moved up to here. */
static int empty_until_settled(struct removal *removal, int fd, int depth)
{
	for (;;) {
		unsigned before = removal->moved;
		if (empty(removal, fd, depth) < 0)
			return -1;
		if (removal->top != fd || removal->moved == before)
			return 0;
	}
}

static int remove_directory(struct removal *removal, int at, const char *name, int depth)
{
	cleanup_close int fd = sys_openat2(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, BERTH_RESOLVE_NO_XDEV);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail("open %s: %m", name);
	struct removal own = {.top = fd};
	if (removal == NULL)
		removal = &own;
	for (int attempts = 0; attempts < 100; attempts++) {
		if (empty_until_settled(removal, fd, depth + 1) < 0)
			return -1;
		if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			break;
	}
	return fail("remove directory %s: %m", name);
}

static int remove_entry(struct removal *removal, int at, const char *name, int depth)
{
	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return fail("remove %s: %m", name);
	if (removal != NULL && depth >= DEPTH)
		return move_up(removal, at, name);
	return remove_directory(removal, at, name, depth);
}

int remove_at(int at, const char *name)
{
	return remove_entry(NULL, at, name, 0);
}

int remove_children(int fd)
{
	struct removal removal = {.top = fd};
	return empty_until_settled(&removal, fd, 0);
}
