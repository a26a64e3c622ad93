/* SPDX-License-Identifier: PostgreSQL */
#include "restore/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "restore/restore_files.h"
#include "restore/vacancy.h"
#include "wal/crc32c.h"

#define MAP_MAX ((size_t)32 << 20)

static const char marker_text[] =
    "This directory is being restored, or its restore was interrupted. No server can start in it:\n"
    "global/pg_control comes last. If seawall restore is no longer running, remove the directory\n"
    "and the directories of its tablespaces, then restore again.\n";

/* What a restore has in its hands. The order is that of release, from the last to the first. */
struct restore {
    struct archive *archive;
    const struct restore_request *request;
    struct notices *notices;
    struct object_owner owner;
    struct restore_tree tree;
    struct buf settings; /* for postgresql.auto.conf */
    struct pg_manifest pg_manifest;
    struct restore_proof proof;
    struct restore_parts *parts;
    struct restore_files files;
    int manifest_fd;
};

/* ---- before anything is written ---- */

int
restore_mapping_parse(const char *text, struct restore_mapping *ret, struct err *err)
{
    uint64_t oid = 0;
    const char *equals = strchr(text, '=');

    if (equals == NULL || !decimal_read(text, (size_t)(equals - text), UINT32_MAX, &oid) ||
        oid == 0 || equals[1] == '\0') {
        (void)err_set(err, ERR_CONFIG, "--tablespace is not OID=DIR");
        return err_hint(err, "\"seawall plan\" and the backup's listing name the tablespaces.");
    }
    *ret = (struct restore_mapping){(uint32_t)oid, equals + 1};
    return 0;
}

static const struct restore_mapping *
find_mapping(const struct restore_request *request, uint32_t oid)
{
    for (size_t i = 0; i < request->n_mappings; i++)
        if (request->mappings[i].oid == oid)
            return &request->mappings[i];
    return NULL;
}

static bool
has_tablespace(const struct backup_complete *complete, uint32_t oid)
{
    for (size_t i = 0; i < complete->n_tablespaces; i++)
        if (complete->tablespaces[i].oid == oid)
            return true;
    return false;
}

/* Every tablespace where the mappings say, else where it was. */
static int
place_tablespaces(struct restore *restore, struct err *err)
{
    const struct restore_request *request = restore->request;
    const struct backup_complete *complete = request->complete;

    for (size_t i = 0; i < request->n_mappings; i++) {
        uint32_t oid = request->mappings[i].oid;

        if (!has_tablespace(complete, oid))
            return err_set(err, ERR_CONFIG, "backup %s has no tablespace %" PRIu32, complete->label,
                           oid);
        if (find_mapping(request, oid) != &request->mappings[i])
            return err_set(err, ERR_CONFIG, "--tablespace maps %" PRIu32 " twice", oid);
    }
    for (size_t i = 0; i < complete->n_tablespaces; i++) {
        const struct backup_tablespace *space = &complete->tablespaces[i];
        const struct restore_mapping *mapping = find_mapping(request, space->oid);

        if (restore_tree_add_space(&restore->tree, space->oid,
                                   mapping != NULL ? mapping->path : space->path, err) < 0)
            return -1;
    }
    return 0;
}

/* Only a warning: compressing file systems hold more than they say. */
static void
warn_of_space(const struct restore *restore)
{
    const struct backup_complete *complete = restore->request->complete;
    struct statvfs at;

    if (restore->tree.n_spaces > 0 || fstatvfs(restore->tree.fd, &at) < 0)
        return;
    uint64_t available = (uint64_t)at.f_bavail * at.f_frsize;
    if (available < complete->n_bytes)
        notice(restore->notices, LOG_WARNING,
               "the backup has %" PRIu64 " bytes, and \"%s\" has room for %" PRIu64,
               complete->n_bytes, restore->tree.path, available);
}

static int
prepare(struct restore *restore, struct err *err)
{
    const struct restore_request *request = restore->request;
    const struct restore_settings settings = {
        .target = &request->plan->target,
        .action = request->action,
        .timeline = request->plan->timeline,
        .server_version = request->complete->server_version,
        .gap_behind = request->plan->gap_behind,
        .fetch_program = request->fetch_program,
        .config_file = restore->archive->settings->file,
    };

    if (restore_settings_text(&settings, &restore->settings, err) < 0 ||
        place_tablespaces(restore, err) < 0 ||
        restore_tree_open(&restore->tree, request->directory, err) < 0)
        return -1;
    warn_of_space(restore);
    return 0;
}

/* ---- writing ---- */

