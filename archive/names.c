/* SPDX-License-Identifier: PostgreSQL */
#include "archive/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "archive/pg_client.h"
#include "archive/text_object.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/process.h"

#define QUESTION_MS ((int64_t)60 * 1000)
#define PAGE_ROWS 10000
#define QUESTION_SIZE 1024

struct collector {
    const struct names_request *request;
    struct names_result result;
    struct buf text;
    bool full; /* the rest of the relations is left out */
};

static int
ask(struct pg_client *client, const char *question, int n_columns, struct pg_answer *ret,
    struct err *err)
{
    return pg_client_ask(client, question, n_columns, clock_boot_ms() + QUESTION_MS, ret, err);
}

static bool
oid_at(const struct pg_answer *answer, int row, int column, uint32_t *ret)
{
    const char *text = pg_answer_value(answer, row, column);
    uint64_t number = 0;

    if (text == NULL || !decimal_read(text, strlen(text), UINT32_MAX, &number))
        return false;
    *ret = (uint32_t)number;
    return true;
}

static int
nonsense(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "the server's catalog makes no sense");
}

/* ---- the moment ---- */

static int
learn_head(struct pg_client *client, struct name_map_head *head, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;

    if (ask(client,
            "SELECT system_identifier::pg_catalog.text, timeline_id::pg_catalog.text,"
            " CASE WHEN pg_catalog.pg_is_in_recovery()"
            " THEN pg_catalog.pg_last_wal_replay_lsn()"
            " ELSE pg_catalog.pg_current_wal_insert_lsn() END::pg_catalog.text"
            " FROM pg_catalog.pg_control_system(), pg_catalog.pg_control_checkpoint()",
            3, &answer, err) < 0)
        return -1;
    const char *id = pg_answer_value(&answer, 0, 0);
    const char *lsn = pg_answer_value(&answer, 0, 2);
    if (id == NULL || lsn == NULL || !oid_at(&answer, 0, 1, &head->timeline) ||
        !decimal_read(id, strlen(id), UINT64_MAX, &head->system_id) ||
        !wal_lsn_parse(lsn, strlen(lsn), &head->lsn))
        return nonsense(err);
    return 0;
}

/* ---- relations of one database ---- */

static int
take_relation(struct collector *collector, const struct pg_answer *answer, int row,
              uint32_t database, struct err *err)
{
    struct name_map_relation relation = {.database = database};
    const char *kind = pg_answer_value(answer, row, 1);
    const char *shared = pg_answer_value(answer, row, 4);

    relation.schema = pg_answer_value(answer, row, 6);
    relation.name = pg_answer_value(answer, row, 7);
    if (!oid_at(answer, row, 0, &relation.oid) || kind == NULL || *kind == '\0' ||
        !oid_at(answer, row, 2, &relation.file) || !oid_at(answer, row, 3, &relation.tablespace) ||
        shared == NULL || !oid_at(answer, row, 5, &relation.toast_of) || relation.schema == NULL ||
        relation.name == NULL)
        return nonsense(err);
    relation.kind = *kind;
    if (strcmp(shared, "true") == 0)
        relation.database = 0;
    int rc = name_map_write_relation(&relation, &collector->result.counts, &collector->text, err);
    if (rc == BUF_FULL)
        collector->full = true;
    return rc < 0 ? -1 : 0;
}

/* In the order of their OIDs, a page at a time: memory does not grow with their number. */
static int
take_relations(struct collector *collector, struct pg_client *client, uint32_t database,
               struct err *err)
{
    uint32_t after = 0;

    for (int rows = PAGE_ROWS; rows == PAGE_ROWS && !collector->full;) {
        AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
        char question[QUESTION_SIZE];

        (void)snprintf(
            question, sizeof(question),
            "SELECT c.oid::pg_catalog.text, c.relkind::pg_catalog.text,"
            " COALESCE(pg_catalog.pg_relation_filenode(c.oid), 0)::pg_catalog.text,"
            " CASE WHEN c.reltablespace <> 0 THEN c.reltablespace"
            " ELSE d.dattablespace END::pg_catalog.text,"
            " c.relisshared::pg_catalog.text,"
            " COALESCE((SELECT t.oid FROM pg_catalog.pg_class t WHERE c.relkind = 't'"
            " AND t.reltoastrelid = c.oid LIMIT 1), 0)::pg_catalog.text,"
            " n.nspname::pg_catalog.text, c.relname::pg_catalog.text"
            " FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()"
            " WHERE c.oid > %" PRIu32 " AND c.relkind <> 'c' AND (c.oid >= 16384"
            " OR pg_catalog.pg_relation_filenode(c.oid) <> c.oid)"
            " ORDER BY c.oid LIMIT %d",
            after, PAGE_ROWS);
        if (ask(client, question, 8, &answer, err) < 0)
            return -1;
        rows = answer.n_rows;
        for (int row = 0; row < rows; row++)
            if (take_relation(collector, &answer, row, database, err) < 0)
                return -1;
        if (rows > 0 && !oid_at(&answer, rows - 1, 0, &after))
            return nonsense(err);
    }
    return 0;
}

