/* Process 1 of a container that was asked for one (`--init`): starts the command in a process group of its own, passes
 * signals on to it, reaps every orphan, and ends as the command ended.
 *
 *   docker-init -- COMMAND [ARG ...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* As shells do: cannot execute, and not found. */
enum { EXIT_CANNOT_EXECUTE = 126, EXIT_NOT_FOUND = 127 };

/* The command gets a process group of its own, in the foreground of the terminal if there is one. */
static pid_t start (char **argv, const sigset_t *before)
{
  pid_t pid = fork ();
  if (pid != 0)
    return pid;

  setpgid (0, 0);
  /* Asking from the background would stop us: SIGTTOU is still blocked here. */
  if (isatty (STDIN_FILENO))
    tcsetpgrp (STDIN_FILENO, getpgrp ());
  sigprocmask (SIG_SETMASK, before, NULL);
  execvp (argv[0], argv);
  int failure = errno;
  fprintf (stderr, "exec %s: %s\n", argv[0], strerror (failure));
  _exit (failure == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}

/* Reaps what has ended; returns 1 once that includes `child`. */
static int reap (pid_t child, int *status)
{
  int ended = 0;
  for (;;)
    {
      int one;
      pid_t pid = waitpid (-1, &one, WNOHANG);
      if (pid <= 0)
        return ended;
      if (pid == child)
        {
          *status = one;
          ended = 1;
        }
    }
}

int main (int argc, char **argv)
{
  char **command = argv + 1;
  if (argc > 1 && strcmp (argv[1], "--") == 0)
    command++;
  if (command >= argv + argc)
    {
      fprintf (stderr, "usage: %s -- COMMAND [ARG ...]\n", argv[0]);
      return 1;
    }

  sigset_t all, before;
  sigfillset (&all);
  if (sigprocmask (SIG_BLOCK, &all, &before) < 0)
    return 1;
  pid_t child = start (command, &before);
  if (child < 0)
    {
      perror ("fork");
      return 1;
    }

  int status = 0;
  for (;;)
    {
      int signal = sigwaitinfo (&all, NULL);
      if (signal < 0 && errno != EINTR)
        return 1;
      if (signal == SIGCHLD)
        {
          if (reap (child, &status))
            return WIFSIGNALED (status) ? 128 + WTERMSIG (status) : WEXITSTATUS (status);
        }
      else if (signal > 0)
        kill (child, signal);
    }
}
