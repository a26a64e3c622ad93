/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_record.h"

#include <stdio.h>
#include <string.h>

#include "catalog/backup_manifest.h"
#include "wal/crc32c.h"

#define FIRST_CAPACITY 16

struct backup_record {
    char label[BACKUP_LABEL_SIZE];
    struct buf text;
    struct buf full; /* the text before, to be taken */
    struct manifest_entry entry;
    /* The runs of the file whose pieces are being recorded. */
    struct manifest_run *runs;
    size_t n_runs;
    size_t runs_capacity;
    struct digest parts;
    uint8_t (*manifests)[DIGEST_SIZE];
    size_t manifests_capacity;
    uint32_t n_manifests;
    uint32_t n_parts;
    uint64_t n_files;
    uint64_t n_dirs;
    uint64_t n_bytes;
    uint64_t stored_bytes;
    struct backup_damage *damage;
    size_t n_damage;
    uint64_t damage_count;
};

/* ---- lines ---- */

/* 0, RECORD_TEXT or -1. */
static int
write_line(struct backup_record *record, struct err *err)
{
    int rc = manifest_write(&record->text, &record->entry, err);

    if (rc != BUF_FULL)
        return rc;
    if (record->full.data != NULL)
        return err_set(err, ERR_INTERNAL, "the manifest of one part takes too many objects");
    record->full = record->text;
    record->text = BUF_INIT(MANIFEST_OBJECT_MAX);
    rc = manifest_write(&record->text, &record->entry, err);
    if (rc == BUF_FULL)
        rc = err_set(err, ERR_INTERNAL, "a line of the manifest is too long");
    return rc < 0 ? -1 : RECORD_TEXT;
}

static void
set_path(struct manifest_entry *entry, const struct part_item *item)
{
    if (item->directory == NULL)
        (void)snprintf(entry->path, sizeof(entry->path), "%s", item->name);
    else
        walk_path(item->directory, item->name, entry->path);
}

static int
add_run(struct backup_record *record, const struct part_item *item, struct err *err)
{
    if (item->length == 0)
        return 0;
    if (record->n_runs == MANIFEST_RUNS_MAX)
        return err_set(err, ERR_LOCAL, "a file is too large for the backup");
    if (record->n_runs == record->runs_capacity) {
        size_t capacity = MAX_OF(record->runs_capacity * 2, (size_t)FIRST_CAPACITY);
        struct manifest_run *runs = reallocarray(record->runs, capacity, sizeof(*runs));

        if (runs == NULL)
            return err_memory(err, "manifest");
        record->runs = runs;
        record->runs_capacity = capacity;
    }
    struct manifest_run *run = &record->runs[record->n_runs++];
    *run = (struct manifest_run){.file_offset = item->offset,
                                 .length = item->length,
                                 .part = record->n_parts,
                                 .part_offset = item->part_offset};
    memcpy(run->label, record->label, sizeof(run->label));
    return 0;
}

static int
record_directory(struct backup_record *record, const struct part_item *item, struct err *err)
{
    record->entry.type = MANIFEST_DIR;
    record->entry.mode = item->st.st_mode & 07777;
    record->entry.runs = NULL;
    record->entry.n_runs = 0;
    set_path(&record->entry, item);
    record->n_dirs++;
    return write_line(record, err);
}

/* The content, or the next piece of it; the line follows with the last one. */
static int
record_file(struct backup_record *record, const struct part_item *item, struct err *err)
{
    struct manifest_entry *entry = &record->entry;
    uint64_t size = (uint64_t)item->st.st_size;

    if (item->offset == 0) {
        record->n_runs = 0;
        entry->crc32c = 0;
    }
    if (add_run(record, item, err) < 0)
        return -1;
    entry->crc32c = crc32c_combine(entry->crc32c, item->crc32c, item->length);
    if (item->offset + item->length < size)
        return 0;
    entry->type = MANIFEST_FILE;
    entry->mode = item->st.st_mode & 07777;
    entry->mtime = item->st.st_mtim.tv_sec;
    entry->size = size;
    entry->runs = record->runs;
    entry->n_runs = record->n_runs;
    set_path(entry, item);
    record->n_files++;
    record->n_bytes += size;
    return write_line(record, err);
}

/* ---- parts ---- */

static int
keep_damage(struct backup_record *record, const struct part *part, struct err *err)
{
    record->damage_count += part->damage_count;
    if (part->n_damage == 0)
        return 0;
    if (record->damage == NULL) {
        record->damage = calloc(BACKUP_DAMAGE_MAX, sizeof(*record->damage));
        if (record->damage == NULL)
            return err_memory(err, "damaged pages");
    }
    for (size_t i = 0; i < part->n_damage && record->n_damage < BACKUP_DAMAGE_MAX; i++) {
        struct backup_damage *damage = &record->damage[record->n_damage];

        damage->path = strdup(part->damage[i].path);
        if (damage->path == NULL)
            return err_memory(err, "damaged pages");
        damage->block = part->damage[i].block;
        record->n_damage++;
    }
    return 0;
}

