/* SPDX-License-Identifier: PostgreSQL */
/*
 * madearchive.c: many archived segments that no server wrote, for benchmarks: 1 MiB each, records
 * of PostgreSQL 15 that follow each other, sealed with their indexes as seawall-push does it.
 *
 *      madearchive --writer FILE [--recipient R] --cluster NAME --system-id ID --first N --count N
 *                  --created MICROSECONDS --step MICROSECONDS [--noise PAGES] DIR
 *
 * Writes <DIR>/<cluster>/<system id>/wal/... of timeline 1. Segment N has 72 rows in ten relations,
 * a commit at its time of creation, in every hundredth a restore point, and a switch. With --noise
 * so many pages that do not compress stand before the switch: stored objects of servers are larger
 * than an index, and what is read of them is too. No fsync.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/secret.h"
#include "codec/object.h"
#include "wal/crc32c.h"
#include "wal/wal_indexer.h"
#include "wal/wal_name.h"

#define SEGMENT ((uint32_t)MIB)
#define PAGE 8192
#define HEADER 24
#define SWITCH_AT 0x1F00
#define ROWS 72
#define EPOCH_US INT64_C(946684800000000)

struct options {
    const char *writer;
    const char *recipient;
    const char *cluster;
    const char *dir;
    uint64_t system_id;
    uint64_t first;
    uint64_t count;
    uint64_t created_us;
    uint64_t step_us;
    uint64_t noise; /* pages */
};

struct maker {
    const struct options *options;
    struct writer_key key;
    struct age_recipient recipient;
    uint8_t *segment;
    uint64_t base; /* its position */
    size_t at;
    uint64_t before; /* the record before */
    uint64_t random; /* state of the noise */
};

/* Where the switch stands in each segment. */
static size_t
switch_at(const struct options *options)
{
    return options->noise == 0 ? SWITCH_AT : (options->noise + 1) * PAGE + 24;
}

/* ---- a segment ---- */

static void
put_record(struct maker *maker, uint8_t rmgr, uint8_t info, uint32_t xid, const struct span *body)
{
    uint8_t *record = maker->segment + maker->at;
    uint32_t total = (uint32_t)(HEADER + body->size);

    memcpy(record, &total, 4);
    memcpy(record + 4, &xid, 4);
    memcpy(record + 8, &maker->before, 8);
    record[16] = info;
    record[17] = rmgr;
    if (body->size > 0)
        memcpy(record + HEADER, body->data, body->size);
    uint32_t crc = crc32c(crc32c(0, record + HEADER, body->size), record, 20);
    memcpy(record + 20, &crc, 4);
    maker->before = maker->base + maker->at;
    maker->at += (total + 7) / 8 * 8;
}

static void
put_row(struct maker *maker, uint32_t xid, uint32_t number, uint32_t block)
{
    uint8_t body[60] = {0};
    const uint32_t reference[4] = {1663, 5, number, block};

    memcpy(body + 4, reference, sizeof(reference));
    body[20] = 255;
    body[21] = (uint8_t)(sizeof(body) - 22);
    put_record(maker, WAL_RMGR_HEAP, 0x00, xid, &(struct span){body, sizeof(body)});
}

static void
put_main(struct maker *maker, uint8_t rmgr, uint8_t info, uint32_t xid, const struct span *data)
{
    uint8_t body[PAGE] = {254};
    uint32_t size = (uint32_t)data->size;

    memcpy(body + 1, &size, 4);
    memcpy(body + 5, data->data, data->size);
    put_record(maker, rmgr, info, xid, &(struct span){body, data->size + 5});
}

/* The next page up to its end, and the header of the one after. */
static void
put_noise(struct maker *maker)
{
    uint64_t bytes[(PAGE - 24 - HEADER - 5 + 7) / 8];

    for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
        maker->random ^= maker->random << 13;
        maker->random ^= maker->random >> 7;
        maker->random ^= maker->random << 17;
        bytes[i] = maker->random;
    }
    put_main(maker, WAL_RMGR_XLOG, 0x20, 0,
             &(struct span){(const uint8_t *)bytes, PAGE - 24 - HEADER - 5});
}

