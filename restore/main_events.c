/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-events: what happened on the server, read from the archived WAL.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "config/program.h"
#include "restore/events_text.h"

#define EVENTS_TIMEOUT_MS (24 * 3600 * (int64_t)1000)
#define ROWS_DEFAULT 1000
#define WIDTH_DEFAULT 100

static const char *config_file;
static const char *since;
static const char *until;
static const char *kinds[CLI_REPEATED_MAX + 1];
static const char *relation;
static const char *database;
static const char *timeline;
static const char *system_id;
static const char *rows;
static bool all;
static bool deep;
static bool as_json;
static bool verbose;

static const struct cli_option options[] = {
    {"--since", "TIME", "from this time, with its zone, or so long ago: 90min, 3h, 2d", &since,
     NULL},
    {"--until", "TIME", "up to this time, or so long ago", &until, NULL},
    {"--kind", "KIND", "only this kind; may be repeated", NULL, NULL},
    {"--relation", "NAME", "only of this table: users, or public.users", &relation, NULL},
    {"--database", "NAME", "only in this database", &database, NULL},
    {"--rows", "N", "fewer rows deleted or updated at once are no event (default 1000)", &rows,
     NULL},
    {"--all", NULL, "also what is rarely an accident: rewrites, new databases", NULL, &all},
    {"--timeline", "TIMELINE", "latest (default) or a number", &timeline, NULL},
    {"--system-id", "NUMBER", "which server, if the archive has several", &system_id, NULL},
    {"--deep", NULL, "read the WAL itself, not its indexes", NULL, &deep},
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--json", NULL, "print one JSON document", NULL, &as_json},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-events",
    .synopsis = "[OPTION]...",
    .summary = "Show what happened on the server: drops, truncates, mass deletes and updates, "
               "restore points, promotions.",
    .options = options,
    .repeated = "--kind",
    .repeated_values = kinds,
    .epilogue = "Kinds: drop_table drop_index drop_schema truncate rewrite drop_database\n"
                "create_database drop_tablespace delete update restore_point promotion shutdown.\n"
                "Exit status: 0 done; 12 a missing history file or stores that disagree; 14 no\n"
                "such WAL or timeline, usage; 10 to 16 other failures.",
};

struct show {
    bool wanted[WAL_EVENT_KINDS];
    struct json *json;
    struct events_marks *marks;
    uint64_t n;
};

static int
usage(struct err *err, const char *what)
{
    (void)err_set(err, ERR_CONFIG, "%s", what);
    return err_hint(err, "Try \"seawall events --help\".");
}

/* "90min", "3h", "2d", "30s": so many microseconds. */
static bool
read_ago(const char *text, int64_t *ret_us)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    size_t digits = strspn(text, "0123456789");
    uint64_t number = 0;

    if (digits == 0 || !decimal_read(text, digits, 1000000, &number))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strcmp(text + digits, units[i].unit) == 0) {
            *ret_us = (int64_t)number * units[i].seconds * 1000000;
            return true;
        }
    return false;
}

static int
read_moment(const char *option, const char *text, int64_t *ret_us, struct err *err)
{
    int64_t ago_us = 0;

    if (!read_ago(text, &ago_us))
        return target_read_time(option, text, ret_us, err);
    *ret_us = clock_real_us() - ago_us;
    return 0;
}

static int
read_kinds(struct show *show, struct err *err)
{
    for (size_t i = 0; i < WAL_EVENT_KINDS; i++)
        show->wanted[i] = kinds[0] == NULL && (all || (i != WAL_EVENT_REWRITE &&
                                                       i != WAL_EVENT_CREATE_DATABASE));
    for (size_t i = 0; kinds[i] != NULL; i++) {
        enum wal_event_kind kind = WAL_EVENT_DROP_TABLE;

        if (!wal_event_kind_parse(kinds[i], &kind))
            return usage(err, "--kind is none of the kinds there are");
        show->wanted[kind] = true;
    }
    return 0;
}

