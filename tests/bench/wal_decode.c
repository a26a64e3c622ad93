/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_decode.c: how fast WAL is decoded, for wal_decode.py.
 *
 *     wal_decode ROUNDS FILE...
 *
 * Every round goes over all segments once with each method; what is measured is processor time
 * (user and system) of this one thread. Prints a line "NAME BEST MEDIAN" (bytes a second) for each
 * method, then "records N", "bytes N" and "checksum X".
 */
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "wal/crc32c.h"
#include "wal/wal_reader.h"

#define ROUNDS_MAX 99
#define FILES_MAX 512
#define PIECE ((size_t)262144)

struct work {
    uint8_t *files[FILES_MAX];
    size_t sizes[FILES_MAX];
    size_t n_files;
    size_t total;
    struct wal_reader *reader;
    uint64_t n_records;
    uint64_t n_blocks;
    char *packed;
    uint32_t crc;
};

static void
fail(const char *what)
{
    (void)fprintf(stderr, "wal_decode: %s\n", what);
    exit(2);
}

static void
count(void *context, const struct wal_record *record)
{
    struct work *work = context;

    work->n_records++;
    work->n_blocks += record->n_blocks;
}

static void
decode(struct work *work)
{
    work->n_records = 0;
    for (size_t i = 0; i < work->n_files; i++) {
        wal_reader_reset(work->reader);
        for (size_t at = 0; at < work->sizes[i]; at += PIECE)
            wal_reader_feed(work->reader, work->files[i] + at, MIN_OF(PIECE, work->sizes[i] - at));
        if (wal_reader_finish(work->reader)->damage.kind != WAL_DAMAGE_NONE)
            fail("a segment is damaged");
    }
}

static void
compress(struct work *work)
{
    for (size_t i = 0; i < work->n_files; i++) {
        for (size_t at = 0; at < work->sizes[i]; at += PIECE) {
            int size = (int)MIN_OF(PIECE, work->sizes[i] - at);

            if (LZ4_compress_default((const char *)work->files[i] + at, work->packed, size,
                                     LZ4_compressBound((int)PIECE)) <= 0)
                fail("lz4 failed");
        }
    }
}

static void
checksum(struct work *work)
{
    for (size_t i = 0; i < work->n_files; i++) {
        for (size_t at = 0; at < work->sizes[i]; at += 8192)
            work->crc ^= crc32c(0, work->files[i] + at, MIN_OF((size_t)8192, work->sizes[i] - at));
    }
}

static void
read_file(struct work *work, const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL || work->n_files == FILES_MAX || fseek(file, 0, SEEK_END) != 0)
        fail(path);
    size_t size = (size_t)ftell(file);
    uint8_t *bytes = malloc(size);
    rewind(file);
    if (bytes == NULL || fread(bytes, 1, size, file) != size)
        fail(path);
    (void)fclose(file);
    work->files[work->n_files] = bytes;
    work->sizes[work->n_files++] = size;
    work->total += size;
}

static double
seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
ascending(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static const struct {
    const char *name;
    void (*run)(struct work *work);
} methods[] = {{"decode", decode}, {"lz4", compress}, {"crc32c", checksum}};

int
main(int argc, char **argv)
{
    static double took[ARRAY_SIZE(methods)][ROUNDS_MAX];
    static struct work work;
    struct err err = ERR_INIT;
    size_t rounds = 0;

    for (const char *at = argc > 2 ? argv[1] : ""; *at >= '0' && *at <= '9'; at++)
        rounds = rounds * 10 + (size_t)(*at - '0');
    if (rounds == 0 || rounds > ROUNDS_MAX)
        fail("usage: wal_decode ROUNDS FILE...");
    work.packed = malloc((size_t)LZ4_compressBound((int)PIECE));
    if (work.packed == NULL || wal_reader_new(count, &work, &work.reader, &err) < 0)
        fail("out of memory");
    for (int i = 2; i < argc; i++)
        read_file(&work, argv[i]);
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
            double begin = seconds();

            methods[i].run(&work);
            took[i][round] = seconds() - begin;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        qsort(took[i], rounds, sizeof(took[i][0]), ascending);
        (void)printf("%s %.0f %.0f\n", methods[i].name, (double)work.total / took[i][0],
                     (double)work.total / took[i][rounds / 2]);
    }
    (void)printf("records %llu\nbytes %zu\nchecksum %08x\n", (unsigned long long)work.n_records,
                 work.total, (unsigned)work.crc);
    return 0;
}
