/* SPDX-License-Identifier: PostgreSQL */
/*
 * waldump_lines.c: what the WAL decoder reads in segments, one line per record, for the oracle
 * tests.
 *
 *     waldump_lines PIECE FILE...
 *
 * The files are consecutive segments; they are fed in pieces of PIECE bytes. A record that crosses
 * a border stands where it begins. Lines:
 *
 *     START TOTAL IMAGES RMGR INFO XID PREV END TOP ORIGIN MAIN/SHOWN
 * [ID:SPC/DB/REL:FORK:BLOCK[!]]... # segment START END VERSION TIMELINES RECORDS OUTCOME # seam LSN
 * OUTCOME
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_reader.h"
#include "wal/wal_seam.h"

static void
print_record(void *context, const struct wal_record *record)
{
    FILE *out = context;
    uint64_t images = 0;

    for (unsigned i = 0; i < record->n_blocks; i++)
        images += record->blocks[i].image_size;
    (void)fprintf(out,
                  "%" PRIx64 " %" PRIu32 " %" PRIu64 " %u %02x %" PRIu32 " %" PRIx64 " %" PRIx64
                  " %" PRIu32 " %u %" PRIu32 "/%" PRIu32,
                  record->lsn, record->size, images, record->rmgr, record->info, record->xid,
                  record->prev_lsn, record->end_lsn, record->top_xid, record->origin,
                  record->main_size, record->main_available);
    for (unsigned i = 0; i < record->n_blocks; i++) {
        const struct wal_block *block = &record->blocks[i];

        (void)fprintf(out, " %u:%" PRIu32 "/%" PRIu32 "/%" PRIu32 ":%u:%" PRIu32 "%s", block->id,
                      block->relation.tablespace, block->relation.database, block->relation.number,
                      block->fork, block->block,
                      !block->has_image      ? ""
                      : block->image_applies ? "!"
                                             : "?");
    }
    (void)fputc('\n', out);
}

static const char *
outcome_of(const struct wal_summary *summary)
{
    if (summary->damage.kind != WAL_DAMAGE_NONE)
        return summary->damage.why;
    return summary->switched   ? "switched"
           : summary->zero_end ? "zero_end"
           : summary->open_lsn ? "open"
                               : "full";
}

static void
read_segment(struct wal_reader *reader, const char *path, size_t piece)
{
    uint8_t *bytes = malloc(piece);
    FILE *file = fopen(path, "rb");
    size_t got;

    if (file == NULL || bytes == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    wal_reader_reset(reader);
    while ((got = fread(bytes, 1, piece, file)) > 0)
        wal_reader_feed(reader, bytes, got);
    (void)fclose(file);
    free(bytes);
}

static void
print_seam(struct wal_seam *seam, const struct wal_summary *summary)
{
    static struct wal_record record;
    const char *why = "";

    switch (wal_seam_next(seam, summary, &record, &why)) {
    case 0:
        print_record(stdout, &record);
        (void)printf("# seam %" PRIx64 " record\n", summary->start_lsn);
        break;
    case WAL_SEAM_NONE:
        (void)printf("# seam %" PRIx64 " none\n", summary->start_lsn);
        break;
    case WAL_SEAM_OPEN:
        (void)printf("# seam %" PRIx64 " open\n", summary->start_lsn);
        break;
    default:
        (void)printf("# seam %" PRIx64 " BROKEN %s\n", summary->start_lsn, why);
    }
}

int
main(int argc, char **argv)
{
    static struct wal_seam seam;
    struct err err = ERR_INIT;
    struct wal_reader *reader = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *lines = open_memstream(&text, &size);
    size_t piece = 0;

    for (const char *at = argc > 2 ? argv[1] : ""; *at >= '0' && *at <= '9'; at++)
        piece = piece * 10 + (size_t)(*at - '0');
    if (piece == 0 || lines == NULL || wal_reader_new(print_record, lines, &reader, &err) < 0) {
        (void)fprintf(stderr, "usage: waldump_lines PIECE FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        rewind(lines);
        read_segment(reader, argv[i], piece);
        const struct wal_summary *summary = wal_reader_finish(reader);
        (void)fflush(lines);
        if (i == 2)
            wal_seam_begin(&seam, summary);
        else
            print_seam(&seam, summary);
        (void)fwrite(text, 1, size, stdout);
        (void)printf(
            "# segment %" PRIx64 " %" PRIx64 " %d %" PRIu32 "-%" PRIu32 " %" PRIu64 " %s\n",
            summary->start_lsn, summary->last_end_lsn, summary->version, summary->timeline_first,
            summary->timeline_last, summary->n_records, outcome_of(summary));
    }
    wal_reader_free(reader);
    (void)fclose(lines);
    free(text);
    return 0;
}
