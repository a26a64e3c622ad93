/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg_client.h: one connection to the PostgreSQL server, and questions with a deadline.
 *
 * Questions are constant texts; nothing of foreign origin ever becomes part of one. Answers are
 * texts of the server's, to be read strictly. Error texts carry the server's first message line,
 * quoted, and never the connection string.
 */
#ifndef ARCHIVE_PG_CLIENT_H
#define ARCHIVE_PG_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

struct pg_client; /* opaque */

#define PG_CLIENT_CONNECT_S 10

/*
 * Connect. `conninfo` as libpq takes it ("": libpq's defaults and PG* variables); unless it says
 * otherwise, one address gets PG_CLIENT_CONNECT_S seconds. The session looks for names in
 * pg_catalog only and never waits for a standby. 0 or -1: ERR_CONFIG (not a connection string),
 * ERR_TRANSIENT (no server, or it refuses us), ERR_INTERNAL.
 */
int pg_client_open(const char *conninfo, struct pg_client **ret_client, struct err *err) MUST_USE;
/* The same, into this database whatever conninfo says. */
int pg_client_open_database(const char *conninfo, const char *database,
                            struct pg_client **ret_client, struct err *err) MUST_USE;
void pg_client_close(struct pg_client *client);

/* The server's major version: 15. 0: unknown. */
int pg_client_version(const struct pg_client *client);

/* The rows of one answer; opaque but for the count. Starts as PG_ANSWER_INIT. */
struct pg_answer {
    void *result;
    int n_rows;
};

#define PG_ANSWER_INIT ((struct pg_answer){.result = NULL})

/*
 * Ask one question whose answer has `n_columns` columns. 0 or -1: ERR_DENIED (the role may not),
 * ERR_TRANSIENT (any other failure, the deadline, a stop request), ERR_INTERNAL. After a deadline
 * or a stop request the connection cannot be used any more.
 */
int pg_client_ask(struct pg_client *client, const char *question, int n_columns,
                  int64_t deadline_ms, struct pg_answer *ret, struct err *err) MUST_USE;

/* One value; NULL for SQL's NULL and for a place outside the answer. */
const char *pg_answer_value(const struct pg_answer *answer, int row, int column);

void pg_answer_done(struct pg_answer *answer);

DEFINE_POINTER_CLEANUP(pg_client, struct pg_client, pg_client_close);
DEFINE_CLEANUP(pg_answer, struct pg_answer, pg_answer_done);

#endif
