/* SPDX-License-Identifier: PostgreSQL */
#include "restore/restore_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

#define EVENT_MAX (256 * KIB)
#define EVENT_EVERY_MS 5000
#define COMMAND_MAX (16 * KIB)

/* ---- events ---- */

static int
print_event(struct json *json, struct err *err)
{
    AUTO(buf) struct buf line = BUF_INIT(EVENT_MAX);
    int rc = json_write(json, &line, err);

    if (rc == 0)
        rc = buf_append_text(&line, "\n", err);
    if (rc == BUF_FULL)
        return err_set(err, ERR_INTERNAL, "an event is too long");
    return rc < 0 ? -1 : io_write_full(STDOUT_FILENO, line.data, line.size, "standard output", err);
}

static int
event_plan(const struct restore_report *report, struct err *err)
{
    AUTO(json) struct json *json = json_new();

    json_add_text(json, "event", "plan");
    json_open_object(json, "plan");
    plan_json(report->request->plan, json);
    json_close(json);
    return print_event(json, err);
}

/* A reader who is gone does not stop a restore; the last event's failure is told. */
static void
event_progress(struct restore_report *report, uint64_t bytes)
{
    struct err ignored = ERR_INIT;
    AUTO(json) struct json *json = json_new();

    json_add_text(json, "event", "progress");
    json_add_number(json, "bytes", (int64_t)bytes);
    json_add_number(json, "total_bytes", (int64_t)report->request->complete->n_bytes);
    json_add_number(json, "elapsed_ms", clock_boot_ms() - report->started_ms);
    (void)!print_event(json, &ignored);
}

/* ---- progress ---- */

static void
written(struct restore_watch *watch, uint64_t bytes)
{
    struct restore_report *report = (struct restore_report *)(void *)watch;
    uint64_t total = report->request->complete->n_bytes;
    int64_t now_ms = clock_boot_ms();
    uint64_t elapsed_ms = (uint64_t)MAX_OF(now_ms - report->started_ms, (int64_t)1);
    uint64_t rate = bytes * 1000 / elapsed_ms;

    if (report->as_json && now_ms - report->event_ms >= EVENT_EVERY_MS) {
        event_progress(report, bytes);
        report->event_ms = now_ms;
    }
    if (report->as_json || rate == 0)
        return;
    uint64_t left_s = (total > bytes ? total - bytes : 0) / rate;
    progress_show(&report->progress,
                  "restored %" PRIu64 " of %" PRIu64 " MiB, %" PRIu64 " MiB/s, %" PRIu64
                  ":%02u:%02u left",
                  bytes / MIB, total / MIB, rate / MIB, left_s / 3600,
                  (unsigned)(left_s / 60 % 60), (unsigned)(left_s % 60));
}

int
restore_report_begin(struct restore_report *report, const struct archive *archive,
                     const struct restore_request *request, bool as_json, struct err *err)
{
    *report = (struct restore_report){
        .watch.written = written,
        .request = request,
        .as_json = as_json,
        .started_ms = clock_boot_ms(),
    };
    report->event_ms = report->started_ms;
    progress_init(&report->progress);
    if (as_json)
        return event_plan(report, err);
    plan_print(archive, request->plan);
    if (fflush(stdout) != 0)
        return err_set(err, ERR_LOCAL, "could not write to standard output");
    return 0;
}

/* ---- the end ---- */

/* A word of pg_ctl's -o, which goes through a shell twice. */
static int
outside_options(const char *path, struct buf *text, struct err *err)
{
    AUTO(buf) struct buf inner = BUF_INIT(COMMAND_MAX);
    int rc = buf_append_text(&inner, "-c config_file=POSTGRESQL.CONF -c data_directory=", err);

    if (rc == 0)
        rc = restore_settings_shell_word(path, &inner, err);
    if (rc == 0)
        rc = buf_append_text(text, " -o ", err);
    const char *words = rc == 0 ? buf_text(&inner, err) : NULL;
    if (rc == 0)
        rc = words == NULL ? -1 : restore_settings_shell_word(words, text, err);
    return rc;
}

/* Debian keeps the programs of each major version in a directory of its own. */
static int
start_command(const struct restore_report *report, const struct restore_result *result,
              struct buf *text, struct err *err)
{
    char program[64];

