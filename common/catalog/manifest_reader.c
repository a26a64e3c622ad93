/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/hex.h"
#include "base/json_read.h"
#include "catalog/manifest_check.h"

#define VERSION 1
#define RUN_ELEMENTS 5

static const struct json_read_bounds line_bounds = {.size = MANIFEST_LINE_MAX, .depth = 8};

struct manifest_reader {
    struct buf partial; /* the beginning of a line whose end has not come */
    uint64_t line;      /* number of the line that is read; counts from 1 */
    bool ended;
    char label[BACKUP_LABEL_SIZE]; /* the head's */
    uint64_t n_files;
    uint64_t n_dirs;
    uint64_t n_bytes;
    struct manifest_run *runs;
    size_t runs_capacity;
    struct manifest_entry entry;
};

int
manifest_reader_new(struct manifest_reader **ret_reader, struct err *err)
{
    struct manifest_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        return err_memory(err, "manifest");
    reader->partial = BUF_INIT(MANIFEST_LINE_MAX);
    *ret_reader = reader;
    return 0;
}

void
manifest_reader_free(struct manifest_reader *reader)
{
    if (reader == NULL)
        return;
    buf_done(&reader->partial);
    free(reader->runs);
    free(reader);
}

static int
read_unsigned(const struct json_t *value, const char *what, uint64_t max, uint64_t *ret,
              struct err *err)
{
    int64_t number = 0;

    if (json_read_integer(value, what, 0, (int64_t)max, &number, err) < 0)
        return -1;
    *ret = (uint64_t)number;
    return 0;
}

static int
read_u32(const struct json_t *value, const char *what, uint32_t *ret, struct err *err)
{
    uint64_t number = 0;

    if (read_unsigned(value, what, UINT32_MAX, &number, err) < 0)
        return -1;
    *ret = (uint32_t)number;
    return 0;
}

/* Whether it is a label is manifest_check_entry()'s question. */
static int
read_label(const struct json_t *value, const char *what, char *ret, struct err *err)
{
    const char *text = NULL;

    if (json_read_string(value, what, BACKUP_LABEL_SIZE - 1, BACKUP_LABEL_SIZE - 1, &text, err) < 0)
        return -1;
    memcpy(ret, text, BACKUP_LABEL_SIZE);
    return 0;
}

static int
read_head(struct manifest_entry *entry, const struct json_t *line, struct err *err)
{
    const char *system_id = NULL;
    int64_t version = 0;

    if (json_read_integer(json_read_member(line, "seawall_manifest"), "seawall_manifest", 1,
                          INT64_MAX, &version, err) < 0)
        return -1;
    if (version > VERSION) {
        (void)err_set(err, ERR_CONFIG, "the manifest has version %lld, newer than %d",
                      (long long)version, VERSION);
        return err_hint(err, "Use the version of Seawall that wrote it, or a later one.");
    }
    entry->type = MANIFEST_HEAD;
    if (read_label(json_read_member(line, "label"), "label", entry->label, err) < 0 ||
        json_read_string(json_read_member(line, "system_id"), "system_id", 1, 20, &system_id, err) <
            0 ||
        read_u32(json_read_member(line, "block_size"), "block_size", &entry->block_size, err) < 0)
        return -1;
    if (!decimal_read(system_id, strlen(system_id), UINT64_MAX, &entry->system_id))
        return err_set(err, ERR_CORRUPT, "\"system_id\" is not a number");
    return 0;
}

static int
read_path(struct manifest_entry *entry, const struct json_t *line, struct err *err)
{
    const struct json_t *path = json_read_member(line, "path");
    const struct json_t *path_hex = json_read_member(line, "path_hex");
    const char *text = NULL;
    uint8_t bytes[MANIFEST_PATH_MAX];

    if (path_hex == NULL) {
        if (json_read_string(path, "path", 1, MANIFEST_PATH_MAX - 1, &text, err) < 0)
            return -1;
        memcpy(entry->path, text, strlen(text) + 1);
        return 0;
    }
    if (path != NULL)
        return err_set(err, ERR_CORRUPT, "both \"path\" and \"path_hex\"");
    if (json_read_string(path_hex, "path_hex", 2, 2 * (MANIFEST_PATH_MAX - 1), &text, err) < 0)
        return -1;
    size_t length = strlen(text) / 2;
    if (strlen(text) % 2 != 0 || !hex_read_bytes(text, length, bytes) ||
        memchr(bytes, 0, length) != NULL)
        return err_set(err, ERR_CORRUPT, "\"path_hex\" is not a path in hexadecimal");
    memcpy(entry->path, bytes, length);
    entry->path[length] = '\0';
    return 0;
}

