/* SPDX-License-Identifier: PostgreSQL */
#include "archive/check_switch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/progress.h"
#include "wal/wal_page.h"

#define QUESTION_MS 30000
#define MARGIN_MS 15000 /* on top of push_timeout: the archiver may just have begun to wait */
#define POLL_MS 250
#define REQUEST_MS 15000
#define PEEK_SIZE 1024
#define CLOCK_TOLERANCE_US ((int64_t)600 * 1000000)
#define STORES_TEXT_SIZE 512
#define QUOTED_SIZE 200

/* What one store has shown so far. */
struct arrival {
    struct store *store;
    const char *name;
    struct store_task *task;
    int64_t next_ms; /* when to look again */
    bool holds;
    bool wrong; /* what is there is not the segment, and waiting changes nothing */
    int64_t after_ms;
    struct err err; /* of the last look, if it failed */
};

struct watch {
    struct archive *archive;
    struct wal_name wal;
    char object[OBJECT_NAME_SIZE];
    uint64_t system_id;
    int64_t switched_us;
    int64_t started_ms;
    int64_t deadline_ms;
    struct arrival arrivals[SETTINGS_STORES_MAX];
};

bool
check_switched_segment(uint64_t lsn, uint32_t timeline, uint32_t segment_size, struct wal_name *ret)
{
    if (lsn <= WAL_LONG_HEADER_SIZE || timeline == 0 || !wal_segment_size_valid(segment_size))
        return false;
    wal_name_of_lsn(timeline, lsn - WAL_LONG_HEADER_SIZE - 1, segment_size, ret);
    return true;
}

/* ---- the server's part ---- */

/* A switch does nothing in a segment nobody has written to. */
static int
emit_wal(struct pg_client *client, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    AUTO(pg_answer) struct pg_answer again = PG_ANSWER_INIT;
    struct err first = ERR_INIT;

    if (pg_client_ask(client,
                      "SELECT pg_catalog.pg_logical_emit_message(true, 'seawall'::pg_catalog.text,"
                      " 'check'::pg_catalog.text)",
                      1, clock_boot_ms() + QUESTION_MS, &answer, &first) == 0)
        return 0;
    return pg_client_ask(client, "SELECT pg_catalog.pg_create_restore_point('seawall check')", 1,
                         clock_boot_ms() + QUESTION_MS, &again, err);
}

/*
 * The timeline comes from a file name the server makes: the control file may be behind it right
 * after a promotion. Nothing else of that name is used: what it says for a position on a
 * boundary differs between versions.
 */
static int
switch_wal(struct pg_client *client, uint32_t segment_size, struct wal_name *ret, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    struct wal_name current;
    uint64_t lsn = 0;

    if (pg_client_ask(client,
                      "SELECT lsn, pg_catalog.pg_walfile_name(lsn)"
                      " FROM pg_catalog.pg_switch_wal() AS lsn",
                      2, clock_boot_ms() + QUESTION_MS, &answer, err) < 0) {
        if (err->kind == ERR_DENIED)
            (void)err_hint(err, "Grant this role EXECUTE on the function pg_switch_wal(), or let "
                                "conninfo name another one.");
        return -1;
    }
    const char *position = pg_answer_value(&answer, 0, 0);
    const char *name = pg_answer_value(&answer, 0, 1);
    if (position == NULL || name == NULL || !wal_lsn_parse(position, strlen(position), &lsn) ||
        !wal_name_parse(name, strlen(name), &current) || current.kind != WAL_NAME_SEGMENT ||
        !check_switched_segment(lsn, current.timeline, segment_size, ret))
        return err_set(err, ERR_INTERNAL, "pg_switch_wal() gave no position that makes sense");
    return 0;
}

/* ---- the stores' part ---- */

static bool
settled(const struct arrival *arrival)
{
    return arrival->holds || arrival->wrong || arrival->store == NULL;
}

static void
look(struct watch *watch, struct arrival *arrival)
{
    struct store_range range = {.size = PEEK_SIZE, .max_size = PEEK_SIZE};
    int64_t now_ms = clock_boot_ms();
    struct store_limits limits = {.deadline_ms = MIN_OF(watch->deadline_ms, now_ms + REQUEST_MS)};

    err_clear(&arrival->err);
    if (store_start_get(arrival->store, watch->object, &range, &limits, &arrival->task,
                        &arrival->err) < 0)
        arrival->wrong = true;
}

