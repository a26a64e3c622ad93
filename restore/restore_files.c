/* SPDX-License-Identifier: PostgreSQL */
#include "restore/restore_files.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "catalog/retrieval.h"

static const char *const held_paths[RESTORE_HELD] = {
    [RESTORE_CONTROL] = "global/pg_control",
    [RESTORE_LABEL] = "backup_label",
    [RESTORE_MAP] = "tablespace_map",
    [RESTORE_AUTO] = "postgresql.auto.conf",
};

const char *
restore_files_held_path(enum restore_held which)
{
    return held_paths[which];
}

/* A server that finds one of these does not do what the recovery settings say. */
static bool
is_left_out(const char *path)
{
    return strcmp(path, "standby.signal") == 0 || strcmp(path, "recovery.signal") == 0 ||
           strcmp(path, "backup_manifest") == 0;
}

static int
check_head(const struct restore_files *files, const struct manifest_entry *entry, struct err *err)
{
    const struct backup_complete *complete = files->complete;

    if (strcmp(entry->label, complete->label) != 0 || entry->system_id != complete->system_id ||
        entry->block_size != complete->block_size)
        return err_set(err, ERR_CORRUPT, "the manifest is not that of backup %s", complete->label);
    return 0;
}

static int
hand_over(struct restore_files *files, struct err *err)
{
    return files->job.n_runs == 0 ? 0 : restore_parts_add(files->parts, &files->job, err);
}

/* Put the file's runs into jobs: one for each part, as they come. */
static int
add_runs(struct restore_files *files, const struct manifest_entry *entry,
         struct restored_file *file, struct err *err)
{
    for (size_t i = 0; i < entry->n_runs; i++) {
        const struct manifest_run *run = &entry->runs[i];
        struct restore_job *job = &files->job;
        bool other = job->part != run->part || strcmp(job->label, run->label) != 0;

        if ((other || job->n_runs >= RESTORE_RUNS_MAX) && hand_over(files, err) < 0)
            return -1;
        job->part = run->part;
        memcpy(job->label, run->label, sizeof(job->label));
        const struct restore_run wanted = {
            .file = file,
            .piece = i,
            .file_offset = run->file_offset,
            .length = run->length,
            .part_offset = run->part_offset,
        };
        if (restore_job_add(files->parts, job, &wanted, err) < 0)
            return -1;
    }
    return 0;
}

/* An empty file is complete at once; the others are opened again by whoever has their bytes. */
static int
make_file(struct restore_files *files, const struct restored_file *file, struct err *err)
{
    AUTO(fd) int fd = -1;

    if (restore_place_create(&files->place, file->path, &fd, err) < 0)
        return -1;
    if (file->n_pieces == 0 && restored_file_finish(file, fd, err) < 0)
        return -1;
    if (close(take_fd(&fd)) < 0)
        return err_sys(err, errno, "could not close \"%s\"", file->path);
    return 0;
}

static int
held_index(const char *path)
{
    for (int i = 0; i < RESTORE_HELD; i++)
        if (strcmp(path, held_paths[i]) == 0)
            return i;
    return -1;
}

static int
take_held(struct restore_files *files, const struct manifest_entry *entry, int which,
          struct err *err)
{
    struct restored_file *file = NULL;

    if (files->held[which] != NULL)
        return err_set(err, ERR_CORRUPT, "the manifest names \"%s\", which is there already",
                       entry->path);
    if (entry->size > RESTORE_HELD_MAX)
        return err_set(err, ERR_CORRUPT, "\"%s\" has %" PRIu64 " bytes", entry->path, entry->size);
    file = restored_file_new(entry, true);
    if (file == NULL)
        return err_memory(err, entry->path);
    files->held[which] = file;
    if (file->n_pieces == 0 && restored_file_finish(file, -1, err) < 0)
        return -1;
    return add_runs(files, entry, file, err);
}

/* No file of a server has special permission bits. */
static int
bad_mode(const struct manifest_entry *entry, struct err *err)
{
    char quoted[256];

    return err_set(err, ERR_CORRUPT, "the manifest gives \"%s\" the permissions %o",
                   err_quote(entry->path, strlen(entry->path), quoted, sizeof(quoted)),
                   (unsigned)entry->mode);
}

static int
take_file(struct restore_files *files, const struct manifest_entry *entry, struct err *err)
{
    int which = held_index(entry->path);

    files->n_files++;
    files->n_bytes += entry->size;
    if (entry->mode > 0777)
        return bad_mode(entry, err);
    if (is_left_out(entry->path))
        return 0;
    if (which >= 0)
        return take_held(files, entry, which, err);
    if (strcmp(entry->path, "postgresql.conf") == 0)
        files->has_postgresql_conf = true;

    struct restored_file *file = restored_file_new(entry, false);
    if (file == NULL)
        return err_memory(err, entry->path);
    int rc = make_file(files, file, err);
    /* Behind the file's creation, so that a hostile path never gets into a manifest of ours. */
    if (rc == 0)
        rc = pg_manifest_add(files->pg_manifest, entry->path, entry->size, entry->mtime,
                             entry->crc32c, err);
    if (rc == 0)
        rc = add_runs(files, entry, file, err);
    restore_parts_release(files->parts, file);
    return rc;
}

