/* SPDX-License-Identifier: PostgreSQL */
/* What was read, written as PostgreSQL writes it, reads the same. The first byte is the timeline.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_history.h"
#include "wal/wal_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

#define LINE_MAX_SIZE 64

static size_t
write_history(const struct wal_history *history, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < history->n_entries; i++) {
        char lsn[WAL_LSN_TEXT_SIZE];
        int length =
            snprintf(text + used, size - used, "%u\t%s\treason\n\n", history->entries[i].timeline,
                     wal_lsn_text(history->entries[i].switch_lsn, lsn));

        require(length > 0 && (size_t)length < size - used);
        used += (size_t)length;
    }
    return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wal_history history;
    static struct wal_history again;
    static char text[WAL_HISTORY_ENTRIES_MAX * LINE_MAX_SIZE];
    struct err err = ERR_INIT;

    if (size == 0)
        return 0;
    uint32_t timeline = data[0] == 0xff ? UINT32_MAX : data[0];
    if (wal_history_parse((const char *)data + 1, size - 1, timeline, &history, &err) != 0) {
        require(err.kind == ERR_CORRUPT && err.text[0] != '\0');
        return 0;
    }
    require(history.timeline == timeline);
    require(history.n_entries > 0 && history.n_entries <= WAL_HISTORY_ENTRIES_MAX);
    for (size_t i = 0; i < history.n_entries; i++) {
        uint32_t before = i == 0 ? 0 : history.entries[i - 1].timeline;

        require(history.entries[i].timeline > before && history.entries[i].timeline < timeline);
        require(history.entries[i].switch_lsn != 0);
    }
    size_t length = write_history(&history, text, sizeof(text));
    require(wal_history_parse(text, length, timeline, &again, &err) == 0);
    require(again.n_entries == history.n_entries);
    for (size_t i = 0; i < history.n_entries; i++) {
        require(again.entries[i].timeline == history.entries[i].timeline);
        require(again.entries[i].switch_lsn == history.entries[i].switch_lsn);
    }
    return 0;
}