static void
put_short_header(struct maker *maker)
{
    const uint16_t magic = 0xD110;
    const uint32_t timeline = 1;
    const uint64_t address = maker->base + maker->at;
    uint8_t *page = maker->segment + maker->at;

    memset(page, 0, PAGE);
    memcpy(page, &magic, 2);
    memcpy(page + 4, &timeline, 4);
    memcpy(page + 8, &address, 8);
    maker->at += 24;
}

static void
put_page_header(struct maker *maker)
{
    const uint16_t magic = 0xD110;
    const uint16_t flags = 2;
    const uint32_t sizes[2] = {SEGMENT, PAGE};
    const uint32_t timeline = 1;

    memset(maker->segment, 0, PAGE);
    memcpy(maker->segment, &magic, 2);
    memcpy(maker->segment + 2, &flags, 2);
    memcpy(maker->segment + 4, &timeline, 4);
    memcpy(maker->segment + 8, &maker->base, 8);
    memcpy(maker->segment + 24, &maker->options->system_id, 8);
    memcpy(maker->segment + 32, sizes, 8);
    maker->at = 40;
}

static void
make_segment(struct maker *maker, uint64_t number, int64_t created_us)
{
    static const uint8_t zeros[PAGE] = {0};
    uint32_t xid = (uint32_t)(1000 + number);
    int64_t time = created_us - EPOCH_US;
    char point[72] = {0};

    maker->base = number * SEGMENT;
    maker->before = maker->base - SEGMENT + switch_at(maker->options);
    put_page_header(maker);
    for (uint32_t i = 0; i < ROWS; i++)
        put_row(maker, xid, 20000 + i % 10, (uint32_t)(number * 7 + i * 13) % 100000);
    put_main(maker, WAL_RMGR_XACT, 0x00, xid, &(struct span){(const uint8_t *)&time, 8});
    memcpy(point, &time, 8);
    (void)snprintf(point + 8, 64, "point %" PRIu64, number);
    if (number % 100 == 0)
        put_main(maker, WAL_RMGR_XLOG, 0x70, 0, &(struct span){(const uint8_t *)point, 72});
    size_t end = maker->options->noise == 0 ? SWITCH_AT : PAGE;
    put_main(maker, WAL_RMGR_XLOG, 0x20, 0, &(struct span){zeros, end - maker->at - HEADER - 5});
    for (uint64_t i = 0; i < maker->options->noise; i++) {
        put_short_header(maker);
        put_noise(maker);
    }
    if (maker->options->noise > 0)
        put_short_header(maker);
    put_record(maker, WAL_RMGR_XLOG, 0x40, 0, &(struct span){zeros, 0});
}

/* ---- its object ---- */

static int
write_object(const char *path, const struct span *spans, struct err *err)
{
    AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(err, errno, "could not create \"%s\"", path);
    for (size_t i = 0; i < 2; i++)
        if (io_write_full(fd, spans[i].data, spans[i].size, path, err) < 0)
            return -1;
    return 0;
}

/* Its path, whose directories exist from then on. */
static int
make_path(const struct options *options, const char *name, char *path, size_t size, struct err *err)
{
    (void)snprintf(path, size, "%s/%s", options->dir, name);
    for (char *at = path + strlen(options->dir) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        int rc = mkdir(path, 0700);
        *at = '/';
        if (rc < 0 && errno != EEXIST)
            return err_sys(err, errno, "could not create a directory of \"%s\"", path);
    }
    return 0;
}

