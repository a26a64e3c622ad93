/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "restore/events_text.h"

#define US_PER_MINUTE 60000000
#define HEIGHT 6
#define WIDTH_MAX 200
#define LABEL_WIDTH 10
#define WIDTH_MIN 20

/* Columns of equal length in time. */
struct picture {
    int64_t first;       /* minute */
    int64_t each;        /* minutes a column */
    int columns;
    uint64_t bars[WIDTH_MAX]; /* commits */
    char marks[WIDTH_MAX + 1];
    uint64_t highest;
};

static char
mark_of(enum wal_event_kind kind)
{
    switch (kind) {
    case WAL_EVENT_DROP_TABLE:
    case WAL_EVENT_DROP_INDEX:
    case WAL_EVENT_DROP_SCHEMA:
    case WAL_EVENT_DROP_DATABASE:
    case WAL_EVENT_DROP_TABLESPACE:
        return 'X';
    case WAL_EVENT_TRUNCATE:
        return 'T';
    case WAL_EVENT_DELETE:
        return 'D';
    case WAL_EVENT_UPDATE:
        return 'U';
    case WAL_EVENT_RESTORE_POINT:
        return 'R';
    case WAL_EVENT_PROMOTION:
        return 'P';
    case WAL_EVENT_SHUTDOWN:
        return 's';
    case WAL_EVENT_REWRITE:
    case WAL_EVENT_CREATE_DATABASE:
        break;
    }
    return '.';
}

/* Where marks meet, the graver one is seen. */
static int
gravity(char mark)
{
    static const char ascending[] = " .sRPUDTX";
    const char *at = strchr(ascending, mark);

    return at == NULL ? 0 : (int)(at - ascending);
}

static int
column_of(const struct picture *picture, int64_t minute)
{
    int64_t column = (minute - picture->first) / picture->each;

    return minute < picture->first || column >= picture->columns ? -1 : (int)column;
}

static void
fill(struct picture *picture, const struct events_summary *summary,
     const struct events_marks *marks)
{
    for (size_t i = 0; i < summary->n_minutes; i++) {
        int column = column_of(picture, summary->minutes[i].minute);

        if (column >= 0) {
            picture->bars[column] += summary->minutes[i].commits;
            picture->highest = MAX_OF(picture->highest, picture->bars[column]);
        }
    }
    memset(picture->marks, ' ', sizeof(picture->marks));
    picture->marks[picture->columns] = '\0';
    for (size_t i = 0; i < marks->n; i++) {
        int column = column_of(picture, marks->items[i].time_us / US_PER_MINUTE);
        char mark = mark_of(marks->items[i].kind);

        if (column >= 0 && gravity(mark) > gravity(picture->marks[column]))
            picture->marks[column] = mark;
    }
}

static void
print_bars(const struct picture *picture)
{
    /* Minutes in which everything was rolled back have no commits. */
    uint64_t full = MAX_OF(picture->highest, (uint64_t)1);

    for (int row = HEIGHT; row > 0; row--) {
        if (row == HEIGHT)
            (void)printf("%*" PRIu64 " |", LABEL_WIDTH - 2,
                         picture->highest / (uint64_t)picture->each);
        else
            (void)printf("%*s |", LABEL_WIDTH - 2, "");
        for (int i = 0; i < picture->columns; i++) {
            /* Anything at all is seen in the lowest row. */
            uint64_t height = (picture->bars[i] * HEIGHT + full - 1) / full;

            (void)putchar(height >= (uint64_t)row ? '#' : ' ');
        }
        (void)printf("\n");
    }
}

void
events_print_picture(const struct events_summary *summary, const struct events_marks *marks,
                     int width)
{
    struct picture picture = {.columns = MIN_OF(width - LABEL_WIDTH, WIDTH_MAX)};
    char begin[CLOCK_TEXT_SIZE];
    char end[CLOCK_TEXT_SIZE];

    if (summary->n_minutes == 0 || picture.columns < WIDTH_MIN)
        return;
    picture.first = summary->minutes[0].minute;
    int64_t last = summary->minutes[summary->n_minutes - 1].minute;
    picture.each = (last - picture.first) / picture.columns + 1;
    picture.columns = (int)MAX_OF((last - picture.first) / picture.each + 1, (int64_t)WIDTH_MIN);
    fill(&picture, summary, marks);
    (void)printf("\ncommits a minute, a column is %" PRId64 " min\n", picture.each);
    print_bars(&picture);
    (void)printf("%*s +%s\n", LABEL_WIDTH - 2, "", picture.marks);
    (void)clock_text(picture.first * US_PER_MINUTE, begin);
    (void)clock_text((last + 1) * US_PER_MINUTE, end);
    (void)printf("%*s  %.16s to %.16s UTC\n", LABEL_WIDTH - 2, "", begin, end);
    (void)printf("%*s  X dropped, T truncated, D deleted, U updated, P promoted, R restore "
                 "point, s shutdown\n",
                 LABEL_WIDTH - 2, "");
}