static struct span
text_span(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static int
begin(struct restore *restore, struct err *err)
{
    const struct backup_complete *complete = restore->request->complete;
    struct restore_place *place = &restore->files.place;
    const struct restore_parts_setup setup = {
        .archive = restore->archive,
        .owner = &restore->owner,
        .tree = &restore->tree,
        .proof = &restore->proof,
        .watch = restore->request->watch,
        .notices = restore->notices,
        .patience_ms = restore->request->patience_ms,
    };

    *place = RESTORE_PLACE_INIT(&restore->tree);
    if (restore_place_write(place, VACANCY_MARKER, text_span(marker_text), 0600, err) < 0 ||
        fs_sync_directory(restore->tree.fd, restore->tree.path, err) < 0 ||
        restore_place_create(place, "backup_manifest", &restore->manifest_fd, err) < 0 ||
        pg_manifest_begin(&restore->pg_manifest, restore->manifest_fd, complete->server_version,
                          complete->system_id, err) < 0)
        return -1;
    if (restore_proof_init(&restore->proof, complete, err) < 0 ||
        restore_parts_new(&setup, &restore->parts, err) < 0)
        return -1;
    restore->files.archive = restore->archive;
    restore->files.owner = &restore->owner;
    restore->files.complete = complete;
    restore->files.parts = restore->parts;
    restore->files.proof = &restore->proof;
    restore->files.pg_manifest = &restore->pg_manifest;
    restore->files.notices = restore->notices;
    restore->files.patience_ms = restore->request->patience_ms;
    return 0;
}

/* A file that we write ourselves, and its line in backup_manifest. */
static int
write_own(struct restore *restore, enum restore_held which, struct span content, uint32_t mode,
          struct err *err)
{
    const char *path = restore_files_held_path(which);

    if (restore_place_write(&restore->files.place, path, content, mode & 0777, err) < 0)
        return -1;
    return pg_manifest_add(&restore->pg_manifest, path, content.size, clock_real_us() / 1000000,
                           crc32c(0, content.data, content.size), err);
}

static int
write_label(struct restore *restore, struct err *err)
{
    const struct restored_file *label = restore->files.held[RESTORE_LABEL];
    const char *expected = restore->request->complete->backup_label_text;

    if (strlen(expected) != label->size ||
        memcmp(expected, label->held, (size_t)label->size) != 0)
        return err_set(err, ERR_CORRUPT,
                       "the file backup_label is not the one that backup %s was completed with",
                       restore->request->complete->label);
    return write_own(restore, RESTORE_LABEL, (struct span){label->held, (size_t)label->size},
                     label->mode, err);
}

static int
write_map(struct restore *restore, struct err *err)
{
    const struct restored_file *map = restore->files.held[RESTORE_MAP];
    AUTO(buf) struct buf text = BUF_INIT(MAP_MAX);

    if (restore->tree.n_spaces == 0 && map == NULL)
        return 0;
    if (restore_settings_map(&restore->tree, &text, err) < 0)
        return -1;
    return write_own(restore, RESTORE_MAP, (struct span){text.data, text.size},
                     map == NULL ? 0600 : map->mode, err);
}

/* postgresql.auto.conf as it was, and behind it what this recovery needs. */
static int
write_auto(struct restore *restore, struct err *err)
{
    /* Without it the server ends recovery with a panic: no link, no tablespace. */
    static const char in_place[] = "allow_in_place_tablespaces = 'on'\n";
    const struct restored_file *before = restore->files.held[RESTORE_AUTO];
    AUTO(buf) struct buf text = BUF_INIT(RESTORE_HELD_MAX + MIB);

    if (before != NULL && buf_append(&text, before->held, (size_t)before->size, err) != 0)
        return err_memory(err, "postgresql.auto.conf");
    if (buf_append(&text, restore->settings.data, restore->settings.size, err) != 0)
        return err_memory(err, "postgresql.auto.conf");
    if (restore->files.has_tablespace_in_place &&
        buf_append(&text, in_place, sizeof(in_place) - 1, err) != 0)
        return err_memory(err, "postgresql.auto.conf");
    return write_own(restore, RESTORE_AUTO, (struct span){text.data, text.size},
                     before == NULL ? 0600 : before->mode, err);
}

/* The WAL between start and stop, as stretches of the plan's path, the newest first. */
static int
end_manifest(struct restore *restore, struct err *err)
{
    const struct backup_complete *complete = restore->request->complete;
    const struct plan *plan = restore->request->plan;
    struct pg_manifest_range ranges[PLAN_TIMELINES_MAX];
    size_t n = 0;

    for (size_t i = plan->n_path; i-- > 0;) {
        const struct plan_stretch *stretch = &plan->path[i];
        uint64_t from = MAX_OF(stretch->begin_lsn, complete->start_lsn);
        uint64_t to = MIN_OF(stretch->end_lsn, complete->stop_lsn);

        if (from < to && n < ARRAY_SIZE(ranges))
            ranges[n++] = (struct pg_manifest_range){stretch->timeline, from, to};
    }
    if (n == 0)
        ranges[n++] = (struct pg_manifest_range){complete->start_timeline, complete->start_lsn,
                                                 complete->stop_lsn};
    return pg_manifest_end(&restore->pg_manifest, ranges, n, err);
}

/* The very last: from here on a server can start. */
static int
write_control(struct restore *restore, struct err *err)
{
    const struct restored_file *control = restore->files.held[RESTORE_CONTROL];
    struct restore_place *place = &restore->files.place;
    const struct span content = {control->held, (size_t)control->size};
    const char *path = restore_files_held_path(RESTORE_CONTROL);

    if (restore_place_write(place, path, content, control->mode & 0777, err) < 0 ||
        restore_tree_sync(&restore->tree, err) < 0)
        return -1;
    if (unlinkat(restore->tree.fd, VACANCY_MARKER, 0) < 0)
        return err_sys(err, errno, "could not remove the marker \"%s\"", VACANCY_MARKER);
    return fs_sync_directory(restore->tree.fd, restore->tree.path, err);
}

static int
finish(struct restore *restore, struct err *err)
{
    const struct restored_file *control = restore->files.held[RESTORE_CONTROL];
    struct restore_place *place = &restore->files.place;

    if (restore_place_write(place, "recovery.signal", text_span(""), 0600, err) < 0 ||
        write_label(restore, err) < 0 || write_map(restore, err) < 0 ||
        write_auto(restore, err) < 0 || restore_tree_link_spaces(&restore->tree, err) < 0 ||
        pg_manifest_add(&restore->pg_manifest, control->path, control->size, control->mtime,
                        control->crc32c, err) < 0 ||
        end_manifest(restore, err) < 0)
        return -1;
    if (close(take_fd(&restore->manifest_fd)) < 0)
        return err_sys(err, errno, "could not close \"backup_manifest\"");
    return restore_tree_sync(&restore->tree, err) < 0 ? -1 : write_control(restore, err);
}

static int
carry_out(struct restore *restore, struct err *err)
{
    if (begin(restore, err) < 0 || restore_files_run(&restore->files, err) < 0 ||
        finish(restore, err) < 0) {
        char hint[ERR_HINT_SIZE];

        (void)snprintf(hint, sizeof(hint), "%s", err->hint);
        return err_hint(err,
                        "%s%s\"%s\" is incomplete and cannot be started: remove it%s before the "
                        "next try.",
                        hint, hint[0] == '\0' ? "" : " ", restore->tree.path,
                        restore->tree.n_spaces > 0 ? " and the tablespaces' directories" : "");
    }
    return 0;
}

static void
release(struct restore *restore)
{
    cleanup_fd(&restore->manifest_fd);
    restore_files_done(&restore->files);
    restore_parts_free(restore->parts);
    restore_proof_done(&restore->proof);
    pg_manifest_done(&restore->pg_manifest);
    buf_done(&restore->settings);
    restore_tree_done(&restore->tree);
}

int
restore_run(struct archive *archive, const struct restore_request *request,
            struct notices *notices, struct restore_result *ret_result, struct err *err)
{
    struct restore restore = {
        .archive = archive,
        .request = request,
        .notices = notices,
        .owner = {archive->settings->cluster, request->complete->system_id},
        .tree = RESTORE_TREE_INIT,
        .settings = BUF_INIT(64 * KIB),
        .pg_manifest = PG_MANIFEST_INIT,
        .files.place = RESTORE_PLACE_INIT(NULL),
        .manifest_fd = -1,
    };
    int rc = prepare(&restore, err);

    if (rc == 0)
        rc = carry_out(&restore, err);
    if (rc == 0)
        *ret_result = (struct restore_result){
            .path = TAKE_PTR(restore.tree.path),
            .has_postgresql_conf = restore.files.has_postgresql_conf,
            .n_files = restore.files.n_files,
            .n_bytes = restore.files.n_bytes,
        };
    release(&restore);
    return rc;
}

void
restore_result_done(struct restore_result *result)
{
    free(result->path);
    result->path = NULL;
}