/* ---- databases ---- */

static int
take_database(struct collector *collector, const struct name_map_database *database,
              struct err *err)
{
    AUTO(pg_client) struct pg_client *client = NULL;
    struct err why = ERR_INIT;
    char quoted[NAME_MAP_TEXT_MAX];

    int rc = name_map_write_database(database, &collector->result.counts, &collector->text, err);
    if (rc == BUF_FULL)
        collector->full = true;
    if (rc != 0 || collector->full)
        return rc < 0 ? -1 : 0;
    if (pg_client_open_database(collector->request->conninfo, database->name, &client, &why) == 0 &&
        take_relations(collector, client, database->oid, &why) == 0)
        return 0;
    if (why.kind == ERR_INTERNAL || process_stop_requested() != 0) {
        *err = why;
        return -1;
    }
    notice_err(collector->request->notices, LOG_WARNING, &why,
               "names of database \"%s\" are not known",
               err_quote(database->name, strlen(database->name), quoted, sizeof(quoted)));
    return 0;
}

static int
take_databases(struct collector *collector, struct pg_client *client, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;

    if (ask(client,
            "SELECT oid::pg_catalog.text, dattablespace::pg_catalog.text,"
            " datname::pg_catalog.text FROM pg_catalog.pg_database"
            " WHERE datallowconn AND datconnlimit <> -2 ORDER BY pg_database.oid",
            3, &answer, err) < 0)
        return -1;
    for (int row = 0; row < answer.n_rows && !collector->full; row++) {
        struct name_map_database database = {.name = pg_answer_value(&answer, row, 2)};

        if (database.name == NULL || !oid_at(&answer, row, 0, &database.oid) ||
            !oid_at(&answer, row, 1, &database.tablespace))
            return nonsense(err);
        if (take_database(collector, &database, err) < 0)
            return -1;
    }
    if (collector->full)
        notice(collector->request->notices, LOG_WARNING,
               "the server has more relations than a name map can hold; the last ones are left "
               "out");
    return 0;
}

static int
collect(struct collector *collector, struct err *err)
{
    AUTO(pg_client) struct pg_client *client = NULL;
    struct name_map_head *head = &collector->result.head;
    const struct names_request *request = collector->request;

    if (pg_client_open(request->conninfo, &client, err) < 0 || learn_head(client, head, err) < 0)
        return -1;
    if (request->label != NULL)
        (void)snprintf(head->label, sizeof(head->label), "%s", request->label);
    else
        backup_label_of_time(clock_real_us(), head->label);
    if (name_map_write_head(head, &collector->text, err) != 0 ||
        take_databases(collector, client, err) < 0)
        return -1;
    /* The last line has its place kept. */
    collector->text.limit = NAME_MAP_FILE_MAX;
    return name_map_write_end(&collector->result.counts, &collector->text, err) == 0 ? 0 : -1;
}

/* ---- storing ---- */

static int
store(const struct collector *collector, struct err *err)
{
    const struct names_request *request = collector->request;
    const struct object_owner owner = {request->archive->settings->cluster,
                                       collector->result.head.system_id};
    char name[OBJECT_NAME_SIZE];

    name_map_name(&owner, collector->result.head.label, name);
    const struct text_object object = {
        name, owner.system_id, {collector->text.data, collector->text.size}, true};
    int rc = text_object_put(request->archive, request->sender, &object, err);
    if (rc == TEXT_OBJECT_TAKEN)
        return err_set(err, ERR_CONFLICT, "there already is a name map %s with other content",
                       collector->result.head.label);
    return rc;
}

int
names_store(const struct names_request *request, struct names_result *ret, struct err *err)
{
    struct collector collector = {
        .request = request,
        .text = BUF_INIT(NAME_MAP_FILE_MAX - QUESTION_SIZE),
    };
    int rc = collect(&collector, err);

    if (rc == 0)
        rc = store(&collector, err);
    if (rc == 0)
        *ret = collector.result;
    buf_done(&collector.text);
    return rc;
}
