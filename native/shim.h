/*
 * berth-shim: supervises one container (PROTOCOL.md §2).
 *
 * One thread, one epoll loop, one event handled at a time. What the loop watches is a `struct watch` inside its owner;
 * an owner may mark itself for removal while it is being used and is freed between two events. Memory is asked for
 * only while somebody reads slower than the container writes, so that an idle shim stays at a few hundred kilobytes.
 */
#ifndef BERTH_SHIM_H
#define BERTH_SHIM_H

#include "common.h" /* first: it asks libc for everything */

#include <sys/epoll.h>
#include <time.h>

#include "net.h"

#define ID_LENGTH 64
#define SHIM_LAYERS 500 /* overlayfs has the same limit */
#define SHIM_SHARES 64
#define SHIM_PINS 256
#define IO_SIZE 65536	/* one read from the container */
#define CLIENT_LIMIT 65536 /* unsent bytes of one client beyond which the container has to wait */

/* A source of a mount that is bound by us first (shim-pins.c). */
struct pin {
	const char *source, *destination;
	const char *path;    /* relative, resolved beneath the source; or NULL */
	uint64_t process;    /* the source is a path in the mount namespace of this process; or 0: in ours */
	bool alone, mapped;  /* without the mounts below it; with other owners */
	uint64_t disk_uid, shown_uid, disk_gid, shown_gid;
};

struct config {
	const char *directory;
	const char *id, *runtime, *runtime_root, *bundle, *rootfs, *upper, *work, *hide, *log, *exit_record, *seccomp_filter;
	const char *lower[SHIM_LAYERS];
	size_t lower_count, share_count;
	struct {
		const char *source, *destination;
		bool follows;
	} shares[SHIM_SHARES];
	struct pin pins[SHIM_PINS];
	size_t pin_count;
	const char *log_attributes;
	uint64_t log_max_size, log_max_files;
	const char *cgroup;
	bool cgroup_v1, log_compress, is_volatile, mtab, tty, use_stdin, stdin_once;
	struct net_config net;
};

/* --- loop (shim.c) --- */

struct watch {
	int fd;
	bool registered;
	uint32_t events;
	void (*handle)(struct watch *watch, uint32_t events);
};

/* The structure that `watch` is the member `member` of. */
#define OWNER(watch, type, member) ((type *)((char *)(watch) - offsetof(type, member)))

void watch_init(struct watch *watch, int fd, void (*handle)(struct watch *, uint32_t));
/* Waits for `events`; hang-ups are reported even when it is 0. */
void watch_set(struct watch *watch, uint32_t events);
/* Waits for nothing at all, not even a hang-up. */
void watch_pause(struct watch *watch);
void watch_close(struct watch *watch);

enum phase {
	PHASE_BROKEN,  /* set-up failed: only there to say so */
	PHASE_READY,   /* waits for `start` */
	PHASE_STARTED, /* the runtime was called */
	PHASE_ENDING,  /* the process has ended: the runtime deletes its state */
	PHASE_DONE,    /* only there until clients have read what is left for them */
};

struct shim {
	struct config config;
	enum phase phase;
	int epoll;
	struct watch listener, signals, oom;
	struct process *processes; /* the container's own first, then execs */
	struct process *init;
	struct client *clients;
	struct buffer history; /* event lines for new watchers */
	struct buffer orphans; /* struct orphan: reaped before we knew whose they were */
	pid_t deleting;	       /* `RUNTIME delete` */
	bool deleted;	       /* it was called, or there is nothing that it knows */
	unsigned calls;	       /* of the runtime, to number its files */
	bool discard, oom_seen;
	char io[IO_SIZE];
};
extern struct shim shim;

/* After the process has ended or failed to start. */
void shim_end(void);

/* --- configuration and set-up --- */

/* Reads DIRECTORY/shim.conf; -1 with failure(). */
int config_read(const char *directory, struct config *config);
/* Mount namespace and root filesystem; -1 with failure(). */
int rootfs_mount(const struct config *config);
/* The mounts that `pin` lines ask for, in our namespace; before `hide` goes. */
int pins_mount(const struct config *config);
/* Binds that stay peers of the mounts in the namespace of process `host`. */
int rootfs_share(const struct config *config, pid_t host);
void rootfs_unmount(const struct config *config);

/* --- processes (shim-process.c): the container's own and its execs --- */

enum process_state { PROCESS_NEW, PROCESS_STARTING, PROCESS_RUNNING, PROCESS_ENDED };

