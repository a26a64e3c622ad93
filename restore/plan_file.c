/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/json_read.h"
#include "restore/plan_parts.h"

#define PLAN_VERSION 1
#define ID_TEXT_SIZE 24

/* ---- writing ---- */

static void
add_lsn(struct json *json, const char *key, uint64_t lsn)
{
    char text[WAL_LSN_TEXT_SIZE];

    json_add_text(json, key, wal_lsn_text(lsn, text));
}

static void
json_backup(struct json *json, const struct plan *plan)
{
    json_open_object(json, "backup");
    json_add_text(json, "label", plan->label);
    json_add_number(json, "timeline", plan->backup_timeline);
    add_lsn(json, "start_lsn", plan->backup_start_lsn);
    add_lsn(json, "stop_lsn", plan->backup_stop_lsn);
    json_add_number(json, "start_time", plan->backup_start_time);
    json_add_number(json, "stop_time", plan->backup_stop_time);
    json_add_number(json, "bytes", (int64_t)plan->backup_bytes);
    json_close(json);
}

static void
json_path(struct json *json, const struct plan *plan)
{
    json_open_array(json, "path");
    for (size_t i = 0; i < plan->n_path; i++) {
        json_open_object(json, NULL);
        json_add_number(json, "timeline", plan->path[i].timeline);
        add_lsn(json, "begin_lsn", plan->path[i].begin_lsn);
        if (plan->path[i].end_lsn == UINT64_MAX)
            json_add_text(json, "end_lsn", NULL);
        else
            add_lsn(json, "end_lsn", plan->path[i].end_lsn);
        json_close(json);
    }
    json_close(json);
}

/* What a store has by itself: not read back. */
static void
json_health(struct json *json, const struct plan_health *health)
{
    char text[PLAN_HEALTH_TEXT_SIZE];
    bool last = health->known && health->last.text[0] != '\0';
    bool safe = health->known && !health->whole && health->safe != PLAN_SAFE_NOTHING;

    json_add_bool(json, "whole", health->known && health->whole);
    json_add_text(json, "last_healthy_wal", last ? health->last.text : NULL);
    json_add_text(json, "safe_target",
                  safe ? plan_health_text(health, text, sizeof(text)) : NULL);
}

static void
json_stores(struct json *json, const struct plan *plan)
{
    json_open_array(json, "stores");
    for (size_t i = 0; i < plan->n_stores; i++) {
        json_open_object(json, NULL);
        json_add_text(json, "name", plan->stores[i].name);
        json_add_bool(json, "asked", plan->stores[i].asked);
        json_add_bool(json, "backup", plan->stores[i].has_backup);
        json_add_number(json, "segments", (int64_t)plan->stores[i].n_segments);
        json_health(json, &plan->stores[i].health);
        json_close(json);
    }
    json_close(json);
}

/* For people and reports; a restore has no use for it, so it is not read back. */
static void
json_cost(struct json *json, const struct plan *plan)
{
    json_open_object(json, "cost");
    json_add_number(json, "fetch_bytes_per_second", (int64_t)plan->fetch_rate);
    json_add_text(json, "fetch_rate_source",
                  plan->fetch_source == PLAN_RATE_INDEXES ? "measured now with the indexes"
                                                          : "measured now with one segment");
    json_add_text(json, "fetch_rate_store", plan->fetch_store[0] == '\0' ? NULL
                                                                         : plan->fetch_store);
    json_add_number(json, "fetch_seconds", plan->fetch_s);
    json_add_number(json, "replay_bytes_per_second", (int64_t)plan->replay_rate);
    json_add_text(json, "replay_rate_source",
                  plan->replay_source == PLAN_RATE_CONFIGURED ? "configured" : "assumed");
    json_add_number(json, "replay_seconds", plan->replay_s);
    json_add_number(json, "rto_seconds", plan->rto_s);
    json_close(json);
    json_open_object(json, "loss");
    json_add_number(json, "commits", (int64_t)plan->loss.commits);
    json_add_bool(json, "more", plan->loss.more);
    json_add_number(json, "kept_us", plan->loss.kept_us);
    json_add_number(json, "last_us", plan->loss.last_us);
    json_add_number(json, "rpo_seconds", plan->rpo_s);
    json_close(json);
    if (plan->event[0] != '\0')
        json_add_text(json, "event", plan->event);
}

