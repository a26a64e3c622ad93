/* SPDX-License-Identifier: PostgreSQL */
/*
 * err.h: what went wrong, said once and carried up unchanged.
 *
 * Every function that can fail returns
 *      0    done
 *     -1    failed, *err says why
 *     >0    a named outcome of that function (STORE_ABSENT, ...), handled by the
 *           caller on the spot and never forwarded as it is
 * and takes `struct err *err` as its last parameter. Reporting allocates
 * nothing, so it cannot fail. The lowest level names the thing and the reason;
 * a caller wraps only when it adds a name. main() prints the error once and
 * turns its kind into an exit code (exit.h, the only place that knows them).
 *
 * Texts follow PostgreSQL: could not open "x": reason; lower case, no full
 * stop; advice goes into the hint.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/macros.h"

enum err_kind {
    ERR_NONE = 0,
    ERR_TRANSIENT, /* network, store away, deadline: trying again may work */
    ERR_DENIED,    /* the store refused: credentials, bucket, policy, certificate */
    ERR_CONFLICT,  /* other content under this name; a gap; deleted; stores disagree */
    ERR_LOCAL,     /* the local file or disk */
    ERR_CONFIG,    /* configuration, keys, usage */
    ERR_CORRUPT,   /* does not decode, not authentic, wrong name or system identifier */
    ERR_INTERNAL,  /* out of memory, a library misbehaves, a bug */
};

#define ERR_TEXT_SIZE 1024
#define ERR_HINT_SIZE 512

struct err {
    enum err_kind kind;
    int sys; /* the errno behind it, or 0 */
    char text[ERR_TEXT_SIZE];
    char hint[ERR_HINT_SIZE];
};

#define ERR_INIT ((struct err){.kind = ERR_NONE})

/* Fill *err, replacing what it held and clearing the hint. Always returns -1. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same with ": strerror(error_number)" behind it. Kind ERR_LOCAL; ERR_INTERNAL for ENOMEM and
 * EMFILE, which are this process's own want. err->sys keeps the number, for a caller who knows
 * better what it means here. */
int err_sys(struct err *err, int error_number, const char *format, ...) PRINTF_LIKE(3, 4);

/* "out of memory" while doing something on `what`. Kind ERR_INTERNAL. Returns -1. */
int err_memory(struct err *err, const char *what);

/* Put "context: " in front of the text; kind and hint stay. Returns -1. */
int err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Set the advice, the next step for a person. Returns -1, for `return err_hint(...)`. */
int err_hint(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

void err_clear(struct err *err);

/* A word for the kind, for logs and JSON: "transient", "denied", ... */
const char *err_kind_name(enum err_kind kind);

/*
 * Copy `text` of foreign origin (a server's message, an argument) into
 * `ret_text` so that it can stand in one log line: control characters, quotes,
 * backslashes and bytes above 0x7e become \xNN, longer text ends in "...".
 * Returns ret_text.
 */
const char *err_quote(const char *text, size_t length, char *ret_text, size_t size);

#endif
