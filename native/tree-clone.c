/* Contents of files that are copied without passing through anybody: shared blocks where the filesystem can, else in the kernel. */
#include "tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define PIECE (1u << 30)
#define COPY_SIZE (256u << 10)

/* Where the kernel cannot copy between these two files. */
static int copy_by_hand(int from, int to, off_t at, off_t end)
{
	static char data[COPY_SIZE];
	while (at < end) {
		size_t wanted = (size_t)(end - at) < sizeof data ? (size_t)(end - at) : sizeof data;
		ssize_t got = pread(from, data, wanted, at);
		if (got <= 0)
			return (int)got; /* it has become shorter */
		if (pwrite(to, data, (size_t)got, at) != got)
			return -1;
		at += got;
	}
	return 0;
}

static int copy_extent(int from, int to, off_t at, off_t end)
{
	off_t in = at, out = at;
	while (in < end) {
		size_t wanted = end - in > (off_t)PIECE ? PIECE : (size_t)(end - in);
		ssize_t got = copy_file_range(from, &in, to, &out, wanted, 0);
		if (got < 0 && (errno == EXDEV || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
			return copy_by_hand(from, to, in, end);
		if (got <= 0)
			return (int)got;
	}
	return 0;
}

/* Holes stay holes. */
static int copy_extents(int from, int to, off_t size)
{
	for (off_t at = 0; at < size;) {
		off_t data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t hole = data < 0 ? size : lseek(from, data, SEEK_HOLE);
		if (data < 0)
			data = at; /* a filesystem that does not know */
		if (hole < 0 || hole > size)
			hole = size;
		if (copy_extent(from, to, data, hole) < 0)
			return -1;
		at = hole;
	}
	return ftruncate(to, size);
}

int clone_data(int source, const char *path, int to)
{
	struct stat status;
	cleanup_close int from =
		sys_openat2(source, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
			    BERTH_RESOLVE_BENEATH | BERTH_RESOLVE_NO_SYMLINKS | BERTH_RESOLVE_NO_MAGICLINKS);
	/* Gone, or another thing by now: as if it had gone before we looked. */
	if (from < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO))
		return 1;
	if (from < 0 || fstat(from, &status) < 0)
		return fail("%s: %m", path);
	if (!S_ISREG(status.st_mode))
		return 1;
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	return copy_extents(from, to, status.st_size) < 0 ? fail("%s: copy: %m", path) : 0;
}