void
plan_json(const struct plan *plan, struct json *json)
{
    char id[ID_TEXT_SIZE];

    (void)snprintf(id, sizeof(id), "%" PRIu64, plan->system_id);
    json_add_number(json, "seawall_plan", PLAN_VERSION);
    json_add_text(json, "cluster", plan->cluster);
    json_add_text(json, "system_id", id);
    plan_target_json(json, &plan->target);
    json_backup(json, plan);
    json_add_number(json, "timeline", plan->timeline);
    json_path(json, plan);
    json_add_number(json, "segment_size", plan->segment_size);
    json_add_text(json, "first_wal", plan->first_wal.text);
    json_add_text(json, "last_wal", plan->last_wal.text);
    json_add_number(json, "segments", (int64_t)plan->n_segments);
    json_add_bool(json, "gap_behind", plan->gap_behind);
    json_add_number(json, "fetch_bytes", (int64_t)plan->fetch_bytes);
    json_cost(json, plan);
    json_open_object(json, "window");
    add_lsn(json, "begin_lsn", plan->window_begin_lsn);
    add_lsn(json, "end_lsn", plan->window_end_lsn);
    json_add_number(json, "begin_time", plan->window_begin_time);
    json_add_number(json, "end_time", plan->window_end_time);
    json_close(json);
    json_stores(json, plan);
    json_add_number(json, "requests", (int64_t)plan->n_requests);
    json_add_number(json, "bytes_read", (int64_t)plan->read_bytes);
}

void
plan_json_refused(const struct plan *plan, const struct err *err, struct json *json)
{
    json_add_bool(json, "refused", true);
    json_add_text(json, "error", err->text);
    json_add_text(json, "hint", err->hint);
    json_add_text(json, "backup", plan->label);
    json_health(json, &plan->health);
    json_stores(json, plan);
}

int
plan_write(const struct plan *plan, const char *file, struct err *err)
{
    char directory[4096];
    char quoted[300];
    const char *slash = strrchr(file, '/');
    const char *name = slash == NULL ? file : slash + 1;
    AUTO(json) struct json *json = json_new();
    AUTO(buf) struct buf text = BUF_INIT(PLAN_FILE_MAX);
    AUTO(fd) int fd = -1;
    AUTO(newfile) struct newfile out = NEWFILE_INIT;

    (void)err_quote(file, strlen(file), quoted, sizeof(quoted));
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(err, ERR_CONFIG, "\"%s\" is not the name of a file", quoted);
    if ((size_t)snprintf(directory, sizeof(directory), "%.*s",
                         slash == NULL ? 1 : (int)(slash - file + 1), slash == NULL ? "." : file) >=
        sizeof(directory))
        return err_set(err, ERR_CONFIG, "the name of the file is too long");
    if (json == NULL)
        return err_memory(err, "JSON");
    plan_json(plan, json);
    int rc = json_write(json, &text, err);
    if (rc == 0)
        rc = buf_append_text(&text, "\n", err);
    if (rc == BUF_FULL)
        return err_set(err, ERR_INTERNAL, "the plan does not fit into its file");
    if (rc < 0 || fs_open_directory(directory, &fd, err) < 0 ||
        newfile_create(&out, fd, 0600, err) < 0 ||
        io_write_full(out.fd, text.data, text.size, quoted, err) < 0)
        return -1;
    rc = newfile_commit_new(&out, name, true, err);
    if (rc == FS_EXISTS)
        return err_set(err, ERR_CONFIG, "\"%s\" exists: a plan never replaces a file", quoted);
    return rc;
}

/* ---- reading ---- */

/* Text into a field of `size` bytes; it must not be empty. */
static int
read_text(const struct json_t *object, const char *key, char *ret, size_t size, struct err *err)
{
    const char *text = NULL;

    if (json_read_string(json_read_member(object, key), key, 1, size - 1, &text, err) < 0)
        return -1;
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}


static int
read_backup(const struct json_t *object, struct plan *plan, struct err *err)
{
    if (json_read_is_object(object, "backup", err) < 0 ||
        read_text(object, "label", plan->label, sizeof(plan->label), err) < 0 ||
        plan_read_timeline(object, "timeline", &plan->backup_timeline, err) < 0 ||
        plan_read_lsn(object, "start_lsn", &plan->backup_start_lsn, err) < 0 ||
        plan_read_lsn(object, "stop_lsn", &plan->backup_stop_lsn, err) < 0 ||
        json_read_integer(json_read_member(object, "start_time"), "start_time", INT64_MIN,
                          INT64_MAX, &plan->backup_start_time, err) < 0 ||
        json_read_integer(json_read_member(object, "stop_time"), "stop_time", INT64_MIN, INT64_MAX,
                          &plan->backup_stop_time, err) < 0 ||
        plan_read_number(object, "bytes", INT64_MAX, &plan->backup_bytes, err) < 0)
        return -1;
    if (!backup_label_valid(plan->label, strlen(plan->label)))
        return err_set(err, ERR_CORRUPT, "\"label\" is not that of a backup");
    return 0;
}

