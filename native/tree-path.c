/* Race-free resolution of paths in a tree that others change at the same time. */
#include "tree.h"
#include "tree-remove.h"

#include <fcntl.h>
#include <sys/stat.h>

#define DIRECTORY (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct fd_path fd_path(int fd)
{
	struct fd_path path;
	snprintf(path.text, sizeof path.text, "%d", fd);
	return path;
}

int pin_proc(void)
{
	int fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail("/proc/self/fd: %m") : fd;
}

/* A rename anywhere while `..` is walked makes the kernel give up with EAGAIN, so that it may be tried again. */
static int open_again(int at, const char *path, uint64_t flags, uint64_t restrictions)
{
	int fd = -1;
	for (int i = 0; i < 1000; i++) {
		fd = sys_openat2(at, path, flags | O_PATH, 0, restrictions | BERTH_RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

int resolve(int root, const char *path, uint64_t flags)
{
	return open_again(root, path, flags, BERTH_RESOLVE_IN_ROOT);
}

bool is_plain_path(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");
		if (length == 0 || length > NAME_MAX || (length == 1 && path[0] == '.') ||
		    (length == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (path[length] == '\0')
			return true;
		path += length + 1;
	}
}

static int lookup(const struct place *place, const char *path)
{
	if (place->layer)
		return open_again(place->base_fd, path[0] == '\0' ? "." : path, O_DIRECTORY,
				  BERTH_RESOLVE_BENEATH | BERTH_RESOLVE_NO_SYMLINKS);
	cleanup_buffer struct buffer whole = {0};
	if (buffer_printf(&whole, "%s/%s", place->base, path) < 0)
		return -1;
	return resolve(place->root, whole.data, O_DIRECTORY);
}

/* Directory `name` in `at`, which was not there a moment ago. */
static int make_directory(const struct place *place, int at, const char *name)
{
	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return -1;
	cleanup_close int fd = openat(at, name, DIRECTORY);
	if (fd >= 0 && place->own &&
	    fchownat(fd, "", place->uid, place->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return take_fd(&fd);
}

static int replace_by_directory(const struct place *place, int at, const char *name)
{
	return remove_at(at, name) < 0 ? -1 : make_directory(place, at, name);
}

/* From the top down, making what is missing. */
static int make_directories_in(const struct place *place, const char *path)
{
	cleanup_free char *partial = strdup(path);
	cleanup_close int fd = lookup(place, "");
	if (partial == NULL || fd < 0)
		return -1;
	for (char *name = partial, *end; name != NULL; name = end) {
		end = strchr(name, '/');
		if (end != NULL)
			*end = '\0';
		int next = lookup(place, partial);
		if (next < 0 && errno == ENOENT)
			next = make_directory(place, fd, name);
		else if (next < 0 && place->layer && (errno == ELOOP || errno == ENOTDIR))
			next = replace_by_directory(place, fd, name);
		close_fd(&fd);
		fd = next;
		if (fd < 0)
			return -1;
		if (end != NULL)
			*end++ = '/';
	}
	return take_fd(&fd);
}

int place_directory(struct place *place, const char *path, bool make)
{
	if (place->known != NULL && strcmp(place->known, path) == 0)
		return place->known_fd;
	place_forget(place);
	cleanup_close int fd = lookup(place, path);
	if (fd < 0 && make && path[0] != '\0')
		fd = make_directories_in(place, path);
	if (fd < 0)
		return -1;
	place->known = strdup(path);
	if (place->known == NULL)
		return -1;
	return place->known_fd = take_fd(&fd);
}

void place_forget(struct place *place)
{
	cleanup_free_ptr(&place->known);
	close_fd(&place->known_fd);
}
