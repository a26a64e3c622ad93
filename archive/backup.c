/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "archive/backup_await.h"
#include "archive/backup_claim.h"
#include "archive/backup_leftovers.h"
#include "archive/backup_pipeline.h"
#include "archive/backup_plan.h"
#include "archive/backup_record.h"
#include "archive/backup_source.h"
#include "archive/names.h"
#include "archive/text_object.h"
#include "base/clock.h"
#include "wal/backup_label.h"

#define STEP_MS 200
#define CHECK_MS 2000 /* how often the server is asked whether the backup still counts */
#define CPU_WORKERS 4

struct run {
    const struct backup_options *options;
    struct backup_report *report;
    struct settings *settings;
    struct backup_session *session;
    struct pgdata pgdata;
    struct archive *archive;
    struct object_owner owner;
    struct backup_sender *sender;
    struct pipeline *pipeline;
    struct backup_record *record;
    struct backup_plan plan;
    struct backup_complete complete;
    uint32_t *tablespaces; /* that were there when it began */
    size_t n_tablespaces;
    uint32_t n_parts;
    uint32_t n_manifests;
    uint64_t bytes; /* read and sent, for the progress */
    uint64_t stored_bytes;
    int64_t checked_ms;
};

static void
run_done(struct run *run)
{
    /* The workers use all the rest. */
    pipeline_free(run->pipeline);
    backup_plan_done(&run->plan);
    backup_record_free(run->record);
    backup_complete_done(&run->complete);
    backup_sender_free(run->sender);
    archive_close(run->archive);
    pgdata_done(&run->pgdata);
    backup_session_close(run->session);
    settings_free(run->settings);
    free(run->tablespaces);
}

DEFINE_CLEANUP(run, struct run, run_done);

/* ---- jobs ---- */

static void
submit(struct run *run, struct backup_job *job)
{
    enum backup_object_kind kind = job->is_text ? BACKUP_MANIFEST : BACKUP_PART;

    job->number = job->is_text ? ++run->n_manifests : ++run->n_parts;
    backup_name_of(&run->owner, run->complete.label, kind, job->number, job->name);
    pipeline_submit(run->pipeline, job);
}

/* Send the manifest texts that are full. A slot is free whenever this is called. */
static int
send_texts(struct run *run, struct err *err)
{
    AUTO(buf) struct buf text = BUF_INIT(0);

    while (backup_record_take_text(run->record, &text)) {
        struct backup_job *job = pipeline_begin(run->pipeline);

        if (job == NULL)
            return err_set(err, ERR_INTERNAL, "no room for a manifest object");
        if (run->n_manifests == BACKUP_MANIFESTS_MAX)
            return err_set(err, ERR_LOCAL, "the data directory has too many files for a backup");
        job->is_text = true;
        job->text = text;
        text = BUF_INIT(0);
        submit(run, job);
    }
    return 0;
}

/* A job is in the stores. */
static int
take_job(void *context, const struct backup_job *job, struct err *err)
{
    struct run *run = context;

    if (job->is_text)
        return backup_record_manifest(run->record, job, err);
    run->bytes += job->file_size;
    run->stored_bytes += job->spans[0].size + job->spans[1].size;
    int rc = backup_record_part(run->record, job, err);
    return rc <= 0 ? rc : send_texts(run, err);
}

/* Does the server still know of the backup? Asked now and then. */
static int
check_server(struct run *run, struct err *err)
{
    int64_t now_ms = clock_boot_ms();

    if (now_ms - run->checked_ms < CHECK_MS)
        return 0;
    if (backup_session_check(run->session, err) < 0)
        return -1;
    run->checked_ms = clock_boot_ms();
    return 0;
}

/* One step, with everything that is looked at between steps. */
static int
step(struct run *run, struct err *err)
{
    if (pipeline_step(run->pipeline, clock_boot_ms() + STEP_MS, err) < 0)
        return -1;
    backup_report_progress(run->report, run->bytes, run->stored_bytes);
    return 0;
}

static int
drain(struct run *run, bool server, struct err *err)
{
    while (!pipeline_idle(run->pipeline))
        if (step(run, err) < 0 || (server && check_server(run, err) < 0))
            return -1;
    return 0;
}

/* ---- preparation ---- */

