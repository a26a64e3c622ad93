/* SPDX-License-Identifier: PostgreSQL */
/*
 * rendezvous.h: where hook and agent meet: the runtime directory, the names in it, the locks.
 */
#ifndef AGENT_RENDEZVOUS_H
#define AGENT_RENDEZVOUS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

#define RENDEZVOUS_KEY_SIZE 17

struct rendezvous {
    int directory;                 /* -1: none */
    char path[PATH_MAX];           /* of the directory */
    char key[RENDEZVOUS_KEY_SIZE]; /* of this configuration file and this data directory */
};

#define RENDEZVOUS_INIT ((struct rendezvous){.directory = -1})

enum rendezvous_outcome {
    RENDEZVOUS_TAKEN = 1,  /* lock: another process has it */
    RENDEZVOUS_NOBODY = 2, /* connect: nobody listens */
    RENDEZVOUS_BUSY = 3,   /* connect: somebody listens and has no time just now */
};

/*
 * Find or make the runtime directory: `runtime_dir`, else $SEAWALL_RUNTIME_DIR, else /run/seawall
 * if it is ours, else /tmp/seawall-UID. The data directory is the working directory;
 * `config_path` is absolute. 0 or -1 (ERR_CONFIG: not a private directory of our own).
 */
int rendezvous_open(const char *runtime_dir, const char *config_path, struct rendezvous *ret,
                    struct err *err) MUST_USE;

void rendezvous_done(struct rendezvous *rendezvous);

/* The lock of the one who serves ("lock") or who starts him ("start"). 0, RENDEZVOUS_TAKEN, -1. */
int rendezvous_lock(const struct rendezvous *rendezvous, const char *which, int *ret_fd,
                    struct err *err) MUST_USE;

/*
 * A connected socket, its other side being of our own user. 0, RENDEZVOUS_NOBODY,
 * RENDEZVOUS_BUSY, or -1.
 */
int rendezvous_connect(const struct rendezvous *rendezvous, int *ret_fd, pid_t *ret_pid,
                       struct err *err) MUST_USE;

/*
 * For the holder of the lock: a listening socket under the name, in place of whatever was there.
 * *ret_st tells it from others. 0 or -1.
 */
int rendezvous_listen(const struct rendezvous *rendezvous, int *ret_fd, struct stat *ret_st,
                      struct err *err) MUST_USE;

/* Is the socket under the name this one? */
bool rendezvous_is_mine(const struct rendezvous *rendezvous, const struct stat *st);

/* Remove the name if it is this socket's. */
void rendezvous_remove(const struct rendezvous *rendezvous, const struct stat *st);

/*
 * A mark for hooks: an agent was waited for in vain. It spares them the same wait for
 * RENDEZVOUS_MARK_MS; an agent that lives takes it away. Nothing depends on it.
 */
#define RENDEZVOUS_MARK_MS 30000

enum rendezvous_mark {
    RENDEZVOUS_MARK_NONE,
    RENDEZVOUS_MARK_FRESH,
    RENDEZVOUS_MARK_OLD,
};

void rendezvous_mark(const struct rendezvous *rendezvous);
enum rendezvous_mark rendezvous_look_mark(const struct rendezvous *rendezvous);
void rendezvous_unmark(const struct rendezvous *rendezvous);

/* May this connected peer ask us? Our own user and root may. */
bool rendezvous_admits(int socket);

DEFINE_CLEANUP(rendezvous, struct rendezvous, rendezvous_done);

#endif