static int
read_path(const struct json_t *array, struct plan *plan, struct err *err)
{
    if (json_read_array(array, "path", 1, PLAN_TIMELINES_MAX, &plan->n_path, err) < 0)
        return -1;
    for (size_t i = 0; i < plan->n_path; i++) {
        const struct json_t *object = json_read_element(array, i);
        struct plan_stretch *stretch = &plan->path[i];

        stretch->end_lsn = UINT64_MAX;
        if (json_read_is_object(object, "path", err) < 0 ||
            plan_read_timeline(object, "timeline", &stretch->timeline, err) < 0 ||
            plan_read_lsn(object, "begin_lsn", &stretch->begin_lsn, err) < 0 ||
            (i + 1 < plan->n_path && plan_read_lsn(object, "end_lsn", &stretch->end_lsn, err) < 0))
            return -1;
        const struct plan_stretch *before = i == 0 ? NULL : &plan->path[i - 1];
        if (stretch->begin_lsn >= stretch->end_lsn ||
            (before != NULL && (before->timeline >= stretch->timeline ||
                                before->end_lsn != stretch->begin_lsn)))
            return err_set(err, ERR_CORRUPT, "the stretches of \"path\" do not follow each other");
    }
    if (plan->path[0].timeline != plan->backup_timeline ||
        plan->path[plan->n_path - 1].timeline != plan->timeline)
        return err_set(err, ERR_CORRUPT,
                       "\"path\" does not lead from the backup's timeline to the one to follow");
    return 0;
}

static int
read_segment(const struct json_t *object, const char *key, uint32_t segment_size,
             struct wal_name *ret, struct err *err)
{
    const char *text = NULL;

    if (json_read_string(json_read_member(object, key), key, WAL_SEGMENT_NAME_LENGTH,
                         WAL_SEGMENT_NAME_LENGTH, &text, err) < 0)
        return -1;
    if (!wal_name_parse(text, strlen(text), ret) || ret->kind != WAL_NAME_SEGMENT ||
        !wal_name_fits(ret, segment_size))
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a WAL segment", key);
    return 0;
}

static int
read_wal(const struct json_t *document, struct plan *plan, struct err *err)
{
    uint64_t size = 0;

    if (plan_read_number(document, "segment_size", UINT32_MAX, &size, err) < 0)
        return -1;
    if (!wal_segment_size_valid(size))
        return err_set(err, ERR_CORRUPT, "\"segment_size\" is impossible");
    plan->segment_size = (uint32_t)size;
    if (read_segment(document, "first_wal", plan->segment_size, &plan->first_wal, err) < 0 ||
        read_segment(document, "last_wal", plan->segment_size, &plan->last_wal, err) < 0 ||
        plan_read_number(document, "segments", INT64_MAX, &plan->n_segments, err) < 0 ||
        json_read_bool(json_read_member(document, "gap_behind"), "gap_behind", &plan->gap_behind,
                       err) < 0 ||
        plan_read_number(document, "fetch_bytes", INT64_MAX, &plan->fetch_bytes, err) < 0)
        return -1;
    uint64_t first = wal_name_segment_number(&plan->first_wal, plan->segment_size);
    uint64_t last = wal_name_segment_number(&plan->last_wal, plan->segment_size);
    if (last < first || last - first + 1 != plan->n_segments)
        return err_set(err, ERR_CORRUPT, "\"segments\" does not count from first to last");
    return 0;
}

static int
read_window(const struct json_t *object, struct plan *plan, struct err *err)
{
    if (json_read_is_object(object, "window", err) < 0 ||
        plan_read_lsn(object, "begin_lsn", &plan->window_begin_lsn, err) < 0 ||
        plan_read_lsn(object, "end_lsn", &plan->window_end_lsn, err) < 0 ||
        json_read_integer(json_read_member(object, "begin_time"), "begin_time", INT64_MIN,
                          INT64_MAX, &plan->window_begin_time, err) < 0)
        return -1;
    return json_read_integer(json_read_member(object, "end_time"), "end_time", INT64_MIN, INT64_MAX,
                             &plan->window_end_time, err);
}

