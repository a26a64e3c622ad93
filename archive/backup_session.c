/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_session.h"

#include <stdio.h>
#include <string.h>

#include "archive/pg_client.h"
#include "base/clock.h"
#include "base/hex.h"
#include "wal/wal_name.h"

#define QUESTION_MS ((int64_t)60 * 1000)
/* A spread checkpoint takes what checkpoint_timeout says, a day at most, and a busy one longer. */
#define START_MS ((int64_t)26 * 3600 * 1000)
#define STOP_MS ((int64_t)600 * 1000)
#define NEW_NAMES 15 /* since then pg_backup_start() is called so */
#define STATEMENT_SIZE 512

struct backup_session {
    struct pg_client *client;
    struct backup_facts facts;
};

static int
ask(struct backup_session *session, const char *question, int n_columns, struct pg_answer *ret,
    struct err *err)
{
    return pg_client_ask(session->client, question, n_columns, clock_boot_ms() + QUESTION_MS, ret,
                         err);
}

/* ---- facts ---- */

/* A role's or database's own timeouts must not end a session that has to live for hours. */
static int
prepare(struct backup_session *session, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;

    return ask(session,
               "SELECT pg_catalog.count(pg_catalog.set_config(name, '0', false))"
               " FROM pg_catalog.pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',"
               " 'idle_session_timeout', 'idle_in_transaction_session_timeout',"
               " 'transaction_timeout')",
               1, &answer, err);
}

static const char *
setting(const struct pg_answer *answer, const char *name)
{
    for (int i = 0; i < answer->n_rows; i++) {
        const char *found = pg_answer_value(answer, i, 0);

        if (found != NULL && strcmp(found, name) == 0)
            return pg_answer_value(answer, i, 1);
    }
    return NULL;
}

static bool
setting_number(const struct pg_answer *answer, const char *name, uint64_t max, uint64_t *ret)
{
    const char *text = setting(answer, name);

    return text != NULL && decimal_read(text, strlen(text), max, ret);
}

static int
learn_settings(struct backup_session *session, struct err *err)
{
    struct backup_facts *facts = &session->facts;
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    uint64_t version = 0;
    uint64_t segment = 0;
    uint64_t block = 0;
    uint64_t pages = 0;

    if (ask(session,
            "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN"
            " ('server_version_num', 'data_directory', 'data_checksums', 'wal_segment_size',"
            " 'block_size', 'segment_size', 'archive_mode')",
            2, &answer, err) < 0)
        return -1;
    if (!setting_number(&answer, "server_version_num", 10000000, &version) ||
        !setting_number(&answer, "wal_segment_size", WAL_SEGMENT_SIZE_MAX, &segment) ||
        !setting_number(&answer, "block_size", 32768, &block) || block < 1024 ||
        !setting_number(&answer, "segment_size", UINT32_MAX, &pages) || pages == 0 ||
        !wal_segment_size_valid(segment) || setting(&answer, "data_checksums") == NULL ||
        setting(&answer, "archive_mode") == NULL)
        return err_set(err, ERR_INTERNAL, "the server's settings make no sense");

    const char *directory = setting(&answer, "data_directory");
    if (directory == NULL) {
        (void)err_set(err, ERR_DENIED, "this role may not see the server's data_directory");
        return err_hint(err, "GRANT pg_read_all_settings to it, or use another role in conninfo.");
    }
    (void)snprintf(facts->data_directory, sizeof(facts->data_directory), "%s", directory);
    facts->server_version = (int)version;
    facts->segment_size = (uint32_t)segment;
    facts->block_size = (uint32_t)block;
    facts->relation_segment_pages = (uint32_t)pages;
    facts->data_checksums = strcmp(setting(&answer, "data_checksums"), "on") == 0;
    facts->archiving = strcmp(setting(&answer, "archive_mode"), "off") != 0;
    return 0;
}

static int
learn_identity(struct backup_session *session, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    uint64_t started = 0;

    if (ask(session,
            "SELECT system_identifier::pg_catalog.text, pg_catalog.pg_is_in_recovery()::"
            "pg_catalog.text, pg_catalog.floor(pg_catalog.date_part('epoch',"
            " pg_catalog.pg_postmaster_start_time()))::pg_catalog.int8"
            " FROM pg_catalog.pg_control_system()",
            3, &answer, err) < 0)
        return -1;
    const char *id = pg_answer_value(&answer, 0, 0);
    const char *recovery = pg_answer_value(&answer, 0, 1);
    const char *epoch = pg_answer_value(&answer, 0, 2);
    if (id == NULL || recovery == NULL || epoch == NULL ||
        !decimal_read(id, strlen(id), UINT64_MAX, &session->facts.system_id) ||
        !decimal_read(epoch, strlen(epoch), INT64_MAX, &started))
        return err_set(err, ERR_INTERNAL, "the server does not say who it is");
    session->facts.standby = strcmp(recovery, "true") == 0;
    session->facts.started_s = (int64_t)started;
    return 0;
}