    (void)snprintf(program, sizeof(program), "/usr/lib/postgresql/%d/bin/pg_ctl",
                   report->request->complete->server_version / 10000);
    int rc = buf_printf(text, err, "%s -D ", access(program, X_OK) == 0 ? program : "pg_ctl");
    if (rc == 0)
        rc = restore_settings_shell_word(result->path, text, err);
    if (rc == 0 && !result->has_postgresql_conf)
        rc = outside_options(result->path, text, err);
    if (rc == 0)
        rc = buf_append_text(text, " start", err);
    return rc == BUF_FULL ? err_set(err, ERR_INTERNAL, "the command is too long") : rc;
}

/* What the server will do, in sentences. */
static const char *
outcome_text(const struct restore_request *request)
{
    if (request->plan->target.kind == TARGET_LATEST)
        return "It replays all archived WAL, then opens for writes on a new timeline.";
    switch (request->action) {
    case RESTORE_PAUSE:
        return "It replays to the target and pauses there, open for reading: look whether it is "
               "the right point.\n"
               "  to go on from there:  SELECT pg_wal_replay_resume();   (opens for writes, on a "
               "new timeline)\n"
               "  to go further:        stop it, set a later target in postgresql.auto.conf, start "
               "it again";
    case RESTORE_PROMOTE:
        return "It replays to the target, then opens for writes on a new timeline.";
    case RESTORE_SHUTDOWN:
        return "It replays to the target and shuts down there. recovery.signal stays, so the next "
               "start\ncontinues the recovery: set a later target, or none, before it.";
    }
    return "";
}

static void
print_end(const struct restore_report *report, const struct restore_result *result,
          const char *command)
{
    const struct restore_request *request = report->request;
    char target[TARGET_TEXT_SIZE];

    (void)printf("\nRestored backup %s into \"%s\": %" PRIu64 " files, %" PRIu64
                 " bytes, in %.1f s.\n"
                 "Recovery target: %s, timeline %" PRIu32 ", at the target: %s.\n\n"
                 "Start the server with\n  %s\n%s\n\n",
                 request->complete->label, result->path, result->n_files, result->n_bytes,
                 (double)(clock_boot_ms() - report->started_ms) / 1000,
                 target_text(&request->plan->target, target, sizeof(target)),
                 request->plan->timeline, restore_settings_action_name(request->action), command,
                 outcome_text(request));
    if (!result->has_postgresql_conf)
        (void)printf("The backup has no postgresql.conf: its server keeps it elsewhere (Debian: "
                     "below\n/etc/postgresql). Put the path of one in place of "
                     "POSTGRESQL.CONF.\n\n");
    (void)printf("The settings for archiving are those of the backup: the server archives into the "
                 "same\narchive, on its new timeline. Set archive_mode = off before the start if "
                 "this is a test.\n");
    if (request->complete->damage_count > 0)
        (void)printf("The backup lists %" PRIu64 " pages whose checksum was wrong in the server "
                     "itself.\n",
                     request->complete->damage_count);
}

static int
event_end(const struct restore_report *report, const struct restore_result *result,
          const char *command, struct err *err)
{
    const struct restore_request *request = report->request;
    char target[TARGET_TEXT_SIZE];
    AUTO(json) struct json *json = json_new();

    json_add_text(json, "event", "restored");
    json_add_text(json, "label", request->complete->label);
    json_add_text(json, "directory", result->path);
    json_add_number(json, "files", (int64_t)result->n_files);
    json_add_number(json, "bytes", (int64_t)result->n_bytes);
    json_add_number(json, "elapsed_ms", clock_boot_ms() - report->started_ms);
    json_add_text(json, "target",
                  target_text(&request->plan->target, target, sizeof(target)));
    json_add_number(json, "timeline", request->plan->timeline);
    json_add_text(json, "target_action", restore_settings_action_name(request->action));
    json_add_text(json, "start_command", command);
    json_add_bool(json, "has_postgresql_conf", result->has_postgresql_conf);
    json_add_number(json, "damaged_pages", (int64_t)request->complete->damage_count);
    return print_event(json, err);
}

int
restore_report_end(struct restore_report *report, const struct restore_result *result,
                   struct err *err)
{
    AUTO(buf) struct buf command = BUF_INIT(COMMAND_MAX);

    progress_done(&report->progress);
    if (result == NULL)
        return 0;
    if (start_command(report, result, &command, err) < 0)
        return -1;
    const char *text = buf_text(&command, err);
    if (text == NULL)
        return -1;
    if (report->as_json)
        return event_end(report, result, text, err);
    print_end(report, result, text);
    return fflush(stdout) == 0 ? 0 : err_set(err, ERR_LOCAL, "could not write to standard output");
}
