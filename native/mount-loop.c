/* Loop devices; apart from mount.c because <linux/loop.h> is needed nowhere else. */
#include "mount.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#define ATTEMPTS 64

int loop_attach(const char *file, char *path, size_t size)
{
	cleanup_close int backing = open(file, O_RDONLY | O_CLOEXEC);
	if (backing < 0)
		return fail("%s: %m", file);
	cleanup_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return fail("/dev/loop-control: %m");
	struct loop_config config = {
		.fd = (uint32_t)backing,
		.info = {.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR},
	};
	/* Somebody else may take the free device that the kernel named: then ask again. */
	for (int i = 0; i < ATTEMPTS; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return fail("find a free loop device: %m");
		snprintf(path, size, "/dev/loop%d", number);
		cleanup_close int loop = open(path, O_RDONLY | O_CLOEXEC);
		if (loop < 0)
			return fail("%s: %m", path);
		if (ioctl(loop, LOOP_CONFIGURE, &config) == 0)
			return take_fd(&loop);
		if (errno != EBUSY)
			return fail("attach %s to %s: %m", file, path);
	}
	errno = EBUSY;
	return fail("attach %s: no free loop device: %m", file);
}
