/* SPDX-License-Identifier: PostgreSQL */
/*
 * library_push.h: what the archive library of a server asks of the hook's side, without any of
 * our other headers: the library itself includes the server's.
 *
 * Runs in the server's archiver. It neither exits nor jumps, changes no signal's handling and
 * keeps nothing from one call to the next.
 */
#ifndef AGENT_LIBRARY_PUSH_H
#define AGENT_LIBRARY_PUSH_H

#include <stdbool.h>

#define LIBRARY_TEXT_SIZE 1024

struct library_push {
    const char *config;      /* the configuration file; NULL: as for the hooks */
    const char *runtime_dir; /* NULL: as for the hooks */
    const char *agent;       /* the agent's program */
    const char *timeout;     /* wait no longer than so many seconds; NULL: as the agent says */
    const char *path;        /* the file, seen from the working directory */
    bool (*stop)(void);      /* asked every second and after every signal: give up? */
    void (*note)(bool warning, const char *text); /* what the agent says besides */
};

/* Archive one file. 0: it is stored. -1: ret_text and ret_hint (LIBRARY_TEXT_SIZE each) say why. */
int library_push(const struct library_push *push, char *ret_text, char *ret_hint);

#endif
