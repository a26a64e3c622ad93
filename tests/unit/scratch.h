/* SPDX-License-Identifier: PostgreSQL */
/*
 * scratch.h: a directory of a test's own, and files in it. Whatever goes wrong fails the test.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SCRATCH_SIZE 256

struct scratch {
    char path[SCRATCH_SIZE];
    int fd;
};

/* cmocka's setup and teardown: *state is a struct scratch. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

void scratch_new(struct scratch *scratch);
void scratch_remove(struct scratch *scratch); /* with everything in it */

/* Make a file with this content; parents must exist. */
void scratch_write(const struct scratch *scratch, const char *name, const void *bytes, size_t size);
void scratch_text(const struct scratch *scratch, const char *name, const char *text);

/* Does the regular file exist with exactly this text? */
bool scratch_is(const struct scratch *scratch, const char *name, const char *text);

/* How many names the directory has, hidden ones too. */
size_t scratch_count(const struct scratch *scratch);

void scratch_mkdir(const struct scratch *scratch, const char *name);

/* Wait for a child and say how it ended: its exit code, or 1000 + the signal. */
int scratch_wait(pid_t child);

#endif