/* Is what the store showed the beginning of this segment's object, written just now? */
static int
judge_object(const struct watch *watch, const struct arrival *arrival, struct err *err)
{
    struct span body = store_task_body(arrival->task);
    struct seal seal;
    char created[CLOCK_TEXT_SIZE];

    if (object_peek(body.data, body.size, &watch->archive->keyring, &seal, err) < 0)
        return err_wrap(err, "store \"%s\": \"%s\"", arrival->name, watch->object);
    if (strcmp(seal.name, watch->object) != 0 || seal.system_id != watch->system_id)
        return err_set(err, ERR_CORRUPT, "store \"%s\": the object \"%s\" is sealed as another one",
                       arrival->name, watch->object);
    if (seal.created_us < watch->switched_us - CLOCK_TOLERANCE_US) {
        (void)err_set(err, ERR_CONFLICT, "store \"%s\": \"%s\" was there already, created %s",
                      arrival->name, watch->object, clock_text(seal.created_us, created));
        return err_hint(err, "Another server (an old primary, a clone) archives under the same "
                             "cluster name and timeline.");
    }
    return 0;
}

static void
take_answer(const struct watch *watch, struct arrival *arrival)
{
    int rc = store_task_result(arrival->task, &arrival->err);

    arrival->next_ms = clock_boot_ms() + POLL_MS;
    if (rc == 0) {
        arrival->wrong = judge_object(watch, arrival, &arrival->err) < 0;
        arrival->holds = !arrival->wrong;
        arrival->after_ms = clock_boot_ms() - watch->started_ms;
    } else if (rc == STORE_DELETED) {
        arrival->wrong = true;
        (void)err_set(&arrival->err, ERR_CONFLICT, "store \"%s\": \"%s\" was deleted",
                      arrival->name, watch->object);
    }
    store_task_free(arrival->task);
    arrival->task = NULL;
}

static size_t
count_holding(const struct watch *watch)
{
    size_t n = 0;

    for (size_t i = 0; i < watch->archive->n_stores; i++)
        n += watch->arrivals[i].holds;
    return n;
}

/* Take answers, ask where it is time. *ret_next_ms: when to do so again. False: all is said. */
static bool
look_around(struct watch *watch, int64_t *ret_next_ms, bool *ret_under_way)
{
    bool open = false;

    *ret_next_ms = watch->deadline_ms;
    *ret_under_way = false;
    for (size_t i = 0; i < watch->archive->n_stores; i++) {
        struct arrival *arrival = &watch->arrivals[i];

        if (arrival->task != NULL && store_task_ended(arrival->task))
            take_answer(watch, arrival);
        if (settled(arrival))
            continue;
        open = true;
        if (arrival->task == NULL && clock_boot_ms() >= arrival->next_ms)
            look(watch, arrival);
        if (arrival->task == NULL) {
            *ret_next_ms = MIN_OF(*ret_next_ms, arrival->next_ms);
        } else if (store_task_ended(arrival->task)) {
            *ret_next_ms = clock_boot_ms();
        } else {
            *ret_under_way = true;
        }
    }
    return open;
}

/* Until all stores hold it, or enough do and the others had lag_wait more, or the deadline. */
static void
await(struct watch *watch)
{
    int64_t lag_ms = watch->archive->settings->lag_wait * 1000;
    int64_t enough_ms = 0;
    int64_t next_ms = 0;
    bool under_way = false;
    struct progress progress;
    struct err ignored = ERR_INIT;

    progress_init(&progress);
    while (look_around(watch, &next_ms, &under_way)) {
        int64_t now_ms = clock_boot_ms();
        int64_t until_ms = watch->deadline_ms;

        if (enough_ms == 0 && count_holding(watch) >= watch->archive->acknowledge)
            enough_ms = now_ms;
        if (enough_ms != 0)
            until_ms = MIN_OF(until_ms, enough_ms + lag_ms);
        if (now_ms >= until_ms || process_stop_requested() != 0)
            break;
        progress_show(&progress, "waiting for %s in the stores: %" PRId64 " s", watch->wal.text,
                      (now_ms - watch->started_ms) / 1000);
        next_ms = MIN_OF(MIN_OF(next_ms, until_ms), now_ms + POLL_MS);
        if (!under_way)
            clock_sleep_until(next_ms);
        else if (store_loop_run(watch->archive->loop, next_ms, &ignored) < 0 &&
                 ignored.kind == ERR_INTERNAL)
            break;
    }
    progress_done(&progress);
}

/* ---- the verdict ---- */

