/* SPDX-License-Identifier: PostgreSQL */
#include "archive/lag.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static uint64_t
number_of(const struct lag_file *file)
{
    return wal_name_segment_number(&file->wal, (uint32_t)file->size);
}

/* Is `next` the segment right behind this entry? */
static bool
follows(const struct lag_entry *entry, const struct lag_file *next)
{
    const struct lag_file *first = &entry->first;

    return first->wal.kind == WAL_NAME_SEGMENT && next->wal.kind == WAL_NAME_SEGMENT &&
           first->wal.timeline == next->wal.timeline && first->size == next->size &&
           wal_segment_size_valid(first->size) && number_of(first) + entry->n == number_of(next);
}

/* Make ranges of neighbours. */
static void
join(struct lag *lag)
{
    size_t n = 0;

    for (size_t i = 0; i < lag->n_entries; i++) {
        struct lag_entry *last = n > 0 ? &lag->entries[n - 1] : NULL;

        if (last != NULL && follows(last, &lag->entries[i].first)) {
            last->n += lag->entries[i].n;
            last->first.marked = false;
        } else {
            lag->entries[n++] = lag->entries[i];
        }
    }
    lag->n_entries = n;
}

void
lag_add(struct lag *lag, const struct lag_file *file)
{
    if (lag->entries == NULL)
        lag->entries = calloc(LAG_ENTRIES_MAX, sizeof(*lag->entries));
    if (lag->entries != NULL && lag->n_entries == LAG_ENTRIES_MAX)
        join(lag);
    if (lag->entries == NULL || lag->n_entries == LAG_ENTRIES_MAX) {
        lag->forgotten++;
        return;
    }
    lag->entries[lag->n_entries++] = (struct lag_entry){.first = *file, .n = 1};
    lag->files++;
}

bool
lag_take(struct lag *lag, struct lag_file *ret)
{
    struct lag_entry *entry = lag->entries;

    if (lag->n_entries == 0)
        return false;
    *ret = entry->first;
    lag->files--;
    if (--entry->n > 0) {
        wal_name_of_segment(entry->first.wal.timeline, number_of(&entry->first) + 1,
                            (uint32_t)entry->first.size, &entry->first.wal);
    } else {
        lag->n_entries--;
        memmove(entry, entry + 1, lag->n_entries * sizeof(*entry));
    }
    return true;
}

const struct lag_file *
lag_oldest(const struct lag *lag)
{
    return lag->n_entries == 0 ? NULL : &lag->entries[0].first;
}

void
lag_done(struct lag *lag)
{
    free(lag->entries);
    *lag = (struct lag){.entries = NULL};
}