static int
reserve_runs(struct manifest_reader *reader, size_t n, struct err *err)
{
    if (n <= reader->runs_capacity)
        return 0;
    size_t wanted = MAX_OF(n, MIN_OF(reader->runs_capacity * 2, (size_t)MANIFEST_RUNS_MAX));
    struct manifest_run *grown = reallocarray(reader->runs, wanted, sizeof(*grown));
    if (grown == NULL)
        return err_memory(err, "manifest");
    reader->runs = grown;
    reader->runs_capacity = wanted;
    return 0;
}

static int
read_run(const struct json_t *value, struct manifest_run *run, struct err *err)
{
    size_t length = 0;

    if (json_read_array(value, "run", RUN_ELEMENTS, RUN_ELEMENTS, &length, err) < 0 ||
        read_unsigned(json_read_element(value, 0), "offset in the file", MANIFEST_NUMBER_MAX,
                      &run->file_offset, err) < 0 ||
        read_unsigned(json_read_element(value, 1), "length of the run", MANIFEST_NUMBER_MAX,
                      &run->length, err) < 0 ||
        read_label(json_read_element(value, 2), "label of the run", run->label, err) < 0 ||
        read_u32(json_read_element(value, 3), "number of the part", &run->part, err) < 0)
        return -1;
    return read_unsigned(json_read_element(value, 4), "offset in the part", MANIFEST_NUMBER_MAX,
                         &run->part_offset, err);
}