static size_t
worker_count(const struct settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (settings->workers > 0)
        return (size_t)settings->workers;
    return (size_t)MIN_OF(MAX_OF(cores, 1L), (long)CPU_WORKERS);
}

static int
check_facts(const struct backup_facts *facts, struct err *err)
{
    if (facts->standby || facts->archiving)
        return 0;
    (void)err_set(err, ERR_CONFIG, "archive_mode is off: the WAL a backup needs is not archived");
    return err_hint(err, "Set archive_mode = on and archive_command = 'seawall-push %%p', and "
                         "restart the server.");
}

static void
note_facts(struct run *run, const struct backup_facts *facts)
{
    struct backup_complete *complete = &run->complete;

    complete->system_id = facts->system_id;
    (void)snprintf(complete->cluster, sizeof(complete->cluster), "%s", run->settings->cluster);
    complete->server_version = facts->server_version;
    complete->catalog_version = run->pgdata.control.catalog_version;
    complete->control_version = run->pgdata.control.control_version;
    complete->segment_size = facts->segment_size;
    complete->block_size = facts->block_size;
    complete->data_checksums = facts->data_checksums;
    complete->from_standby = facts->standby;
    run->owner = (struct object_owner){run->settings->cluster, facts->system_id};
}

static int
start_workers(struct run *run, const struct backup_facts *facts, struct err *err)
{
    struct workers_options workers = {
        .n = worker_count(run->settings),
        .archive = run->archive,
        .system_id = facts->system_id,
        .rules = {.checksums = facts->data_checksums,
                  .block_size = facts->block_size,
                  .relation_segment_pages = facts->relation_segment_pages},
    };
    struct pipeline_options options = {
        .loop = run->archive->loop,
        .sender = run->sender,
        .sink = take_job,
        .context = run,
    };

    return pipeline_new(&workers, &options, &run->pipeline, err);
}

static int
prepare(struct run *run, struct err *err)
{
    if (settings_read(run->options->config_file, &run->settings, err) < 0 ||
        backup_session_open(run->settings->conninfo, &run->session, err) < 0)
        return -1;
    const struct backup_facts *facts = backup_session_facts(run->session);
    if (check_facts(facts, err) < 0 ||
        backup_source_open(run->settings, facts, &run->pgdata, err) < 0 ||
        archive_open(run->settings, ARCHIVE_WRITE, &run->archive, err) < 0)
        return -1;
    note_facts(run, facts);
    if (backup_sender_new(run->archive, &run->report->notices, &run->sender, err) < 0)
        return -1;
    backup_leftovers_report(run->archive, run->sender, &run->owner, &run->report->notices);
    return start_workers(run, facts, err);
}

static struct walk_options
walk_options(const struct run *run)
{
    return (struct walk_options){
        .root = run->pgdata.directory,
        .major = backup_session_facts(run->session)->major,
        .catalog_version = run->complete.catalog_version,
        .tablespaces = run->tablespaces,
        .n_tablespaces = run->n_tablespaces,
        .notices = &run->report->notices,
    };
}

/* ---- the backup ---- */

/* For people who will read WAL later. A backup is as good without. */
static void
store_names(struct run *run)
{
    const struct names_request request = {
        .archive = run->archive,
        .sender = run->sender,
        .notices = &run->report->notices,
        .conninfo = run->settings->conninfo,
        .label = run->complete.label,
    };
    struct names_result result;
    struct err why = ERR_INIT;

    if (names_store(&request, &result, &why) < 0)
        notice_err(request.notices, LOG_WARNING, &why,
                   "the names of databases and relations were not stored");
}

static int
begin(struct run *run, struct err *err)
{
    struct walk_options options = walk_options(run);
    struct walk_entry first;
    struct backup_claim claim = {
        .owner = &run->owner,
        .workers = pipeline_workers(run->pipeline),
        .sender = run->sender,
        .walk = &options,
        .block_size = run->complete.block_size,
    };

    if (backup_claim_label(&claim, run->complete.label, &run->complete.start_time, &run->record,
                           err) < 0)
        return -1;
    run->n_parts = 1;
    store_names(run);
    if (backup_session_start(run->session, run->complete.label, run->options->fast,
                             &run->complete.start_lsn, err) < 0)
        return -1;
    backup_workers_set_start(pipeline_workers(run->pipeline), run->complete.start_lsn);
    run->checked_ms = clock_boot_ms();
    backup_report_start(run->report, &run->complete);

    /* Only now: what is newer than the start is made again by replaying WAL. */
    if (backup_source_tablespaces(&run->pgdata, &run->tablespaces, &run->n_tablespaces, err) < 0)
        return -1;
    options = walk_options(run);
    if (backup_report_shows_progress(run->report))
        run->report->total = backup_plan_estimate(&options);
    /* The first entry is in the first part. */
    if (backup_walk_new(&options, &run->plan.walk, err) < 0)
        return -1;
    return backup_walk_next(run->plan.walk, &first, err);
}

