/* berth-tree read|write|stat [options] PATH: a file tree as a stream of records, or the other way round. */
#include "tree.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct arguments {
	char **next, **end;
};

static NORETURN void usage(const char *what)
{
	dprintf(STDERR_FILENO, "berth-tree: %s\nusage: berth-tree read|write|stat [options] PATH\n", what);
	_exit(2);
}

static const char *take(struct arguments *arguments, const char *option)
{
	if (arguments->next == arguments->end)
		usage(option);
	return *arguments->next++;
}

/* NUMBER, or NUMBER:NUMBER. */
static void parse_pair(const char *text, uint64_t most, uint64_t *first, uint64_t *second)
{
	cleanup_free char *copy = strdup(text);
	char *colon = copy == NULL ? NULL : strchr(copy, ':');
	if (copy == NULL)
		usage("out of memory");
	if (colon != NULL)
		*colon++ = '\0';
	if (parse_number(copy, most, first) < 0 || (colon != NULL && parse_number(colon, UINT64_MAX, second) < 0))
		usage(text);
}

static bool parse_flag(struct tree_options *options, const char *option)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {{"--follow", &options->follow},	     {"--upper-dir", &options->upper_dir},
		     {"--no-replace", &options->no_replace}, {"--one-file-system", &options->one_file_system},
		     {"--no-data", &options->no_data},
		     {"--layer", &options->layer},
		     {"--sparse", &options->sparse}};
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
		if (strcmp(flags[i].name, option) == 0)
			return *flags[i].flag = true;
	return false;
}

static bool parse_string(struct tree_options *options, struct arguments *arguments, const char *option)
{
	const struct {
		const char *name;
		const char **value;
	} strings[] = {{"--upper", &options->upper},
		       {"--work", &options->work},
		       {"--root", &options->root},
		       {"--name", &options->name},
		       {"--source", &options->source},
		       {"--lower", &options->lower[options->lowers]}};
	for (size_t i = 0; i < ARRAY_LENGTH(strings); i++)
		if (strcmp(strings[i].name, option) == 0) {
			*strings[i].value = take(arguments, option);
			options->lowers += strings[i].value == &options->lower[options->lowers];
			return true;
		}
	return false;
}

static void parse_option(struct tree_options *options, struct arguments *arguments, const char *option)
{
	uint64_t first, second = 0;
	if (parse_flag(options, option) || parse_string(options, arguments, option))
		return;
	if (strcmp(option, "--bind") == 0 || strcmp(option, "--bind-ro") == 0) {
		struct tree_bind *bind = &options->binds[options->binds_count++];
		bind->source = take(arguments, option);
		bind->destination = take(arguments, option);
		bind->read_only = option[6] != '\0';
	} else if (strcmp(option, "--below") == 0 && options->binds_count > 0) {
		options->binds[options->binds_count - 1].below = take(arguments, option);
	} else if (strcmp(option, "--join") == 0) {
		parse_pair(take(arguments, option), INT_MAX, &first, &options->join_start);
		options->join = (pid_t)first;
	} else if (strcmp(option, "--owner") == 0) {
		parse_pair(take(arguments, option), UINT32_MAX, &first, &second);
		options->own = true;
		options->uid = (uid_t)first;
		options->gid = (gid_t)second;
	} else {
		usage(option);
	}
}

static void prepare(void)
{
	struct rlimit files;
	signal(SIGPIPE, SIG_IGN);
	umask(0);
	/* A level of depth takes a descriptor. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int run(const char *command, const struct tree_options *options)
{
	struct record end = {.type = 'E', .path = "", .link = ""};
	cleanup_close int root = open_root(options);
	if (root < 0)
		return -1;
	int done = options->write		      ? tree_write(root, options)
		   : strcmp(command, "read") == 0 ? tree_read(root, options)
						      : tree_stat(root, options);
	return done < 0 || record_send(&end) < 0 ? -1 : send_flush();
}

int main(int argc, char **argv)
{
	struct arguments arguments = {argv + 2, argv + argc};
	struct tree_options options = {.lower = calloc((size_t)argc + 1, sizeof *options.lower),
				       .binds = calloc((size_t)argc + 1, sizeof *options.binds)};
	if (argc < 3)
		usage("too few arguments");
	if (options.lower == NULL || options.binds == NULL)
		usage("out of memory");
	if (strcmp(argv[1], "read") != 0 && strcmp(argv[1], "write") != 0 && strcmp(argv[1], "stat") != 0)
		usage(argv[1]);
	options.write = argv[1][0] == 'w';
	while (arguments.next < arguments.end && (*arguments.next)[0] == '-')
		parse_option(&options, &arguments, take(&arguments, ""));
	options.path = take(&arguments, "no PATH");
	if (arguments.next != arguments.end)
		usage(*arguments.next);

	prepare();
	if (run(argv[1], &options) == 0)
		_exit(0);
	struct record error = {.type = 'X', .major = (uint32_t)errno, .path = failure(), .link = ""};
	/* Nobody may be left to read it. */
	if (record_send(&error) < 0 || send_flush() < 0)
		dprintf(STDERR_FILENO, "berth-tree: %s\n", error.path);
	_exit(1);
}
