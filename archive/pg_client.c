/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pg_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/process.h"

#define NAP_MS 100
#define FIRST_QUESTION_MS 10000
#define MESSAGE_SIZE 400

#define TEXT_OF(macro) TEXT_OF_VALUE(macro)
#define TEXT_OF_VALUE(value) #value

struct pg_client {
    PGconn *connection;
};

/* Warnings of the server belong into its log, not between our lines. */
static void
ignore_notice(void *context UNUSED, const PGresult *result UNUSED)
{
}

/* The first line of a message; its quotes become single ones, which need no escape. */
static const char *
quote_message(const char *message, char *text)
{
    char line[MESSAGE_SIZE];
    size_t length = MIN_OF(strcspn(message, "\n"), sizeof(line));

    for (size_t i = 0; i < length; i++)
        line[i] = message[i] == '"' ? '\'' : message[i];
    return err_quote(line, length, text, MESSAGE_SIZE);
}

static int
fail_connection(const PGconn *connection, const char *what, struct err *err)
{
    char message[MESSAGE_SIZE];

    return err_set(err, ERR_TRANSIENT, "%s: %s", what,
                   quote_message(PQerrorMessage(connection), message));
}

/* libpq repeats pieces of a string it cannot parse, and the piece may be a password. */
static int
check_conninfo(const char *conninfo, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);

    PQfreemem(message);
    if (options == NULL)
        return err_set(err, ERR_CONFIG, "conninfo is not a valid connection string of libpq");
    PQconninfoFree(options);
    return 0;
}

static int
set_session(struct pg_client *client, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;

    /* A commit must not wait for a standby that is away; objects of users must not be called. */
    return pg_client_ask(client,
                         "SELECT pg_catalog.set_config('search_path', '', false),"
                         " pg_catalog.set_config('synchronous_commit', 'local', false)",
                         2, clock_boot_ms() + FIRST_QUESTION_MS, &answer, err);
}

int
pg_client_open_database(const char *conninfo, const char *database, struct pg_client **ret_client,
                        struct err *err)
{
    /* What stands in conninfo, expanded as the first dbname, wins over what is before it. */
    static const char *const keys[] = {"connect_timeout", "fallback_application_name",
                                       "client_encoding", "dbname", "dbname", NULL};
    const char *const values[] = {TEXT_OF(PG_CLIENT_CONNECT_S), "seawall", "UTF8", conninfo,
                                  database, NULL};
    AUTO(pg_client) struct pg_client *client = NULL;

    if (check_conninfo(conninfo, err) < 0)
        return -1;
    client = calloc(1, sizeof(*client));
    if (client == NULL)
        return err_memory(err, "server connection");
    client->connection = PQconnectdbParams(keys, values, 1);
    if (client->connection == NULL)
        return err_memory(err, "server connection");
    if (PQstatus(client->connection) != CONNECTION_OK)
        return fail_connection(client->connection, "could not connect to the server", err);
    (void)PQsetNoticeReceiver(client->connection, ignore_notice, NULL);
    if (set_session(client, err) < 0)
        return -1;
    *ret_client = TAKE_PTR(client);
    return 0;
}

int
pg_client_open(const char *conninfo, struct pg_client **ret_client, struct err *err)
{
    return pg_client_open_database(conninfo, NULL, ret_client, err);
}

void
pg_client_close(struct pg_client *client)
{
    if (client == NULL)
        return;
    PQfinish(client->connection);
    free(client);
}

int
pg_client_version(const struct pg_client *client)
{
    return PQserverVersion(client->connection) / 10000;
}

/* Wait until the answer is there. */
static int
await(const struct pg_client *client, int64_t deadline_ms, struct err *err)
{
    PGconn *connection = client->connection;

    for (;;) {
        if (PQconsumeInput(connection) == 0)
            return fail_connection(connection, "lost the connection to the server", err);
        if (PQisBusy(connection) == 0)
            return 0;
        if (process_stop_requested() != 0)
            return err_set(err, ERR_TRANSIENT, "interrupted while waiting for the server");
        int64_t left_ms = deadline_ms - clock_boot_ms();
        if (left_ms <= 0)
            return err_set(err, ERR_TRANSIENT, "the server did not answer in time");

        struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
        if (poll(&fd, 1, (int)MIN_OF(left_ms, NAP_MS)) < 0 && errno != EINTR)
            return err_sys(err, errno, "could not wait for the server");
    }
}

static int
judge(const PGresult *result, int n_columns, struct err *err)
{
    char message[MESSAGE_SIZE];
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        if (primary == NULL)
            primary = PQresultErrorMessage(result);
        /* 42501 is insufficient_privilege. */
        return err_set(err,
                       state != NULL && strcmp(state, "42501") == 0 ? ERR_DENIED : ERR_TRANSIENT,
                       "the server says: %s", quote_message(primary, message));
    }
    if (PQnfields(result) != n_columns)
        return err_set(err, ERR_INTERNAL, "the server's answer has %d columns, not %d",
                       PQnfields(result), n_columns);
    return 0;
}

int
pg_client_ask(struct pg_client *client, const char *question, int n_columns, int64_t deadline_ms,
              struct pg_answer *ret, struct err *err)
{
    /* With parameters (none) libpq uses the extended protocol: exactly one statement. */
    if (PQsendQueryParams(client->connection, question, 0, NULL, NULL, NULL, NULL, 0) == 0)
        return fail_connection(client->connection, "could not ask the server", err);

    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    for (;;) {
        if (await(client, deadline_ms, err) < 0)
            return -1;
        PGresult *result = PQgetResult(client->connection);
        if (result == NULL)
            break;
        PQclear(answer.result);
        answer.result = result;
    }
    if (answer.result == NULL)
        return err_set(err, ERR_TRANSIENT, "the server gave no answer");
    if (judge(answer.result, n_columns, err) < 0)
        return -1;
    answer.n_rows = PQntuples(answer.result);
    *ret = answer;
    answer = PG_ANSWER_INIT;
    return 0;
}

const char *
pg_answer_value(const struct pg_answer *answer, int row, int column)
{
    if (row < 0 || row >= answer->n_rows || column < 0 || column >= PQnfields(answer->result) ||
        PQgetisnull(answer->result, row, column) == 1)
        return NULL;
    return PQgetvalue(answer->result, row, column);
}

void
pg_answer_done(struct pg_answer *answer)
{
    PQclear(answer->result);
    *answer = PG_ANSWER_INIT;
}
