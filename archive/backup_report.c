/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/amount.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"

#define EVENT_MS 1000
#define EVENT_MAX (64 * KIB)
#define QUOTED_SIZE 600
#define SYSTEM_ID_SIZE 24

/* ---- events ---- */

static struct json *
event_new(const char *event)
{
    struct json *json = json_new();

    json_add_text(json, "event", event);
    return json;
}

static int
event_write(const struct json *json, struct err *err)
{
    AUTO(buf) struct buf line = BUF_INIT(EVENT_MAX);
    int rc = json_write(json, &line, err);

    if (rc == 0)
        rc = buf_append_text(&line, "\n", err);
    if (rc > 0)
        rc = err_set(err, ERR_INTERNAL, "an event is too long");
    if (rc < 0)
        return -1;
    return io_write_full(STDOUT_FILENO, line.data, line.size, "standard output", err);
}

/* Nobody listens any more: that does not end a backup. Takes `json`. */
static void
event_send(struct backup_report *report, struct json *json)
{
    struct err ignored = ERR_INIT;

    if (!report->broken && event_write(json, &ignored) < 0)
        report->broken = true;
    json_free(json);
}

static void
take_notice(struct notices *notices, enum log_level level, const char *text)
{
    struct backup_report *report = (struct backup_report *)notices;

    progress_done(&report->progress);
    log_line(level, "%s", text);
    if (!report->json || level < LOG_WARNING)
        return;
    struct json *json = event_new("warning");
    json_add_text(json, "text", text);
    event_send(report, json);
}

/* ---- the report ---- */

void
backup_report_init(struct backup_report *report, bool json)
{
    *report = (struct backup_report){.notices = {take_notice}, .json = json};
    progress_init(&report->progress);
    report->started_ms = clock_boot_ms();
}

bool
backup_report_shows_progress(const struct backup_report *report)
{
    return report->json || report->progress.terminal;
}

void
backup_report_start(struct backup_report *report, const struct backup_complete *backup)
{
    char lsn[WAL_LSN_TEXT_SIZE];
    char system_id[SYSTEM_ID_SIZE];

    report->started_ms = clock_boot_ms();
    log_line(LOG_INFO, "backup %s begins at %s", backup->label,
             wal_lsn_text(backup->start_lsn, lsn));
    if (!report->json)
        return;
    struct json *json = event_new("start");
    (void)snprintf(system_id, sizeof(system_id), "%" PRIu64, backup->system_id);
    json_add_text(json, "label", backup->label);
    json_add_text(json, "cluster", backup->cluster);
    json_add_text(json, "system_id", system_id);
    json_add_number(json, "server_version", backup->server_version);
    json_add_bool(json, "from_standby", backup->from_standby);
    json_add_text(json, "start_lsn", lsn);
    event_send(report, json);
}

static void
show_progress(struct backup_report *report, uint64_t bytes, int64_t elapsed_ms)
{
    char done[AMOUNT_SIZE];
    char all[AMOUNT_SIZE];
    char speed[AMOUNT_SIZE];
    uint64_t rate = bytes * 1000 / (uint64_t)MAX_OF(elapsed_ms, 1);
    uint64_t left = report->total > bytes ? report->total - bytes : 0;
    uint64_t left_s = left / MAX_OF(rate, 1);

    (void)amount_text(rate, speed);
    (void)amount_text(bytes, done);
    if (report->total == 0) {
        progress_show(&report->progress, "%s, %s/s", done, speed);
        return;
    }
    progress_show(&report->progress,
                  "%s of %s (%" PRIu64 " %%), %s/s, %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left",
                  done, amount_text(report->total, all), MIN_OF(bytes * 100 / report->total, 100),
                  speed, left_s / 3600, left_s / 60 % 60, left_s % 60);
}