static int
read_stores(const struct json_t *array, struct plan *plan, struct err *err)
{
    if (json_read_array(array, "stores", 1, SETTINGS_STORES_MAX, &plan->n_stores, err) < 0)
        return -1;
    for (size_t i = 0; i < plan->n_stores; i++) {
        const struct json_t *object = json_read_element(array, i);
        struct plan_store *store = &plan->stores[i];

        if (json_read_is_object(object, "stores", err) < 0 ||
            read_text(object, "name", store->name, sizeof(store->name), err) < 0 ||
            json_read_bool(json_read_member(object, "asked"), "asked", &store->asked, err) < 0 ||
            json_read_bool(json_read_member(object, "backup"), "backup", &store->has_backup, err) <
                0 ||
            plan_read_number(object, "segments", INT64_MAX, &store->n_segments, err) < 0)
            return -1;
    }
    return 0;
}

static int
read_document(const struct json_t *document, struct plan *plan, struct err *err)
{
    char id[ID_TEXT_SIZE];
    int64_t version = 0;

    if (json_read_integer(json_read_member(document, "seawall_plan"), "seawall_plan", 1, INT64_MAX,
                          &version, err) < 0)
        return -1;
    if (version != PLAN_VERSION)
        return err_set(err, ERR_CONFIG, "a plan of version %" PRId64 ", this program reads %d",
                       version, PLAN_VERSION);
    if (read_text(document, "cluster", plan->cluster, sizeof(plan->cluster), err) < 0 ||
        read_text(document, "system_id", id, sizeof(id), err) < 0)
        return -1;
    if (!decimal_read(id, strlen(id), UINT64_MAX, &plan->system_id) || plan->system_id == 0)
        return err_set(err, ERR_CORRUPT, "\"system_id\" is not a system identifier");
    if (plan_target_read(json_read_member(document, "target"), &plan->target, err) < 0 ||
        read_backup(json_read_member(document, "backup"), plan, err) < 0 ||
        plan_read_timeline(document, "timeline", &plan->timeline, err) < 0 ||
        read_path(json_read_member(document, "path"), plan, err) < 0 ||
        read_wal(document, plan, err) < 0 ||
        read_window(json_read_member(document, "window"), plan, err) < 0)
        return -1;
    return read_stores(json_read_member(document, "stores"), plan, err);
}

int
plan_parse(const void *bytes, size_t size, struct plan *ret_plan, struct err *err)
{
    const struct json_read_bounds bounds = {PLAN_FILE_MAX, 8};
    AUTO(json_document) struct json_t *document = NULL;
    AUTO(ptr) struct plan *plan = calloc(1, sizeof(*plan));

    if (plan == NULL)
        return err_memory(err, "plan");
    if (json_read_object(bytes, size, &bounds, &document, err) < 0 ||
        read_document(document, plan, err) < 0)
        return -1;
    *ret_plan = *plan;
    return 0;
}

int
plan_read(const char *file, struct plan *ret_plan, struct err *err)
{
    char quoted[300];
    struct stat st;
    size_t got = 0;
    AUTO(fd) int fd = -1;
    AUTO(buf) struct buf text = BUF_INIT(PLAN_FILE_MAX);

    (void)err_quote(file, strlen(file), quoted, sizeof(quoted));
    int rc = fs_open_file(AT_FDCWD, file, quoted, &fd, &st, err);
    if (rc == FS_ABSENT)
        return err_set(err, ERR_LOCAL, "could not open \"%s\": there is no such file", quoted);
    if (rc < 0)
        return -1;
    if (st.st_size <= 0 || (uint64_t)st.st_size > PLAN_FILE_MAX)
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a plan", quoted);
    if (buf_reserve(&text, (size_t)st.st_size, err) != 0)
        return err_memory(err, "plan");
    rc = io_read_full(fd, text.data, (size_t)st.st_size, &got, quoted, err);
    if (rc < 0)
        return -1;
    if (rc > 0)
        return err_set(err, ERR_LOCAL, "\"%s\" shrank while it was read", quoted);
    if (plan_parse(text.data, got, ret_plan, err) < 0)
        return err_wrap(err, "\"%s\" is not a plan", quoted);
    return 0;
}
