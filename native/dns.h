/*
 * berth-dns: the resolver of all containers of one daemon (PROTOCOL.md §4).
 *
 * One thread, one epoll loop, one event handled at a time, as in the shim. Answering a name from a table allocates
 * nothing; a forwarded query is one allocation. What dies while an event is handled is marked, and freed between two events.
 */
#ifndef BERTH_DNS_H
#define BERTH_DNS_H

#include "common.h" /* first: it asks libc for everything */

#include <netinet/in.h>
#include <sys/epoll.h>

#define ID_MOST 64	       /* of a container's id */
#define QUERY_MOST 1280	       /* bytes of a query by UDP */
#define ANSWER_MOST 1232       /* bytes of an answer of our own by UDP: what fits unfragmented everywhere */
#define MESSAGE_MOST 65535     /* bytes by TCP, and of an upstream's answer */
#define SERVERS_MOST 4	       /* upstreams that are asked for one query */
#define FORWARDS_MOST 2048     /* queries under way upstream, in all */
#define FORWARDS_EACH 256      /* of one container */
#define CLIENTS_MOST 1024      /* connections by TCP, in all */
#define CLIENTS_EACH 64	       /* of one container */
#define OWN_ADDRESS 0x7f00000bu /* 127.0.0.11 */
#define TTL 10		       /* seconds an answer of ours may be kept: containers come and go */

/* --- messages (dns-wire.c): pure --- */

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, TYPE_OPT = 41, CLASS_IN = 1, CLASS_ANY = 255 };
enum { RCODE_OK = 0, RCODE_FORMERR = 1, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_NOTIMP = 4, RCODE_REFUSED = 5 };
#define QUERY_DROP (-1)

struct query {
	const unsigned char *packet;
	size_t length;
	size_t question; /* bytes of the question: name, type, class */
	uint16_t type, class;
	bool edns;
	uint8_t edns_version;
	uint16_t edns_size;
	size_t name_length;
	char name[256]; /* lower case, dots between labels; empty for the root and for labels that have a dot inside */
};

/* RCODE_OK, the RCODE of a refusal that reply_error can send, or QUERY_DROP for what is no query at all. */
int query_parse(const unsigned char *packet, size_t length, struct query *query);
/* The address that an in-addr.arpa or ip6.arpa name stands for: its length, 4 or 16; 0 when it is none. */
size_t query_address(const struct query *query, unsigned char address[16]);

/* An answer being written. `limit` is what the asker takes; what does not fit any more sets TC. */
struct reply {
	unsigned char *data;
	size_t length, limit;
	bool full;
};
void reply_begin(struct reply *reply, const struct query *query, int rcode, unsigned char *data, size_t limit);
void reply_address(struct reply *reply, const unsigned char *address, size_t length);
void reply_pointer(struct reply *reply, const char *name, size_t length);
/* Adds what belongs to the end; the length of the whole. */
size_t reply_end(struct reply *reply, const struct query *query);
/* The header alone, for what has no question that could be repeated. */
size_t reply_error(const unsigned char *packet, int rcode, unsigned char *data);
/* How many bytes an asker by UDP takes. */
size_t query_limit(const struct query *query, size_t most);
/* True when `answer` is one to this very question with this id. */
bool answer_matches(const unsigned char *answer, size_t length, uint16_t id, const unsigned char *question,
		    size_t question_length);

/* --- tables (dns-table.c): what containers see; immutable, shared by all that see the same --- */

struct server {
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
};
/* `text` is an address, IPv6 possibly with %INTERFACE, or ADDRESS#PORT; -1 otherwise. */
int server_parse(const char *text, struct server *server);
int server_print(const struct server *server, struct buffer *into);

enum upstream { UPSTREAM_HOST, UPSTREAM_NONE, UPSTREAM_SERVERS };

struct table {
	struct table *next;
	unsigned references;
	uint64_t hash;
	enum upstream upstream;
	size_t server_count;
	struct server servers[SERVERS_MOST];
	struct buffer entries;
	uint32_t *index; /* offset of an entry + 1, by hash of its key */
	uint32_t index_mask, entry_count;
};

/* A new table with one reference; NULL without memory. Not to be asked before table_share. */
struct table *table_new(void);
/* One line, `name NAME ADDRESS…`, `pointer ADDRESS NAME` or `upstream …`; -1 with failure(). Writes into `line`. */
int table_line(struct table *table, char *line);
/* Makes it ready; gives back an equal one that exists in its place. NULL without memory. Takes the reference. */
struct table *table_share(struct table *table);
struct table *table_hold(struct table *table);
void table_release(struct table *table);
/* As lines again. */
int table_print(const struct table *table, struct buffer *into);

