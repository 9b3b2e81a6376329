/* Removal of a tree whose content is hostile. */
#ifndef BERTH_TREE_REMOVE_H
#define BERTH_TREE_REMOVE_H

#include "common.h"

/*
 * Removes `name` in the directory `at` with everything below it. Follows no symlink, enters no mount (EXDEV or EBUSY),
 * bears any depth. What is missing is no error. Returns -1 with errno and failure() set.
 */
int remove_at(int at, const char *name);

/* Removes what the directory `fd` (readable) holds, but not the directory itself. */
int remove_children(int fd);

#endif