static int
read_runs(struct manifest_reader *reader, const struct json_t *line, struct err *err)
{
    const struct json_t *runs = json_read_member(line, "runs");
    size_t n = 0;

    if (json_read_array(runs, "runs", 0, MANIFEST_RUNS_MAX, &n, err) < 0 ||
        reserve_runs(reader, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (read_run(json_read_element(runs, i), &reader->runs[i], err) < 0)
            return err_wrap(err, "run %zu", i + 1);
        /* Labels are times: they sort as they follow each other. */
        if (strcmp(reader->runs[i].label, reader->label) > 0)
            return err_set(err, ERR_CORRUPT, "run %zu is in a backup younger than this one", i + 1);
    }
    reader->entry.runs = reader->runs;
    reader->entry.n_runs = n;
    return 0;
}

static int
read_file(struct manifest_reader *reader, const struct json_t *line, struct err *err)
{
    struct manifest_entry *entry = &reader->entry;
    const char *crc = NULL;
    uint8_t bytes[4];

    entry->type = MANIFEST_FILE;
    if (read_path(entry, line, err) < 0 ||
        read_u32(json_read_member(line, "mode"), "mode", &entry->mode, err) < 0 ||
        json_read_integer(json_read_member(line, "mtime"), "mtime", INT64_MIN, INT64_MAX,
                          &entry->mtime, err) < 0 ||
        read_unsigned(json_read_member(line, "size"), "size", MANIFEST_NUMBER_MAX, &entry->size,
                      err) < 0 ||
        json_read_string(json_read_member(line, "crc32c"), "crc32c", 8, 8, &crc, err) < 0)
        return -1;
    if (!hex_read_bytes(crc, sizeof(bytes), bytes))
        return err_set(err, ERR_CORRUPT, "\"crc32c\" is not hexadecimal");
    entry->crc32c =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return read_runs(reader, line, err);
}

static int
read_dir(struct manifest_entry *entry, const struct json_t *line, struct err *err)
{
    entry->type = MANIFEST_DIR;
    if (read_path(entry, line, err) < 0)
        return -1;
    return read_u32(json_read_member(line, "mode"), "mode", &entry->mode, err);
}

static int
read_end(struct manifest_entry *entry, const struct json_t *line, struct err *err)
{
    entry->type = MANIFEST_END;
    if (read_unsigned(json_read_member(line, "files"), "files", MANIFEST_NUMBER_MAX,
                      &entry->n_files, err) < 0 ||
        read_unsigned(json_read_member(line, "dirs"), "dirs", MANIFEST_NUMBER_MAX, &entry->n_dirs,
                      err) < 0)
        return -1;
    return read_unsigned(json_read_member(line, "bytes"), "bytes", MANIFEST_NUMBER_MAX,
                         &entry->n_bytes, err);
}

/* The line as an entry, whatever came before it. */
static int
read_entry(struct manifest_reader *reader, const struct json_t *line, struct err *err)
{
    struct manifest_entry *entry = &reader->entry;
    const char *type = NULL;

    /* All but the path, which is long and ends at its NUL. */
    entry->path[0] = '\0';
    entry->mode = 0;
    entry->mtime = 0;
    entry->size = 0;
    entry->crc32c = 0;
    entry->runs = NULL;
    entry->n_runs = 0;
    entry->label[0] = '\0';
    entry->system_id = 0;
    entry->block_size = 0;
    entry->n_files = 0;
    entry->n_dirs = 0;
    entry->n_bytes = 0;
    if (reader->line == 1)
        return read_head(entry, line, err);
    if (json_read_string(json_read_member(line, "type"), "type", 1, 16, &type, err) < 0)
        return -1;
    if (strcmp(type, "file") == 0)
        return read_file(reader, line, err);
    if (strcmp(type, "dir") == 0)
        return read_dir(entry, line, err);
    if (strcmp(type, "end") == 0)
        return read_end(entry, line, err);
    return err_set(err, ERR_CORRUPT, "\"type\" is none of \"dir\", \"file\" and \"end\"");
}

/* Hold the entry against the lines before it. */
static int
follow(struct manifest_reader *reader, struct err *err)
{
    const struct manifest_entry *entry = &reader->entry;

    switch (entry->type) {
    case MANIFEST_HEAD:
        memcpy(reader->label, entry->label, sizeof(reader->label));
        return 0;
    case MANIFEST_DIR:
        reader->n_dirs++;
        return 0;
    case MANIFEST_FILE:
        if (entry->size > MANIFEST_NUMBER_MAX - reader->n_bytes)
            return err_set(err, ERR_CORRUPT, "the sizes of the files are implausible");
        reader->n_files++;
        reader->n_bytes += entry->size;
        return 0;
    case MANIFEST_END:
        break;
    }
    if (entry->n_files != reader->n_files || entry->n_dirs != reader->n_dirs ||
        entry->n_bytes != reader->n_bytes)
        return err_set(err, ERR_CORRUPT,
                       "the end counts %llu files, %llu directories and %llu bytes, and there were "
                       "%llu, %llu and %llu",
                       (unsigned long long)entry->n_files, (unsigned long long)entry->n_dirs,
                       (unsigned long long)entry->n_bytes, (unsigned long long)reader->n_files,
                       (unsigned long long)reader->n_dirs, (unsigned long long)reader->n_bytes);
    reader->ended = true;
    return 0;
}

static int
read_line(struct manifest_reader *reader, const uint8_t *text, size_t size, struct err *err)
{
    AUTO(json_document) struct json_t *line = NULL;

    if (reader->ended)
        return err_set(err, ERR_CORRUPT, "there is something behind the end");
    if (json_read_object(text, size, &line_bounds, &line, err) < 0 ||
        read_entry(reader, line, err) < 0 || manifest_check_entry(&reader->entry, err) < 0)
        return -1;
    return follow(reader, err);
}

/* Keep the beginning of a line. */
static int
keep(struct manifest_reader *reader, const uint8_t *text, size_t size, struct err *err)
{
    int rc = buf_append(&reader->partial, text, size, err);

    if (rc == BUF_FULL)
        return err_set(err, ERR_CORRUPT, "line %llu of the manifest has more than %zu bytes",
                       (unsigned long long)reader->line + 1, MANIFEST_LINE_MAX);
    return rc;
}

int
manifest_reader_feed(struct manifest_reader *reader, const uint8_t *text, size_t size,
                     manifest_sink sink, void *context, struct err *err)
{
    for (size_t at = 0; at < size;) {
        const uint8_t *newline = memchr(text + at, '\n', size - at);
        size_t piece = newline == NULL ? size - at : (size_t)(newline - text) - at + 1;
        struct span line = {text + at, piece};

        at += piece;
        /* A line that is there as a whole is read where it stands. */
        if (newline == NULL || reader->partial.size > 0 || piece > MANIFEST_LINE_MAX) {
            if (keep(reader, line.data, piece, err) < 0)
                return -1;
            line = (struct span){reader->partial.data, reader->partial.size};
        }
        if (newline == NULL)
            return 0;
        reader->line++;
        if (read_line(reader, line.data, line.size - 1, err) < 0)
            return err_wrap(err, "line %llu of the manifest", (unsigned long long)reader->line);
        buf_clear(&reader->partial);
        if (sink(context, &reader->entry, err) < 0)
            return -1;
    }
    return 0;
}

int
manifest_reader_finish(struct manifest_reader *reader, struct err *err)
{
    if (reader->partial.size > 0)
        return err_set(err, ERR_CORRUPT, "the manifest ends inside of line %llu",
                       (unsigned long long)reader->line + 1);
    if (!reader->ended)
        return err_set(err, ERR_CORRUPT, "the manifest has no end: it was cut off behind line %llu",
                       (unsigned long long)reader->line);
    return 0;
}
