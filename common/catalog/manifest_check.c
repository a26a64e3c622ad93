/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/manifest_check.h"

#include <string.h>

bool
manifest_block_size_valid(uint64_t size)
{
    return size >= KIB && size <= 32 * KIB && (size & (size - 1)) == 0;
}

bool
manifest_path_valid(const char *path, size_t length)
{
    size_t start = 0;

    if (length == 0 || length >= MANIFEST_PATH_MAX || memchr(path, '\0', length) != NULL)
        return false;
    /* The end of the path ends its last component. */
    for (size_t at = 0; at <= length; at++) {
        if (at < length && path[at] != '/')
            continue;
        size_t size = at - start;
        if (size == 0 || (size == 1 && path[start] == '.') ||
            (size == 2 && path[start] == '.' && path[start + 1] == '.'))
            return false;
        start = at + 1;
    }
    return true;
}

static int
check_path(const struct manifest_entry *entry, struct err *err)
{
    size_t length = strnlen(entry->path, sizeof(entry->path));
    char quoted[256];

    if (!manifest_path_valid(entry->path, length))
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a path below the data directory",
                       err_quote(entry->path, length, quoted, sizeof(quoted)));
    if (entry->mode > MANIFEST_MODE_MAX)
        return err_set(err, ERR_CORRUPT, "\"mode\" is %u, which is more than permission bits",
                       entry->mode);
    return 0;
}

static bool
label_valid(const char *label)
{
    return backup_label_valid(label, strnlen(label, BACKUP_LABEL_SIZE));
}

/* A run on its own: bytes that a part can have. */
static bool
run_possible(const struct manifest_run *run)
{
    return run->length > 0 && run->length <= MANIFEST_PART_MAX &&
           run->part_offset <= MANIFEST_PART_MAX - run->length && run->part >= 1 &&
           run->part <= BACKUP_NUMBER_MAX && label_valid(run->label);
}

static int
check_runs(const struct manifest_entry *entry, struct err *err)
{
    uint64_t covered = 0;

    if (entry->size > MANIFEST_NUMBER_MAX)
        return err_set(err, ERR_CORRUPT, "\"size\" is implausible");
    if (entry->n_runs > MANIFEST_RUNS_MAX)
        return err_set(err, ERR_CORRUPT, "more than %d runs", MANIFEST_RUNS_MAX);
    for (size_t i = 0; i < entry->n_runs; i++) {
        const struct manifest_run *run = &entry->runs[i];

        if (!run_possible(run))
            return err_set(err, ERR_CORRUPT, "run %zu names bytes that no part has", i + 1);
        if (run->file_offset != covered)
            return err_set(err, ERR_CORRUPT,
                           "run %zu begins at byte %llu of the file, not where the one before it "
                           "ends, at %llu",
                           i + 1, (unsigned long long)run->file_offset,
                           (unsigned long long)covered);
        if (run->length > entry->size - covered)
            return err_set(err, ERR_CORRUPT, "run %zu ends behind the file", i + 1);
        covered += run->length;
    }
    if (covered != entry->size)
        return err_set(err, ERR_CORRUPT, "the runs cover %llu of the file's %llu bytes",
                       (unsigned long long)covered, (unsigned long long)entry->size);
    return 0;
}

static int
check_head(const struct manifest_entry *entry, struct err *err)
{
    if (!label_valid(entry->label))
        return err_set(err, ERR_CORRUPT, "\"label\" is not that of a backup");
    if (!manifest_block_size_valid(entry->block_size))
        return err_set(err, ERR_CORRUPT, "\"block_size\" cannot be %u", entry->block_size);
    return 0;
}

int
manifest_check_entry(const struct manifest_entry *entry, struct err *err)
{
    switch (entry->type) {
    case MANIFEST_HEAD:
        return check_head(entry, err);
    case MANIFEST_DIR:
        return check_path(entry, err);
    case MANIFEST_FILE:
        return check_path(entry, err) < 0 ? -1 : check_runs(entry, err);
    case MANIFEST_END:
        if (MAX_OF(MAX_OF(entry->n_files, entry->n_dirs), entry->n_bytes) > MANIFEST_NUMBER_MAX)
            return err_set(err, ERR_CORRUPT, "implausible counts");
        return 0;
    }
    return err_set(err, ERR_CORRUPT, "unknown type of line");
}
