/*
 * Sockets in the network namespaces of containers. They would keep a namespace alive, and its links with it, so they
 * are closed as soon as the process that it was entered through has ended.
 */
#include "dns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PORT_ATTEMPTS 16
#define RECEIVE_BUFFER (512 << 10)

struct container *container_find(const char *id)
{
	for (struct container *container = dns.containers; container != NULL; container = container->next)
		if (!container->dead && strcmp(container->id, id) == 0)
			return container;
	return NULL;
}

/* Everything but the memory, which an event under way may still use. */
static void drop(struct container *container)
{
	forward_drop_all(container, NULL);
	client_drop_all(container);
	watch_close(&container->udp);
	watch_close(&container->tcp);
	watch_close(&container->ended);
	container->dead = dns.dirty = true;
}

static void on_end(struct watch *watch, uint32_t events)
{
	(void)events;
	drop(OWNER(watch, struct container, ended));
	state_save_soon();
}

static int open_socket(int type, uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(OWN_ADDRESS)};
	int room = RECEIVE_BUFFER;
	cleanup_close int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* A burst of a thousand queries has room; where this is not allowed, the system's default of some hundred. */
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return -1;
	if (type == SOCK_STREAM && listen(fd, 128) < 0)
		return -1;
	return take_fd(&fd);
}

/* Both protocols on one port that the kernel chooses; or on 53 itself. */
static int open_sockets(int *udp, int *tcp, uint16_t *port)
{
	for (int attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
		struct sockaddr_in address;
		socklen_t length = sizeof address;
		*udp = open_socket(SOCK_DGRAM, *port);
		if (*udp < 0 || getsockname(*udp, (struct sockaddr *)&address, &length) < 0)
			break;
		*tcp = open_socket(SOCK_STREAM, ntohs(address.sin_port));
		if (*tcp >= 0) {
			*port = ntohs(address.sin_port);
			return 0;
		}
		close_fd(udp);
		if (errno != EADDRINUSE || *port != 0)
			break;
	}
	close_fd(udp);
	return fail("listen at 127.0.0.11: %m");
}

/*
 * In the namespace: sockets, and the way to them. On the port of an earlier resolver the way is there already, which saves
 * the time that the kernel takes for changing it. Without nftables in the kernel port 53 itself is taken.
 */
static int listen_here(int *udp, int *tcp, uint16_t *port)
{
	if (*port != 0 && open_sockets(udp, tcp, port) == 0 && (*port == 53 || redirected()))
		return 0;
	close_fd(udp);
	close_fd(tcp);
	*port = 0;
	if (open_sockets(udp, tcp, port) < 0)
		return -1;
	if (redirect(*port) == 0)
		return 0;
	close_fd(udp);
	close_fd(tcp);
	if (errno != EOPNOTSUPP && errno != EPROTONOSUPPORT && errno != ENOENT && errno != EINVAL)
		return -1;
	*port = 53;
	return open_sockets(udp, tcp, port);
}

/* Whoever cannot come home would ask the host's upstreams from a container's namespace. */
void container_leave(void)
{
	if (setns(dns.home, CLONE_NEWNET) < 0)
		die("return from a network namespace: %m");
}

/*
 * Into the network namespace of a container's process; never the host's own. That the process lives is asked after its
 * namespace was opened: until then its number cannot have become another's.
 */
int container_enter(const struct container *container)
{
	char path[32];
	pid_t pid = container->pid;
	struct stat theirs, ours;
	struct pollfd ended = {.fd = container->ended.fd, .events = POLLIN};
	snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (poll(&ended, 1, 0) != 0)
		errno = ESRCH;
	if (fd < 0 || ended.revents != 0 || fstat(fd, &theirs) < 0 || fstat(dns.home, &ours) < 0)
		return fail("network namespace of process %d: %m", (int)pid);
	if (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev) {
		errno = EINVAL;
		return fail("process %d is in the network namespace of the host", (int)pid);
	}
	return setns(fd, CLONE_NEWNET) < 0 ? fail("enter the network namespace of process %d: %m", (int)pid) : 0;
}

static int open_container(struct container *container, uint64_t start)
{
	int udp = -1, tcp = -1, ended = sys_pidfd_open(container->pid);
	watch_init(&container->ended, ended, on_end);
	if (ended < 0)
		return fail("process %d: %m", (int)container->pid);
	container->start = process_start_time(container->pid);
	if (container->start == 0 || (start != 0 && start != container->start)) {
		errno = ESRCH;
		return fail("process %d has ended", (int)container->pid);
	}
	if (container_enter(container) < 0)
		return -1;
	int result = listen_here(&udp, &tcp, &container->port);
	container_leave();
	watch_init(&container->udp, udp, serve_udp);
	watch_init(&container->tcp, tcp, client_accept);
	if (result < 0 || watch_set(&container->ended, EPOLLIN) < 0 || watch_set(&container->udp, EPOLLIN) < 0)
		return -1;
	return watch_set(&container->tcp, EPOLLIN);
}

void container_see(struct container *container, struct table *table)
{
	struct table *former = container->table;
	container->table = table_hold(table);
	table_release(former);
}

int container_attach(const char *id, pid_t pid, uint64_t start, uint16_t port, struct table *table)
{
	struct container *container = container_find(id);
	if (container != NULL && container->pid == pid && container->start == process_start_time(pid)) {
		container_see(container, table);
		return 0;
	}
	if (container != NULL)
		drop(container);
	container = calloc(1, sizeof *container);
	if (container == NULL)
		return fail("no memory");
	strcpy(container->id, id);
	container->pid = pid;
	container->port = port;
	watch_init(&container->udp, -1, serve_udp);
	watch_init(&container->tcp, -1, client_accept);
	container_see(container, table);
	container->next = dns.containers;
	dns.containers = container;
	if (open_container(container, start) == 0)
		return 0;
	drop(container);
	return -1;
}

/* The container may go on without us: what is sent to port 53 must not end at a port that anybody could bind. */
void container_detach(struct container *container)
{
	if (container_enter(container) == 0) {
		if (redirect(0) < 0)
			dprintf(STDERR_FILENO, "berth-dns: %s\n", failure());
		container_leave();
	}
	drop(container);
}

void container_sweep(void)
{
	for (struct container **at = &dns.containers; *at != NULL;) {
		struct container *container = *at;
		if (!container->dead) {
			at = &container->next;
			continue;
		}
		*at = container->next;
		table_release(container->table);
		free(container);
	}
}
