/* SPDX-License-Identifier: PostgreSQL */
/*
 * settings_parts.h: what the files behind settings.h share. Private to common/config.
 *
 * settings_file.c finds, opens and judges the file; settings_scan.c refuses what libconfig
 * would misread; settings_value.c turns one libconfig setting into one field, by the table
 * of settings.def; settings_check.c knows which values fit together; settings.c joins them.
 */
#ifndef CONFIG_SETTINGS_PARTS_H
#define CONFIG_SETTINGS_PARTS_H

#include <sys/stat.h>

#include <libconfig.h>

#include "base/buf.h"
#include "config/settings.h"

#define SETTINGS_LINE_MAX 4096
#define SETTINGS_ASSIGNMENTS_MAX 1000 /* libconfig compares every name with every other one */
#define SETTINGS_DEPTH_MAX 8          /* libconfig destroys its tree recursively */

enum setting_type {
    SETTING_STRING,
    SETTING_FILEPATH,
    SETTING_LIST,
    SETTING_NUMBER,
    SETTING_SECONDS,
    SETTING_SIZE,
    SETTING_BOOLEAN,
    SETTING_CHOICE,
};

/* One line of settings.def. */
struct setting_row {
    const char *name;
    enum setting_type type;
    bool required;
    size_t offset;        /* of the field in its struct */
    const char *text;     /* default of STRING, FILEPATH, CHOICE */
    const char *choices;  /* CHOICE: words, in the order of the enum */
    int64_t number;       /* default of NUMBER, SECONDS, SIZE, BOOLEAN */
    int64_t min;
    int64_t max;          /* LIST: of items */
};

struct setting_table {
    const char *group; /* "stores"; NULL: the file itself */
    const struct setting_row *rows;
    size_t n;
};

enum {
    SETTINGS_TABLE_TOP,
    SETTINGS_TABLE_STORE,
    SETTINGS_TABLE_ENCRYPTION,
    SETTINGS_TABLE_OBJECTIVES,
    SETTINGS_TABLES,
};

extern const struct setting_table settings_tables[SETTINGS_TABLES];

/* A piece of memory that lives and is wiped with the settings. NULL: out of memory, *err is set. */
void *settings_keep(struct settings *settings, size_t size, struct err *err) MUST_USE;

/* ERR_CONFIG, `"file":line: ...`; line 0: `"file": ...`. Always -1. */
int settings_fail(struct err *err, const char *file, unsigned line, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Read a file that passes the permission rules of settings.h. 0 or -1 (ERR_CONFIG). */
int settings_file_read(const char *path, struct buf *ret_text, struct stat *ret_st,
                       struct err *err) MUST_USE;

/* The rule for files that hold a secret: 0, or -1 with `setting` named. */
int settings_file_private(const struct stat *st, const char *path, const char *setting,
                          struct err *err) MUST_USE;

/*
 * Refuse, with the line, what libconfig would silently misread or do too much with: NUL and
 * other control characters, a byte order mark, "@include", lines over SETTINGS_LINE_MAX, strings
 * and comments that are not closed, two strings in a row, escapes other than \\ and \", numbers
 * that are not decimal or pass 2^31-1, too many assignments, too deep nesting. CRLF is accepted.
 */
int settings_scan(const char *text, size_t size, const char *file, struct err *err) MUST_USE;

/* Put the value of `setting` into its field of the struct at `base`. */
int settings_value_read(struct settings *settings, const struct setting_row *row,
                        const config_setting_t *setting, void *base, struct err *err) MUST_USE;

/* Put the default there. */
int settings_value_default(struct settings *settings, const struct setting_row *row, void *base,
                           struct err *err) MUST_USE;

/* The cross checks of settings.h. `root` gives the lines. */
int settings_check(const struct settings *settings, const config_setting_t *root,
                   struct err *err) MUST_USE;

/* Name of a setting whose value asks for a private file, or NULL. */
const char *settings_check_secret(const struct settings *settings);

#endif