static int
check_end(const struct restore_files *files, const struct manifest_entry *entry, struct err *err)
{
    if (files->n_files != entry->n_files || files->n_bytes != entry->n_bytes ||
        files->n_files != files->complete->n_files || files->n_bytes != files->complete->n_bytes)
        return err_set(err, ERR_CORRUPT,
                       "the manifest lists %" PRIu64 " files and %" PRIu64
                       " bytes, the backup has %" PRIu64 " and %" PRIu64,
                       files->n_files, files->n_bytes, files->complete->n_files,
                       files->complete->n_bytes);
    return 0;
}

/* A directory where tablespaces elsewhere have a link. */
static bool
is_tablespace_in_place(const struct restore_files *files, const char *path)
{
    static const char prefix[] = "pg_tblspc/";
    const char *name = path + sizeof(prefix) - 1;
    uint64_t oid = 0;

    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 ||
        !decimal_read(name, strlen(name), UINT32_MAX, &oid))
        return false;
    for (size_t i = 0; i < files->complete->n_tablespaces; i++)
        if (files->complete->tablespaces[i].oid == oid)
            return false;
    return true;
}

static int
take_entry(void *context, const struct manifest_entry *entry, struct err *err)
{
    struct restore_files *files = context;

    switch (entry->type) {
    case MANIFEST_HEAD:
        return check_head(files, entry, err);
    case MANIFEST_DIR:
        if (entry->mode > 0777)
            return bad_mode(entry, err);
        if (is_tablespace_in_place(files, entry->path))
            files->has_tablespace_in_place = true;
        return restore_place_directory(&files->place, entry->path, (mode_t)entry->mode, err);
    case MANIFEST_FILE:
        return take_file(files, entry, err);
    case MANIFEST_END:
        return check_end(files, entry, err);
    }
    return 0;
}

static int
take_manifest(struct restore_files *files, uint32_t number, struct manifest_reader *reader,
              struct err *err)
{
    char name[OBJECT_NAME_SIZE];
    uint8_t digest[DIGEST_SIZE];
    AUTO(buf) struct buf text = BUF_INIT(MANIFEST_OBJECT_MAX);
    const struct retrieval_request request = {
        .name = name,
        .system_id = files->owner->system_id,
        .max_file_size = MANIFEST_OBJECT_MAX,
        .deadline_ms = clock_boot_ms() + files->patience_ms,
    };

    backup_name_of(files->owner, files->complete->label, BACKUP_MANIFEST, number, name);
    int rc = retrieve_file(files->archive, &request, files->notices, &text, err);
    if (rc == RETRIEVAL_ABSENT)
        return err_set(err, ERR_CONFLICT, "no store has \"%s\"", name);
    if (rc < 0)
        return -1;
    const struct span span = {text.data, text.size};
    if (digest_sha256(&span, 1, digest, err) < 0)
        return -1;
    if (!digest_equal(digest, files->complete->manifest_digests[number - 1]))
        return err_set(err, ERR_CORRUPT, "\"%s\" is not the one that the backup was completed with",
                       name);
    if (manifest_reader_feed(reader, text.data, text.size, take_entry, files, err) < 0) {
        if (err->kind == ERR_CORRUPT || err->kind == ERR_CONFIG)
            return err_wrap(err, "backup %s", files->complete->label);
        return -1;
    }
    return 0;
}

/* All parts are wanted for their digests, those without a file of the manifest too. */
static int
prove_parts(struct restore_files *files, struct err *err)
{
    uint32_t part = restore_proof_next(files->proof, 1);

    for (; part != 0; part = restore_proof_next(files->proof, part + 1)) {
        struct restore_job job = {.part = part};

        memcpy(job.label, files->complete->label, sizeof(job.label));
        if (restore_parts_add(files->parts, &job, err) < 0)
            return -1;
    }
    if (restore_parts_wait(files->parts, err) < 0)
        return -1;
    return restore_proof_check(files->proof, err);
}

int
restore_files_run(struct restore_files *files, struct err *err)
{
    AUTO(manifest_reader) struct manifest_reader *reader = NULL;

    if (manifest_reader_new(&reader, err) < 0)
        return -1;
    for (uint32_t i = 1; i <= files->complete->n_manifests; i++)
        if (take_manifest(files, i, reader, err) < 0)
            return -1;
    if (manifest_reader_finish(reader, err) < 0 || hand_over(files, err) < 0 ||
        restore_parts_wait(files->parts, err) < 0 || prove_parts(files, err) < 0)
        return -1;
    if (files->held[RESTORE_CONTROL] == NULL || files->held[RESTORE_LABEL] == NULL)
        return err_set(err, ERR_CORRUPT, "backup %s has no \"%s\"", files->complete->label,
                       held_paths[files->held[RESTORE_CONTROL] == NULL ? RESTORE_CONTROL
                                                                       : RESTORE_LABEL]);
    return 0;
}

void
restore_files_done(struct restore_files *files)
{
    restore_place_done(&files->place);
    if (files->parts == NULL)
        return;
    restore_parts_clear(files->parts, &files->job);
    for (size_t i = 0; i < RESTORE_HELD; i++) {
        restore_parts_release(files->parts, files->held[i]);
        files->held[i] = NULL;
    }
}