int
backup_session_open(const char *conninfo, struct backup_session **ret_session, struct err *err)
{
    AUTO(backup_session) struct backup_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return err_memory(err, "backup");
    if (pg_client_open(conninfo, &session->client, err) < 0)
        return -1;
    session->facts.major = pg_client_version(session->client);
    if (session->facts.major < BACKUP_VERSION_MIN || session->facts.major > BACKUP_VERSION_MAX)
        return err_set(err, ERR_CONFIG, "the server is PostgreSQL %d; known are %d to %d",
                       session->facts.major, BACKUP_VERSION_MIN, BACKUP_VERSION_MAX);
    if (prepare(session, err) < 0 || learn_settings(session, err) < 0 ||
        learn_identity(session, err) < 0)
        return -1;
    *ret_session = TAKE_PTR(session);
    return 0;
}

void
backup_session_close(struct backup_session *session)
{
    if (session == NULL)
        return;
    pg_client_close(session->client);
    free(session);
}

const struct backup_facts *
backup_session_facts(const struct backup_session *session)
{
    return &session->facts;
}

/* ---- start, check, stop ---- */

static int
explain_denied(const struct backup_session *session, struct err *err)
{
    if (err->kind != ERR_DENIED)
        return -1;
    if (session->facts.major >= NEW_NAMES)
        return err_hint(err, "GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), "
                             "pg_backup_stop(boolean) to this role.");
    return err_hint(err, "GRANT EXECUTE ON FUNCTION pg_start_backup(text, boolean, boolean), "
                         "pg_stop_backup(boolean, boolean) to this role.");
}

int
backup_session_start(struct backup_session *session, const char *label, bool fast,
                     uint64_t *ret_lsn, struct err *err)
{
    char question[STATEMENT_SIZE];
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    const char *how = fast ? "true" : "false";

    if (session->facts.major >= NEW_NAMES)
        (void)snprintf(question, sizeof(question),
                       "SELECT pg_catalog.pg_backup_start('seawall %s'::pg_catalog.text, %s)",
                       label, how);
    else
        (void)snprintf(
            question, sizeof(question),
            "SELECT pg_catalog.pg_start_backup('seawall %s'::pg_catalog.text, %s, false)", label,
            how);
    if (pg_client_ask(session->client, question, 1, clock_boot_ms() + START_MS, &answer, err) < 0) {
        (void)explain_denied(session, err);
        return err_wrap(err, "could not begin the backup");
    }
    const char *lsn = pg_answer_value(&answer, 0, 0);
    if (lsn == NULL || !wal_lsn_parse(lsn, strlen(lsn), ret_lsn))
        return err_set(err, ERR_INTERNAL, "the server does not say where the backup begins");
    return 0;
}

int
backup_session_check(struct backup_session *session, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;

    if (ask(session, "SELECT pg_catalog.pg_is_in_recovery()", 1, &answer, err) < 0)
        return err_wrap(err, "the server ended the backup");
    const char *recovery = pg_answer_value(&answer, 0, 0);
    if (recovery == NULL || (strcmp(recovery, "t") == 0) != session->facts.standby)
        return err_set(err, ERR_TRANSIENT, "the standby was promoted during the backup");
    return 0;
}

/*
 * The timeline at the stop position. A primary's cannot change while the session lives; a
 * standby's follows its source, and its control file says where it is.
 */
static int
ask_timeline(struct backup_session *session, uint32_t *ret_timeline, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    uint64_t timeline = 0;

    if (ask(session,
            session->facts.standby
                ? "SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()"
                : "SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()",
            1, &answer, err) < 0)
        return -1;
    const char *text = pg_answer_value(&answer, 0, 0);
    if (text == NULL || !decimal_read(text, strlen(text), UINT32_MAX, &timeline) || timeline == 0)
        return err_set(err, ERR_INTERNAL, "the server does not say on which timeline it is");
    *ret_timeline = (uint32_t)timeline;
    return 0;
}

/* NULL for an empty text. */
static int
copy_text(const char *text, char **ret, struct err *err)
{
    if (text == NULL || text[0] == '\0')
        return 0;
    *ret = strdup(text);
    return *ret != NULL ? 0 : err_memory(err, "backup label");
}

int
backup_session_stop(struct backup_session *session, struct backup_stop *ret, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    AUTO(backup_stop) struct backup_stop stop = BACKUP_STOP_INIT;
    const char *question =
        session->facts.major >= NEW_NAMES
            ? "SELECT lsn, labelfile, spcmapfile FROM pg_catalog.pg_backup_stop(false)"
            : "SELECT lsn, labelfile, spcmapfile FROM pg_catalog.pg_stop_backup(false, false)";

    if (pg_client_ask(session->client, question, 3, clock_boot_ms() + STOP_MS, &answer, err) < 0)
        return err_wrap(err, "could not end the backup");
    const char *lsn = pg_answer_value(&answer, 0, 0);
    if (lsn == NULL || !wal_lsn_parse(lsn, strlen(lsn), &stop.lsn) ||
        copy_text(pg_answer_value(&answer, 0, 1), &stop.label_text, err) < 0 ||
        copy_text(pg_answer_value(&answer, 0, 2), &stop.tablespace_map_text, err) < 0 ||
        stop.label_text == NULL)
        return err_set(err, ERR_INTERNAL, "the server does not say where the backup ends");
    if (ask_timeline(session, &stop.timeline, err) < 0)
        return -1;
    *ret = stop;
    stop = BACKUP_STOP_INIT;
    return 0;
}

void
backup_stop_done(struct backup_stop *stop)
{
    free(stop->label_text);
    free(stop->tablespace_map_text);
    *stop = BACKUP_STOP_INIT;
}