static int
record_item(struct backup_record *record, const struct part_item *item, struct err *err)
{
    if (item->kind == PART_END || item->gone)
        return 0;
    return item->kind == PART_DIRECTORY ? record_directory(record, item, err)
                                        : record_file(record, item, err);
}

int
backup_record_part(struct backup_record *record, const struct backup_job *job, struct err *err)
{
    int outcome = 0;

    record->n_parts++;
    record->stored_bytes += job->spans[0].size + job->spans[1].size;
    if (digest_add(&record->parts, object_packer_digest(job->packer), DIGEST_SIZE, err) < 0 ||
        keep_damage(record, &job->part, err) < 0)
        return -1;
    for (size_t i = 0; i < job->part.n_items; i++) {
        int rc = record_item(record, &job->part.items[i], err);

        if (rc < 0)
            return -1;
        outcome = rc > 0 ? rc : outcome;
    }
    return outcome;
}

int
backup_record_end(struct backup_record *record, struct err *err)
{
    record->entry.type = MANIFEST_END;
    record->entry.n_files = record->n_files;
    record->entry.n_dirs = record->n_dirs;
    record->entry.n_bytes = record->n_bytes;
    return write_line(record, err) < 0 ? -1 : RECORD_TEXT;
}

bool
backup_record_take_text(struct backup_record *record, struct buf *ret_text)
{
    struct buf *from = record->full.data != NULL ? &record->full : &record->text;

    if (from->size == 0)
        return false;
    *ret_text = *from;
    *from = BUF_INIT(MANIFEST_OBJECT_MAX);
    return true;
}

/* ---- manifests and sums ---- */

int
backup_record_manifest(struct backup_record *record, const struct backup_job *job, struct err *err)
{
    if (record->n_manifests == BACKUP_MANIFESTS_MAX)
        return err_set(err, ERR_LOCAL, "the data directory has too many files for a backup");
    if (record->n_manifests == record->manifests_capacity) {
        size_t capacity = MAX_OF(record->manifests_capacity * 2, (size_t)FIRST_CAPACITY);
        void *grown = reallocarray(record->manifests, capacity, sizeof(*record->manifests));

        if (grown == NULL)
            return err_memory(err, "manifest");
        record->manifests = grown;
        record->manifests_capacity = capacity;
    }
    memcpy(record->manifests[record->n_manifests++], object_packer_digest(job->packer),
           DIGEST_SIZE);
    record->stored_bytes += job->spans[0].size + job->spans[1].size;
    return 0;
}

int
backup_record_complete(struct backup_record *record, struct backup_complete *complete,
                       struct err *err)
{
    if (digest_end(&record->parts, complete->parts_digest, err) < 0)
        return -1;
    complete->n_parts = record->n_parts;
    complete->n_manifests = record->n_manifests;
    complete->n_files = record->n_files;
    complete->n_bytes = record->n_bytes;
    complete->stored_bytes = record->stored_bytes;
    complete->manifest_digests = TAKE_PTR(record->manifests);
    complete->damage = TAKE_PTR(record->damage);
    complete->n_damage = record->n_damage;
    complete->damage_count = record->damage_count;
    record->n_damage = 0;
    return 0;
}

uint64_t
backup_record_bytes(const struct backup_record *record)
{
    return record->n_bytes;
}

uint64_t
backup_record_damage(const struct backup_record *record)
{
    return record->damage_count;
}

/* ---- life ---- */

int
backup_record_new(const char *label, uint64_t system_id, uint32_t block_size,
                  struct backup_record **ret_record, struct err *err)
{
    AUTO(backup_record) struct backup_record *record = calloc(1, sizeof(*record));

    if (record == NULL)
        return err_memory(err, "manifest");
    record->text = BUF_INIT(MANIFEST_OBJECT_MAX);
    record->full = BUF_INIT(MANIFEST_OBJECT_MAX);
    record->entry.type = MANIFEST_HEAD;
    record->entry.system_id = system_id;
    record->entry.block_size = block_size;
    (void)snprintf(record->label, sizeof(record->label), "%s", label);
    (void)snprintf(record->entry.label, sizeof(record->entry.label), "%s", label);
    if (digest_begin(&record->parts, err) < 0 || write_line(record, err) < 0)
        return -1;
    *ret_record = TAKE_PTR(record);
    return 0;
}

void
backup_record_free(struct backup_record *record)
{
    if (record == NULL)
        return;
    buf_done(&record->text);
    buf_done(&record->full);
    free(record->runs);
    digest_done(&record->parts);
    free(record->manifests);
    for (size_t i = 0; i < record->n_damage; i++)
        free(record->damage[i].path);
    free(record->damage);
    free(record);
}