static void
report_stores(const struct watch *watch, bool enough, struct check_report *report)
{
    for (size_t i = 0; i < watch->archive->n_stores; i++) {
        const struct arrival *arrival = &watch->arrivals[i];
        struct err err = arrival->err;

        if (arrival->holds)
            continue;
        if (arrival->wrong) {
            check_report_failed(report, "switch", &err);
            continue;
        }
        /* That there is no such store was said before; that nothing came is the failure itself. */
        if (arrival->store == NULL || (!enough && err.kind == ERR_NONE))
            continue;
        if (err.kind == ERR_NONE)
            (void)err_set(&err, ERR_TRANSIENT, "store \"%s\": %s is not there yet", arrival->name,
                          watch->wal.text);
        if (enough)
            (void)err_hint(&err,
                           "acknowledge = %zu is fulfilled without it; the server's log says what "
                           "push found.",
                           watch->archive->acknowledge);
        check_report_warning(report, "switch", &err);
    }
}

static void
report_arrival(const struct watch *watch, struct check_report *report)
{
    char stores[STORES_TEXT_SIZE] = "";
    size_t used = 0;
    int64_t last_ms = 0;

    for (size_t i = 0; i < watch->archive->n_stores; i++) {
        const struct arrival *arrival = &watch->arrivals[i];

        if (!arrival->holds || used >= sizeof(stores))
            continue;
        int n = snprintf(stores + used, sizeof(stores) - used, "%s\"%s\" (%" PRId64 " ms)",
                         used == 0 ? "" : ", ", arrival->name, arrival->after_ms);
        used += n < 0 ? 0 : (size_t)n;
        last_ms = MAX_OF(last_ms, arrival->after_ms);
    }
    check_report_ok(report, "switch",
                    "the server archived %s: %" PRId64 ".%" PRId64
                    " s after the switch it is in %s",
                    watch->wal.text, last_ms / 1000, last_ms / 100 % 10, stores);
}

static void
report_missing(const struct watch *watch, struct pg_client *client, struct check_report *report)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    char quoted[QUOTED_SIZE];
    struct err err = ERR_INIT;
    struct err ignored = ERR_INIT;
    const char *failed = NULL;

    if (pg_client_ask(client, "SELECT last_failed_wal FROM pg_catalog.pg_stat_archiver", 1,
                      clock_boot_ms() + QUESTION_MS, &answer, &ignored) == 0)
        failed = pg_answer_value(&answer, 0, 0);
    (void)err_set(&err, ERR_TRANSIENT,
                  "the server finished %s, but after %" PRId64 " s it is in %zu of the %zu stores "
                  "that must hold it (pg_stat_archiver: last failed: %s)",
                  watch->wal.text, (clock_boot_ms() - watch->started_ms) / 1000,
                  count_holding(watch), watch->archive->acknowledge,
                  failed == NULL ? "none"
                                 : err_quote(failed, strlen(failed), quoted, sizeof(quoted)));
    (void)err_hint(&err, "The server's log says what archive_command answered; a long queue of "
                         "older segments (pg_wal/archive_status/*.ready) also delays it.");
    check_report_failed(report, "switch", &err);
}

void
check_switch(struct archive *archive, struct pg_client *client, uint64_t system_id,
             uint32_t segment_size, struct check_report *report)
{
    struct watch watch = {.archive = archive, .system_id = system_id};
    struct object_owner owner = {archive->settings->cluster, system_id};
    struct err err = ERR_INIT;

    if (emit_wal(client, &err) < 0 || switch_wal(client, segment_size, &watch.wal, &err) < 0) {
        (void)err_wrap(&err, "could not make the server finish a WAL segment");
        check_report_failed(report, "switch", &err);
        return;
    }
    object_name_of_wal(&owner, &watch.wal, watch.object);
    watch.switched_us = clock_real_us();
    watch.started_ms = clock_boot_ms();
    watch.deadline_ms = watch.started_ms + archive->settings->push_timeout * 1000 + MARGIN_MS;
    for (size_t i = 0; i < archive->n_stores; i++) {
        watch.arrivals[i].store = archive->stores[i].store;
        watch.arrivals[i].name = archive->stores[i].settings->name;
    }
    await(&watch);
    for (size_t i = 0; i < archive->n_stores; i++)
        store_task_free(watch.arrivals[i].task);

    if (process_stop_requested() != 0) {
        (void)err_set(&err, ERR_TRANSIENT, "interrupted while waiting for %s in the stores",
                      watch.wal.text);
        check_report_failed(report, "switch", &err);
        return;
    }

    bool enough = count_holding(&watch) >= archive->acknowledge;
    report_stores(&watch, enough, report);
    if (enough)
        report_arrival(&watch, report);
    else
        report_missing(&watch, client, report);
}