/* All files but the last three, through workers and stores. */
static int
transfer(struct run *run, struct err *err)
{
    int rc = 0;

    while (rc != PLAN_END) {
        struct backup_job *job = pipeline_begin(run->pipeline);

        if (job == NULL) {
            if (step(run, err) < 0 || check_server(run, err) < 0)
                return -1;
            continue;
        }
        rc = backup_plan_fill(&run->plan, &job->part, err);
        if (rc < 0 || (rc == PLAN_END && job->part.n_items == 0)) {
            backup_job_done(job);
            return rc < 0 ? -1 : drain(run, true, err);
        }
        if (run->n_parts >= BACKUP_NUMBER_MAX - 1) {
            backup_job_done(job);
            return err_set(err, ERR_LOCAL, "the data directory is too large for a backup");
        }
        submit(run, job);
        if (check_server(run, err) < 0)
            return -1;
    }
    return drain(run, true, err);
}

/* What the server says of the backup, held against what we know. */
static int
note_stop(struct run *run, const struct backup_stop *stop, struct err *err)
{
    struct backup_complete *complete = &run->complete;
    struct backup_label label;

    if (backup_label_parse(stop->label_text, &label, err) < 0)
        return -1;
    if (label.start_lsn != complete->start_lsn)
        return err_set(err, ERR_INTERNAL, "the server ended another backup than it began");
    if (label.start_timeline != stop->timeline)
        return err_set(err, ERR_TRANSIENT,
                       "the server went from timeline %u to %u during the backup",
                       label.start_timeline, stop->timeline);
    complete->checkpoint_lsn = label.checkpoint_lsn;
    complete->start_timeline = label.start_timeline;
    complete->stop_timeline = stop->timeline;
    complete->stop_lsn = stop->lsn;
    complete->stop_time = MAX_OF(clock_real_us() / 1000000, complete->start_time);
    wal_name_of_lsn(label.start_timeline, complete->start_lsn, complete->segment_size,
                    &complete->first_wal);
    wal_name_of_lsn(stop->timeline, stop->lsn - 1, complete->segment_size, &complete->last_wal);
    return 0;
}

/* Everything that was read as a tablespace must be in the server's map, or it could not be found.
 */
static int
check_tablespaces(const struct run *run, struct err *err)
{
    for (size_t i = 0; i < run->n_tablespaces; i++) {
        bool found = false;

        for (size_t k = 0; k < run->complete.n_tablespaces && !found; k++)
            found = run->complete.tablespaces[k].oid == run->tablespaces[i];
        if (!found)
            return err_set(err, ERR_TRANSIENT,
                           "tablespace %u was created in the moment the backup began; try again",
                           run->tablespaces[i]);
    }
    return 0;
}

static int
note_tablespaces(struct run *run, const char *map, struct err *err)
{
    struct backup_complete *complete = &run->complete;
    struct tablespace_line line;
    const char *at = map;
    int rc = 0;

    complete->tablespaces = calloc(BACKUP_TABLESPACES_MAX, sizeof(*complete->tablespaces));
    if (complete->tablespaces == NULL)
        return err_memory(err, "tablespaces");
    while (map != NULL && (rc = tablespace_map_next(&at, &line, err)) == 0) {
        struct backup_tablespace *tablespace = &complete->tablespaces[complete->n_tablespaces];

        if (complete->n_tablespaces == BACKUP_TABLESPACES_MAX)
            return err_set(err, ERR_LOCAL, "more than %d tablespaces", BACKUP_TABLESPACES_MAX);
        tablespace->path = strdup(line.path);
        if (tablespace->path == NULL)
            return err_memory(err, "tablespaces");
        tablespace->oid = line.oid;
        complete->n_tablespaces++;
    }
    return rc < 0 ? -1 : check_tablespaces(run, err);
}

