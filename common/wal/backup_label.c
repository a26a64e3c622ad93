/* SPDX-License-Identifier: PostgreSQL */
#include "wal/backup_label.h"

#include <string.h>

#include "base/hex.h"
#include "wal/wal_name.h"

/* What stands behind `key` at the beginning of a line; NULL if there is no such line. */
static const char *
find_line(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (const char *line = text; line != NULL && line[0] != '\0';) {
        if (strncmp(line, key, length) == 0)
            return line + length;
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return NULL;
}

static bool
read_lsn(const char *text, const char *key, uint64_t *ret_lsn)
{
    const char *value = find_line(text, key);

    return value != NULL && wal_lsn_parse(value, strcspn(value, " \n"), ret_lsn);
}

int
backup_label_parse(const char *text, struct backup_label *ret, struct err *err)
{
    struct backup_label label = {.from_standby = false};
    const char *timeline = find_line(text, "START TIMELINE: ");
    const char *from = find_line(text, "BACKUP FROM: ");
    uint64_t number = 0;

    if (!read_lsn(text, "START WAL LOCATION: ", &label.start_lsn) ||
        !read_lsn(text, "CHECKPOINT LOCATION: ", &label.checkpoint_lsn))
        return err_set(err, ERR_CORRUPT, "the backup label does not say where it begins");
    if (timeline == NULL || !decimal_read(timeline, strcspn(timeline, "\n"), UINT32_MAX, &number) ||
        number == 0)
        return err_set(err, ERR_CORRUPT, "the backup label names no timeline");
    if (from == NULL)
        return err_set(err, ERR_CORRUPT, "the backup label does not say what it was taken from");
    label.start_timeline = (uint32_t)number;
    label.from_standby = strncmp(from, "standby\n", strlen("standby\n")) == 0;
    *ret = label;
    return 0;
}

int
tablespace_map_next(const char **at, struct tablespace_line *ret, struct err *err)
{
    const char *text = *at;
    size_t digits = strspn(text, "0123456789");
    struct tablespace_line line;
    uint64_t oid = 0;
    size_t n = 0;

    if (text[0] == '\0')
        return TABLESPACE_MAP_END;
    if (!decimal_read(text, digits, UINT32_MAX, &oid) || text[digits] != ' ')
        return err_set(err, ERR_CORRUPT, "the tablespace map has a line without a number");
    for (text += digits + 1; *text != '\0' && *text != '\n'; text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        if (n + 1 == sizeof(line.path))
            return err_set(err, ERR_CORRUPT, "the tablespace map has a path that is too long");
        line.path[n++] = *text;
    }
    if (*text != '\n' || n == 0)
        return err_set(err, ERR_CORRUPT, "the tablespace map has an incomplete line");
    line.path[n] = '\0';
    line.oid = (uint32_t)oid;
    *ret = line;
    *at = text + 1;
    return 0;
}