struct process {
	struct process *next;
	char id[ID_LENGTH + 1]; /* "init" or the exec's */
	enum process_state state;
	bool tty;
	pid_t runtime; /* `RUNTIME run` or `exec` under way */
	pid_t pid;
	unsigned call; /* names the files of that call */
	int console;   /* socket that the runtime sends the terminal to */
	struct watch in, out[2];
	struct client *requester; /* is owed `ok PID` */
	int signal_at_start;	  /* asked for while the runtime was at work */
	unsigned short rows, columns;
};

struct process *process_new(const char *id, bool tty);
struct process *process_find(const char *id);
void process_free(struct process *process);
/* Makes pipes or a console socket; `child` gets what the runtime inherits as 0, 1, 2 (to be closed by the caller). */
int process_prepare(struct process *process, const bool wanted[3], int child[3]);
void process_started(struct process *process, pid_t pid);
void process_failed(struct process *process, const char *text);
/* Reaped: drains its output, ends its clients, tells the watchers. */
void process_exited(struct process *process, int status);
/* Passes clients' input on; resumes or pauses reading output. */
void process_feed(struct process *process);
void process_flow(struct process *process);
void process_close_stdin(struct process *process);
int process_resize(struct process *process, unsigned short rows, unsigned short columns);

/* --- clients (shim-client.c) --- */

enum client_kind { CLIENT_REQUEST, CLIENT_WAITING, CLIENT_WATCHER, CLIENT_STREAM, CLIENT_REPLIED };

struct client {
	struct client *next;
	enum client_kind kind;
	struct watch watch;
	pid_t peer;
	struct process *process;
	bool wants[3];
	bool input_ended, gone, closing, shut, dead;
	struct buffer in, out;
};

void client_listen(int fd);
/* An event line (without newline) to all watchers, and into the history unless `keep` is false. */
void client_event(bool keep, const char *format, ...) PRINTF(2, 3);
bool client_watched(void);
void client_forget_events(const char *exec);
void client_reply(struct client *client, const char *format, ...) PRINTF(2, 3);
/* The answer to `start` or `exec`; the client of an exec with streams goes on as one of them. */
void client_started(struct client *client, struct process *process);
/* From now on the connection is a stream of `process`. */
void client_stream(struct client *client, struct process *process);
/* From now on it gets events, those of the past first. */
void client_watch(struct client *client);
/* Output of `process`: stream 1 or 2. */
void client_output(struct process *process, int stream, const char *data, size_t length);
/* True when a client of `process` is too far behind. */
bool client_clogged(const struct process *process, int stream);
/* Writes held input of the clients of `process`; false when its stdin is full. */
bool client_feed(struct process *process);
/* No more output will come: close when all is sent. */
void client_finish(struct process *process);
void client_finish_watchers(void);
bool client_any(void);
/* True while a client has not been sent everything yet. */
bool client_pending(void);
/* Frees the dead; between two events only. */
void client_sweep(void);

/* --- requests (shim-request.c) --- */

void request_handle(struct client *client, char *line);

/* --- runtime (shim-runtime.c) --- */

/* DIRECTORY/KIND.CALL: the files of one call are `p` pid, `l` log, `t` console socket. */
struct call_file {
	char path[4096];
};
const char *call_file(struct call_file *file, char kind, unsigned call);

/*
 * Starts the container's process or an exec with the streams that are wanted; ends in process_started or
 * process_failed, the latter possibly at once.
 */
void runtime_start(struct process *process, const bool wanted[3]);
/* `RUNTIME delete --force`; its pid, or 0 when it could not be called. */
pid_t runtime_delete(void);
/* True when `pid` was a call of the runtime. */
bool runtime_reaped(pid_t pid, int status);

/* --- log (shim-log.c): Docker's json-file --- */

int log_open(const struct config *config);
/* Output of stream 1 or 2. */
void log_write(int stream, const char *data, size_t length);
/* Writes unfinished lines and ends the log. */
void log_finish(void);
void log_sync(void);

/* --- packing of rotated logs (shim-compress.c): by gzip(1), one at a time --- */

/* FILE.1 → FILE.1.gz, with the time of its last change: readers know it by that. Failure leaves it as it is. */
void compress_start(const char *file, const struct timespec *modified);
/* Until nothing is being packed. */
void compress_wait(void);
/* True when `pid` was at it. */
bool compress_reaped(pid_t pid);

/* --- end (shim-exit.c) --- */

void oom_watch(const struct config *config);
bool oom_killed(const struct config *config);
void exit_record_write(const struct config *config, int code, bool oom, const struct timespec *at);
void exit_record_sync(const struct config *config);

#endif
