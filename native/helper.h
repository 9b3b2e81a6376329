/* The helper's operations (PROTOCOL.md §1). */
#ifndef BERTH_HELPER_H
#define BERTH_HELPER_H

#include "common.h"

#define BERTH_HELPER_VERSION "1"

struct helper {
	const char *root;  /* EXEC_ROOT */
	const char *shim;  /* program that spawn-shim starts */
	int dev_null;      /* open for reading and writing, always descriptor 3 */
	int host;	   /* mount namespace that the helper was started in */
};

/* One request; the fields are strings in the request's own memory. */
struct request {
	uint32_t id;
	size_t count; /* fields after the operation's name */
	char **fields;
};

/*
 * Carries out a request and appends reply fields. -1: errno is the reply's number and failure() its text.
 * `forked` operations run in a child of the helper.
 */
struct operation {
	const char *name;
	size_t least, most;
	bool forked;
	int (*act)(const struct helper *helper, const struct request *request, struct buffer *reply);
};
const struct operation *find_operation(const char *name);

/* Appends one field; a NUL in it becomes a blank. */
int reply_field(struct buffer *reply, const char *data, size_t length);

int op_spawn_shim(const struct helper *helper, const struct request *request, struct buffer *reply);
int op_spawn_dns(const struct helper *helper, const struct request *request, struct buffer *reply);
int op_run(const struct helper *helper, const struct request *request, struct buffer *reply);
int op_lock(const struct helper *helper, const struct request *request, struct buffer *reply);

int op_probe(const struct helper *helper, const struct request *request, struct buffer *reply);

/* helper-volumes.c, helper-quota.c */
int op_mount_volume(const struct helper *helper, const struct request *request, struct buffer *reply);
int op_copy_mount(const struct helper *helper, const struct request *request, struct buffer *reply);
int op_limit_size(const struct helper *helper, const struct request *request, struct buffer *reply);

#endif