void
backup_report_progress(struct backup_report *report, uint64_t bytes, uint64_t stored_bytes)
{
    int64_t now_ms = clock_boot_ms();

    show_progress(report, bytes, now_ms - report->started_ms);
    if (!report->json || now_ms - report->last_event_ms < EVENT_MS)
        return;
    report->last_event_ms = now_ms;
    struct json *json = event_new("progress");
    json_add_number(json, "bytes", (int64_t)bytes);
    json_add_number(json, "total_bytes", (int64_t)report->total);
    json_add_number(json, "stored_bytes", (int64_t)stored_bytes);
    event_send(report, json);
}

void
backup_report_waiting(struct backup_report *report, const char *segment, int64_t waited_s)
{
    int64_t now_ms = clock_boot_ms();

    progress_show(&report->progress, "waiting for %s in the stores: %" PRId64 " s", segment,
                  waited_s);
    if (!report->json || now_ms - report->last_event_ms < EVENT_MS)
        return;
    report->last_event_ms = now_ms;
    struct json *json = event_new("waiting");
    json_add_text(json, "segment", segment);
    json_add_number(json, "seconds", waited_s);
    event_send(report, json);
}

static void
tell_damage(struct backup_report *report, const struct backup_complete *backup)
{
    for (size_t i = 0; i < backup->n_damage; i++) {
        const struct backup_damage *damage = &backup->damage[i];
        char quoted[QUOTED_SIZE];

        log_line(LOG_WARNING, "\"%s\": page %u has a wrong checksum",
                 err_quote(damage->path, strlen(damage->path), quoted, sizeof(quoted)),
                 damage->block);
        if (!report->json)
            continue;
        struct json *json = event_new("damage");
        json_add_text(json, "path", damage->path);
        json_add_number(json, "block", damage->block);
        event_send(report, json);
    }
    if (backup->damage_count > 0)
        log_line(LOG_WARNING, "%" PRIu64 " damaged pages are in backup %s; it is kept, and marked",
                 backup->damage_count, backup->label);
}

static int
write_complete(const struct backup_complete *backup, struct err *err)
{
    char lsn[WAL_LSN_TEXT_SIZE];
    AUTO(json) struct json *json = event_new("complete");

    json_add_text(json, "label", backup->label);
    json_add_text(json, "stop_lsn", wal_lsn_text(backup->stop_lsn, lsn));
    json_add_text(json, "first_wal", backup->first_wal.text);
    json_add_text(json, "last_wal", backup->last_wal.text);
    json_add_number(json, "parts", backup->n_parts);
    json_add_number(json, "files", (int64_t)backup->n_files);
    json_add_number(json, "bytes", (int64_t)backup->n_bytes);
    json_add_number(json, "stored_bytes", (int64_t)backup->stored_bytes);
    json_add_number(json, "damage_count", (int64_t)backup->damage_count);
    return event_write(json, err);
}

int
backup_report_complete(struct backup_report *report, const struct backup_complete *backup,
                       struct err *err)
{
    char bytes[AMOUNT_SIZE];
    char stored[AMOUNT_SIZE];
    char line[BACKUP_LABEL_SIZE + 1];

    progress_done(&report->progress);
    tell_damage(report, backup);
    log_line(
        LOG_INFO, "backup %s is complete: %" PRIu64 " files, %s, stored as %s in %" PRId64 " s",
        backup->label, backup->n_files, amount_text(backup->n_bytes, bytes),
        amount_text(backup->stored_bytes, stored), (clock_boot_ms() - report->started_ms) / 1000);
    if (report->json)
        return write_complete(backup, err);
    (void)snprintf(line, sizeof(line), "%s\n", backup->label);
    return io_write_full(STDOUT_FILENO, line, strlen(line), "standard output", err);
}

void
backup_report_failed(struct backup_report *report, const struct err *why)
{
    progress_done(&report->progress);
    if (!report->json)
        return;
    struct json *json = event_new("failed");
    json_add_text(json, "kind", err_kind_name(why->kind));
    json_add_text(json, "text", why->text);
    json_add_text(json, "hint", why->hint[0] == '\0' ? NULL : why->hint);
    event_send(report, json);
}