static int
add_text(struct part *part, const char *path, const char *text, struct err *err)
{
    uint8_t *copy = (uint8_t *)strdup(text);

    if (copy == NULL)
        return err_memory(err, path);
    return part_add_bytes(part, path, copy, strlen(text), err);
}

/* backup_label, tablespace_map, pg_control, and the end of the archive. */
static int
last_part(struct run *run, uint8_t *control, size_t control_size, struct err *err)
{
    struct backup_job *job = pipeline_begin(run->pipeline);
    AUTO(ptr) uint8_t *owned = control;

    if (job == NULL)
        return err_set(err, ERR_INTERNAL, "no room for the last part");
    int rc = add_text(&job->part, "backup_label", run->complete.backup_label_text, err);
    if (rc == 0 && run->complete.tablespace_map_text != NULL)
        rc = add_text(&job->part, "tablespace_map", run->complete.tablespace_map_text, err);
    if (rc == 0)
        rc = part_add_bytes(&job->part, "global/pg_control", TAKE_PTR(owned), control_size, err);
    if (rc == 0)
        rc = part_add_end(&job->part, err);
    if (rc < 0) {
        backup_job_done(job);
        return -1;
    }
    submit(run, job);
    return drain(run, false, err);
}

/*
 * The control file is read when every other file has been, and before the backup is ended: a
 * standby's says up to where WAL must be replayed, and the stop position is not before that.
 */
static int
end(struct run *run, struct err *err)
{
    AUTO(backup_stop) struct backup_stop stop = BACKUP_STOP_INIT;
    AUTO(ptr) uint8_t *control = NULL;
    size_t control_size = 0;

    if (backup_source_control(&run->pgdata, &control, &control_size, err) < 0 ||
        backup_session_stop(run->session, &stop, err) < 0 || note_stop(run, &stop, err) < 0)
        return -1;
    run->complete.backup_label_text = TAKE_PTR(stop.label_text);
    run->complete.tablespace_map_text = TAKE_PTR(stop.tablespace_map_text);
    backup_session_close(TAKE_PTR(run->session));
    if (note_tablespaces(run, run->complete.tablespace_map_text, err) < 0 ||
        last_part(run, TAKE_PTR(control), control_size, err) < 0 ||
        backup_record_end(run->record, err) < 0 || send_texts(run, err) < 0)
        return -1;
    return drain(run, false, err);
}

static int
await_wal(struct run *run, struct err *err)
{
    const struct backup_complete *complete = &run->complete;
    struct await_wal wanted = {
        .system_id = complete->system_id,
        .timeline = complete->stop_timeline,
        .segment_size = complete->segment_size,
        .first = wal_name_segment_number(&complete->first_wal, complete->segment_size),
        .last = wal_name_segment_number(&complete->last_wal, complete->segment_size),
        .standby = complete->from_standby,
    };

    return backup_await_wal(run->archive, &wanted, run->report, err);
}

/* From here on the backup exists. */
static int
put_complete(struct run *run, struct err *err)
{
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
    char name[OBJECT_NAME_SIZE];

    backup_name_of(&run->owner, run->complete.label, BACKUP_COMPLETE, 0, name);
    if (backup_record_complete(run->record, &run->complete, err) < 0 ||
        backup_complete_write(&run->complete, &text, err) < 0)
        return -1;
    const struct text_object object = {
        name, run->complete.system_id, {text.data, text.size}, false};
    return text_object_put(run->archive, run->sender, &object, err);
}

int
backup_run(const struct backup_options *options, struct backup_report *report, struct err *err)
{
    AUTO(run)
    struct run run = {
        .options = options,
        .report = report,
        .pgdata = PGDATA_INIT,
        .complete = BACKUP_COMPLETE_INIT,
    };

    if (prepare(&run, err) < 0 || begin(&run, err) < 0 || transfer(&run, err) < 0 ||
        end(&run, err) < 0 || await_wal(&run, err) < 0 || put_complete(&run, err) < 0 ||
        backup_report_complete(report, &run.complete, err) < 0)
        return -1;
    return run.complete.damage_count > 0 ? BACKUP_DAMAGED : 0;
}