static int
archive_segment(struct maker *maker, uint64_t number, int64_t created_us, struct err *err)
{
    const struct options *options = maker->options;
    const struct object_format format = {
        .compression = COMPRESSION_LZ4,
        .encryption = options->recipient == NULL ? ENCRYPTION_NONE : ENCRYPTION_AGE,
        .recipients = &maker->recipient,
        .n_recipients = options->recipient == NULL ? 0 : 1,
    };
    AUTO(wal_indexer) struct wal_indexer *indexer = NULL;
    AUTO(object_packer) struct object_packer *packer = NULL;
    AUTO(buf) struct buf index = BUF_INIT(WAL_INDEX_MAX);
    struct wal_damage damage;
    struct span spans[2];
    struct wal_name wal;
    char name[200];
    char path[500];

    make_segment(maker, number, created_us);
    wal_name_of_segment(1, number, SEGMENT, &wal);
    (void)snprintf(name, sizeof(name), "%s/%" PRIu64 "/wal/%.8s/%.8s/%s", options->cluster,
                   options->system_id, wal.text, wal.text + 8, wal.text);
    const struct object_label label = {name, options->system_id, created_us};
    if (wal_indexer_new(&indexer, err) < 0 ||
        object_packer_new(&format, &maker->key, SEGMENT, &packer, err) < 0)
        return -1;
    wal_indexer_feed(indexer, maker->segment, SEGMENT);
    if (wal_indexer_finish(indexer, &index, &damage, err) < 0 ||
        object_packer_write(packer, maker->segment, SEGMENT, err) < 0)
        return -1;
    if (damage.kind != WAL_DAMAGE_NONE)
        return err_set(err, ERR_INTERNAL, "segment %" PRIu64 ": %s", number, damage.why);
    const struct object_index packed = {WAL_INDEX_VERSION, index.data, index.size};
    if (object_packer_finish(packer, &label, &packed, spans, NULL, err) < 0 ||
        make_path(options, name, path, sizeof(path), err) < 0)
        return -1;
    return write_object(path, spans, err);
}

/* ---- all of it ---- */

static int
read_key(struct maker *maker, struct err *err)
{
    AUTO(secret_buf) struct buf text = BUF_INIT(SECRET_FILE_MAX);
    const char *path = maker->options->writer;
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t got = 0;

    if (fd < 0 || buf_reserve(&text, SECRET_FILE_MAX, err) != 0 ||
        io_read_full(fd, text.data, SECRET_FILE_MAX, &got, path, err) < 0)
        return err_set(err, ERR_LOCAL, "could not read \"%s\"", path);
    if (maker->options->recipient != NULL &&
        age_recipient_parse(maker->options->recipient, &maker->recipient, err) < 0)
        return -1;
    return writer_key_parse((const char *)text.data, got, path, &maker->key, err);
}

static int
make_archive(const struct options *options, struct err *err)
{
    struct maker maker = {.options = options, .segment = calloc(1, SEGMENT),
                          .random = options->first};
    int rc = maker.segment == NULL ? err_memory(err, "segment") : read_key(&maker, err);

    for (uint64_t i = 0; rc == 0 && i < options->count; i++)
        rc = archive_segment(&maker, options->first + i,
                             (int64_t)(options->created_us + i * options->step_us), err);
    free(maker.segment);
    writer_key_done(&maker.key);
    return rc;
}

static bool
read_option(const char *name, const char *value, struct options *options)
{
    const struct {
        const char *name;
        uint64_t *number;
        const char **text;
    } known[] = {
        {"--writer", NULL, &options->writer},       {"--recipient", NULL, &options->recipient},
        {"--cluster", NULL, &options->cluster},     {"--system-id", &options->system_id, NULL},
        {"--first", &options->first, NULL},         {"--count", &options->count, NULL},
        {"--created", &options->created_us, NULL},  {"--step", &options->step_us, NULL},
        {"--noise", &options->noise, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(name, known[i].name) != 0)
            continue;
        if (known[i].text != NULL)
            *known[i].text = value;
        return known[i].text != NULL ||
               decimal_read(value, strlen(value), UINT64_MAX, known[i].number);
    }
    return false;
}

int
main(int argc, char **argv)
{
    struct options options = {.writer = NULL};
    struct err err = ERR_INIT;
    int i = 1;

    for (; i + 1 < argc; i += 2)
        if (!read_option(argv[i], argv[i + 1], &options))
            break;
    if (i + 1 != argc || options.writer == NULL || options.cluster == NULL || options.first == 0 ||
        options.noise > SEGMENT / PAGE - 2) {
        (void)fprintf(stderr, "madearchive: wrong options\n");
        return 1;
    }
    options.dir = argv[i];
    if (make_archive(&options, &err) < 0) {
        (void)fprintf(stderr, "madearchive: %s\n", err.text);
        return 1;
    }
    return 0;
}