struct addresses {
	const unsigned char *v4, *v6;
	size_t v4_count, v6_count;
};
bool table_name(const struct table *table, const char *name, size_t length, struct addresses *found);
/* The name of an address, or NULL. */
const char *table_pointer(const struct table *table, const unsigned char *address, size_t length, size_t *name_length);

/* --- loop (dns.c) --- */

struct watch {
	int fd;
	uint32_t events;
	bool registered;
	void (*handle)(struct watch *watch, uint32_t events);
};
/* The structure that `watch` is the member `member` of. */
#define OWNER(watch, type, member) ((type *)((char *)(watch) - offsetof(type, member)))

void watch_init(struct watch *watch, int fd, void (*handle)(struct watch *, uint32_t));
/* -1 when it cannot be waited for. */
int watch_set(struct watch *watch, uint32_t events);
void watch_close(struct watch *watch);

struct dns {
	const char *directory;
	int epoll;
	int home; /* the host's network namespace */
	int64_t now, next_timer; /* milliseconds */
	bool dirty; /* something is dead and waits to be freed */
	bool stop;
	bool unsaved; /* containers have ended since the state was written */
	bool used; /* somebody has spoken to us: from now on it ends when nobody is left */
	struct container *containers;
	struct forward *forwards;
	size_t forward_count;
	struct client *clients;
	size_t client_count;
	struct control *controls;
	unsigned rotation;
};
extern struct dns dns;

/* Asks for timers to be looked at, `at` the latest. */
void timer_at(int64_t at);

/* --- containers (dns-container.c) --- */

struct container {
	struct container *next;
	char id[ID_MOST + 1];
	pid_t pid;
	uint64_t start;
	uint16_t port;
	struct table *table;
	struct watch ended, udp, tcp;
	size_t forward_count, client_count;
	bool dead;
};

struct container *container_find(const char *id);
/*
 * Listens in the network namespace of `pid`. `start` is 0 or what its start time must be, `port` 0 or the one that an
 * earlier resolver had there. -1 with failure().
 */
int container_attach(const char *id, pid_t pid, uint64_t start, uint16_t port, struct table *table);
/* From now on it sees what is in `table`. */
void container_see(struct container *container, struct table *table);
void container_detach(struct container *container);
/* Into the network namespace of a container's process, and back to the host's; never the host's own. -1 with failure(). */
int container_enter(const struct container *container);
void container_leave(void);
void container_sweep(void);

/* Sends 127.0.0.11:53 to `port` in the namespace that the caller is in (dns-nft.c); `port` 0 takes it back. */
int redirect(uint16_t port);
/* True when there is something that redirects in the namespace that the caller is in. */
bool redirected(void);

/* --- asking and answering (dns-serve.c, dns-client.c) --- */

/* Who wants an answer: a connection, or an address on the container's UDP socket. */
struct asker {
	struct container *container;
	struct client *client;
	struct sockaddr_in peer;
};

/* Answers into `out` (its length), or 0: dropped, or to be answered later. */
size_t serve(const struct asker *asker, const unsigned char *packet, size_t length, unsigned char *out, size_t capacity);
void serve_udp(struct watch *watch, uint32_t events);
/* A late answer. */
void deliver(const struct asker *asker, const unsigned char *answer, size_t length);

void client_accept(struct watch *watch, uint32_t events);
void client_answer(struct client *client, const unsigned char *answer, size_t length);
void client_drop_all(const struct container *container);
void client_expire(void);
void client_sweep(void);
/* One more, or one less, query of it is under way upstream. */
void client_pending(struct client *client, int change);

/* --- upstreams (dns-forward.c, dns-servers.c) --- */

/* Asks upstream; the answer is delivered later. 0, or the RCODE to give at once. */
int forward(const struct asker *asker, const struct query *query);
void forward_drop_all(const struct container *container, const struct client *client);
void forward_expire(void);
void forward_sweep(void);

/* The host's name servers as resolv.conf has them now; their number. */
size_t host_servers(struct server servers[SERVERS_MOST]);
/* As resolv.conf(5) says: at most `most`, the local host when none is named. */
size_t servers_parse(char *text, struct server *servers, size_t most);

/* --- control (dns-control.c, dns-state.c) --- */

void control_listen(int fd);
void control_sweep(void);
/* Carries out lines of PROTOCOL.md §4; with `lenient`, attaching may fail. -1 with failure(). */
int control_lines(char *text, bool lenient, struct buffer *reply);
/* Writes down who is attached and what they see; -1 with failure(). */
int state_save(void);
/* The same soon, once for all that happens until then. */
void state_save_soon(void);
void state_save_due(void);
int state_restore(void);

#endif
