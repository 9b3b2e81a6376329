/* The requests of PROTOCOL.md §2. */
#include "shim.h"

#include <ctype.h>
#include <signal.h>

#define WORDS 6

static const char no_process[] = "error no such process";

static bool is_flag(const char *word, bool *flag)
{
	*flag = strcmp(word, "1") == 0;
	return *flag || strcmp(word, "0") == 0;
}

static bool are_flags(char *const words[], bool flags[], int count)
{
	for (int i = 0; i < count; i++)
		if (!is_flag(words[i], &flags[i]))
			return false;
	return true;
}

static bool is_exec_id(const char *word)
{
	size_t length = strlen(word);
	if (length == 0 || length > ID_LENGTH || strcmp(word, "init") == 0)
		return false;
	for (; *word != '\0'; word++)
		if (!isalnum((unsigned char)*word) && *word != '-' && *word != '_')
			return false;
	return true;
}

static void handle_watch(struct client *client, char *const words[])
{
	(void)words;
	client_watch(client);
}

static void wait_for(struct client *client, struct process *process)
{
	client->kind = CLIENT_WAITING;
	client->process = process;
	process->requester = client;
}

static void handle_start(struct client *client, char *const words[])
{
	(void)words;
	if (shim.phase != PHASE_READY) {
		client_reply(client, shim.phase == PHASE_BROKEN ? "error the set-up failed" : "error already started");
		return;
	}
	const bool wanted[3] = {shim.config.use_stdin, true, true};
	shim.phase = PHASE_STARTED;
	wait_for(client, shim.init);
	if (rootfs_share(&shim.config, client->peer) < 0)
		process_failed(shim.init, failure());
	else
		runtime_start(shim.init, wanted);
}

static void handle_attach(struct client *client, char *const words[])
{
	struct process *process = process_find(words[1]);
	if (!are_flags(words + 2, client->wants, 3)) {
		client_reply(client, "error invalid request");
		return;
	}
	if (process == NULL || process->state == PROCESS_ENDED || shim.phase == PHASE_BROKEN) {
		client_reply(client, no_process);
		return;
	}
	client_reply(client, "ok");
	client_stream(client, process);
	process_feed(process);
}

static void handle_exec(struct client *client, char *const words[])
{
	bool tty;
	if (!is_exec_id(words[1]) || !is_flag(words[2], &tty) || !are_flags(words + 3, client->wants, 3)) {
		client_reply(client, "error invalid request");
		return;
	}
	if (shim.phase != PHASE_STARTED || shim.init->state != PROCESS_RUNNING) {
		client_reply(client, "error container is not running");
		return;
	}
	struct process *process = process_find(words[1]) == NULL ? process_new(words[1], tty) : NULL;
	if (process == NULL) {
		client_reply(client, "error exec %s exists", words[1]);
		return;
	}
	wait_for(client, process);
	runtime_start(process, client->wants);
}

static void handle_resize(struct client *client, char *const words[])
{
	struct process *process = process_find(words[1]);
	uint64_t rows, columns;
	if (parse_number(words[2], UINT16_MAX, &rows) < 0 || parse_number(words[3], UINT16_MAX, &columns) < 0)
		client_reply(client, "error invalid request");
	else if (process == NULL || process->state == PROCESS_ENDED)
		client_reply(client, no_process);
	else if (!process->tty)
		client_reply(client, "error process has no terminal");
	else if (process_resize(process, (unsigned short)rows, (unsigned short)columns) < 0)
		client_reply(client, "error resize: %s", strerror(errno));
	else
		client_reply(client, "ok");
}

static void handle_kill(struct client *client, char *const words[])
{
	struct process *process = process_find(words[1]);
	uint64_t number;
	bool starting = process != NULL && process->state == PROCESS_STARTING;
	if (parse_number(words[2], SIGRTMAX, &number) < 0) {
		client_reply(client, "error invalid signal");
		return;
	}
	if (starting)
		process->signal_at_start = (int)number;
	/* It is our child and not reaped yet: its number cannot be anybody else's. */
	if (!starting && (process == NULL || process->state != PROCESS_RUNNING))
		client_reply(client, no_process);
	else if (!starting && kill(process->pid, (int)number) < 0)
		client_reply(client, errno == ESRCH ? no_process : "error kill: %s", strerror(errno));
	else
		client_reply(client, "ok");
}

static void handle_discard(struct client *client, char *const words[])
{
	(void)words;
	shim.discard = true;
	client_reply(client, "ok");
	if (shim.phase > PHASE_READY)
		return;
	shim.phase = PHASE_ENDING;
	shim.deleted = true;
}

void request_handle(struct client *client, char *line)
{
	static const struct {
		const char *name;
		int words;
		void (*handle)(struct client *client, char *const words[]);
	} requests[] = {
		{"watch", 1, handle_watch},   {"start", 1, handle_start}, {"attach", 5, handle_attach},
		{"exec", 6, handle_exec},     {"resize", 4, handle_resize}, {"kill", 3, handle_kill},
		{"discard", 1, handle_discard},
	};
	char *words[WORDS + 1], *state = NULL;
	int count = 0;
	for (char *word = strtok_r(line, " ", &state); word != NULL && count <= WORDS; word = strtok_r(NULL, " ", &state))
		words[count++] = word;
	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++)
		if (count == requests[i].words && strcmp(words[0], requests[i].name) == 0) {
			requests[i].handle(client, words);
			return;
		}
	client_reply(client, "error invalid request");
}
