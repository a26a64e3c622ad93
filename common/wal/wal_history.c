/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_history.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/hex.h"
#include "wal/wal_name.h"

/* A piece of one line, and which line for messages. */
struct line {
    const char *text;
    size_t length;
    size_t number;
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void
skip_blanks(struct line *line)
{
    while (line->length > 0 && is_blank(line->text[0])) {
        line->text++;
        line->length--;
    }
}

/* Cut the next word off the line; it is empty at the line's end. */
static struct line
take_word(struct line *line)
{
    struct line word = {.text = line->text, .number = line->number};

    while (word.length < line->length && !is_blank(word.text[word.length]))
        word.length++;
    line->text += word.length;
    line->length -= word.length;
    skip_blanks(line);
    return word;
}

static int
bad_word(const struct line *word, uint32_t timeline, const char *wanted, struct err *err)
{
    char quoted[64];

    return err_set(err, ERR_CORRUPT,
                   "history file of timeline %" PRIu32 ", line %zu: found \"%s\", wanted %s",
                   timeline, word->number,
                   err_quote(word->text, word->length, quoted, sizeof(quoted)), wanted);
}

static int
check_order(const struct wal_history *history, const struct wal_history_entry *entry, size_t number,
            struct err *err)
{
    uint32_t before =
        history->n_entries == 0 ? 0 : history->entries[history->n_entries - 1].timeline;

    if (entry->timeline <= before)
        return err_set(err, ERR_CORRUPT,
                       "history file of timeline %" PRIu32 ", line %zu: timeline %" PRIu32
                       " does not come after timeline %" PRIu32,
                       history->timeline, number, entry->timeline, before);
    if (entry->timeline >= history->timeline)
        return err_set(err, ERR_CORRUPT,
                       "history file of timeline %" PRIu32 ", line %zu: timeline %" PRIu32
                       " cannot be its ancestor",
                       history->timeline, number, entry->timeline);
    if (history->n_entries == WAL_HISTORY_ENTRIES_MAX)
        return err_set(err, ERR_CORRUPT,
                       "history file of timeline %" PRIu32 ", line %zu: more than %d ancestors",
                       history->timeline, number, WAL_HISTORY_ENTRIES_MAX);
    return 0;
}

static int
read_line(struct line line, struct wal_history *history, struct err *err)
{
    struct wal_history_entry entry;
    uint64_t timeline;

    skip_blanks(&line);
    if (line.length == 0 || line.text[0] == '#')
        return 0;
    struct line word = take_word(&line);
    if (!decimal_read(word.text, word.length, UINT32_MAX, &timeline))
        return bad_word(&word, history->timeline, "a timeline (decimal)", err);
    word = take_word(&line);
    /* Position 0 means "no end" to PostgreSQL; it never writes it. */
    if (!wal_lsn_parse(word.text, word.length, &entry.switch_lsn) || entry.switch_lsn == 0)
        return bad_word(&word, history->timeline, "a WAL position (hexadecimal, like 0/3000000)",
                        err);
    entry.timeline = (uint32_t)timeline;
    if (check_order(history, &entry, line.number, err) < 0)
        return -1;
    history->entries[history->n_entries++] = entry;
    return 0;
}

/* Cut the next line off the text, without its LF or CRLF. */
static struct line
take_line(const char **text, size_t *size, size_t number)
{
    const char *end = memchr(*text, '\n', *size);
    struct line line = {
        .text = *text,
        .length = end == NULL ? *size : (size_t)(end - *text),
        .number = number,
    };
    size_t taken = line.length + (end == NULL ? 0 : 1);

    *text += taken;
    *size -= taken;
    if (line.length > 0 && line.text[line.length - 1] == '\r')
        line.length--;
    return line;
}

int
wal_history_parse(const char *text, size_t size, uint32_t timeline, struct wal_history *ret,
                  struct err *err)
{
    struct wal_history history = {.timeline = timeline};
    size_t number = 0;

    if (size > WAL_HISTORY_FILE_MAX)
        return err_set(err, ERR_CORRUPT,
                       "history file of timeline %" PRIu32 " has %zu bytes, wanted at most %zu",
                       timeline, size, WAL_HISTORY_FILE_MAX);
    while (size > 0) {
        struct line line = take_line(&text, &size, ++number);

        if (memchr(line.text, '\0', line.length) != NULL)
            return err_set(err, ERR_CORRUPT,
                           "history file of timeline %" PRIu32 ", line %zu: contains zero bytes",
                           timeline, number);
        if (read_line(line, &history, err) < 0)
            return -1;
    }
    if (history.n_entries == 0)
        return err_set(err, ERR_CORRUPT, "history file of timeline %" PRIu32 " names no ancestor",
                       timeline);
    *ret = history;
    return 0;
}