static int
take_incident(void *context, const struct incident *incident, struct err *err UNUSED)
{
    struct show *show = context;

    if (!show->wanted[incident->kind] ||
        (relation != NULL && !incident_has_relation(incident, relation)) ||
        (database != NULL && strcmp(incident->database, database) != 0))
        return 0;
    if (show->json != NULL)
        events_json(incident, show->json);
    else if (show->n == 0)
        events_print_head();
    if (show->json == NULL)
        events_print(incident);
    show->n++;
    if (incident->has_time && show->marks->n < EVENTS_MARKS_MAX) {
        show->marks->items[show->marks->n].time_us = incident->time_us;
        show->marks->items[show->marks->n++].kind = incident->kind;
    }
    return 0;
}

static int
finish(const struct show *show, const struct events_summary *summary, struct err *err)
{
    struct winsize size = {.ws_col = WIDTH_DEFAULT};

    if (show->json != NULL) {
        json_close(show->json);
        events_json_summary(summary, show->json);
        return json_print(show->json, err);
    }
    if (isatty(STDOUT_FILENO) != 0) {
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
            size.ws_col = WIDTH_DEFAULT;
        events_print_picture(summary, show->marks, size.ws_col);
    }
    events_print_summary(summary, show->n);
    return fflush(stdout) == 0 ? 0
                               : err_set(err, ERR_LOCAL, "could not write to standard output");
}

static int
find(struct plan_work *work, const struct events_request *request, struct err *err)
{
    AUTO(events_summary) struct events_summary summary = EVENTS_SUMMARY_INIT;
    struct show *show = request->context;

    int rc = events_survey(work, err);
    if (rc == 0)
        rc = events_find(work, request, &summary, err);
    survey_done(&work->survey);
    return rc < 0 ? -1 : finish(show, &summary, err);
}

static int
read_options(struct events_request *request, struct plan_request *asked, struct err *err)
{
    const struct target_options target = {.latest = true, .timeline = timeline};

    request->window = (struct events_window){INT64_MIN, INT64_MAX};
    request->rows_min = ROWS_DEFAULT;
    if (timeline != NULL && strcmp(timeline, "current") == 0)
        return usage(err, "--timeline is latest or a number");
    if (target_parse(&target, &asked->target, err) < 0 ||
        (since != NULL && read_moment("--since", since, &request->window.since_us, err) < 0) ||
        (until != NULL && read_moment("--until", until, &request->window.until_us, err) < 0))
        return -1;
    if (rows != NULL && (!decimal_read(rows, strlen(rows), UINT32_MAX, &request->rows_min) ||
                         request->rows_min == 0))
        return usage(err, "--rows is not a number of rows");
    if (system_id != NULL && (!decimal_read(system_id, strlen(system_id), UINT64_MAX,
                                            &asked->system_id) ||
                              asked->system_id == 0))
        return usage(err, "--system-id is not a system identifier");
    return 0;
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;
    AUTO(ptr) struct plan_work *work = calloc(1, sizeof(*work));
    AUTO(ptr) struct events_marks *marks = calloc(1, sizeof(*marks));
    AUTO(json) struct json *json = as_json ? json_new() : NULL;
    struct plan_request asked = {.deadline_ms = clock_boot_ms() + EVENTS_TIMEOUT_MS};
    struct show show = {.json = json, .marks = marks};
    struct events_request request = {.deep = deep, .context = &show, .incident = take_incident};

    if (work == NULL || marks == NULL || (as_json && json == NULL))
        return err_memory(err, "events");
    if (read_options(&request, &asked, err) < 0 || read_kinds(&show, err) < 0 ||
        settings_read(config_file, &settings, err) < 0 ||
        archive_open(settings, ARCHIVE_READ, &archive, err) < 0)
        return -1;
    if (json != NULL)
        json_open_array(json, "events");
    *work = (struct plan_work){.archive = archive, .request = &asked, .notices = &log_notices};
    return find(work, &request, err);
}

static const struct program program = {
    .cli = &cli,
    .side = EXIT_SIDE_ARCHIVE,
    .run = run,
    .verbose = &verbose,
};

int
main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
