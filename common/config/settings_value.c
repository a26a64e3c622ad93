/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "config/settings_parts.h"

/* settings.def as tables; OWNER is the struct the fields of the current table are in. */
#define STRING(setting, field, standard, need, help) \
    {.name = (setting),                              \
     .type = SETTING_STRING,                         \
     .required = (need),                             \
     .offset = offsetof(OWNER, field),               \
     .text = (standard)},
#define FILEPATH(setting, field, standard, help) \
    {.name = (setting),                          \
     .type = SETTING_FILEPATH,                   \
     .offset = offsetof(OWNER, field),           \
     .text = (standard)},
#define LIST(setting, field, most, help) \
    {.name = (setting), .type = SETTING_LIST, .offset = offsetof(OWNER, field), .max = (most)},
#define NUMBER(setting, field, standard, least, most, help) \
    {.name = (setting),                                     \
     .type = SETTING_NUMBER,                                \
     .offset = offsetof(OWNER, field),                      \
     .number = (standard),                                  \
     .min = (least),                                        \
     .max = (most)},
#define SECONDS(setting, field, standard, least, most, help) \
    {.name = (setting),                                      \
     .type = SETTING_SECONDS,                                \
     .offset = offsetof(OWNER, field),                       \
     .number = (standard),                                   \
     .min = (least),                                         \
     .max = (most)},
#define SIZE(setting, field, standard, least, most, help) \
    {.name = (setting),                                   \
     .type = SETTING_SIZE,                                \
     .offset = offsetof(OWNER, field),                    \
     .number = (standard),                                \
     .min = (least),                                      \
     .max = (most)},
#define BOOLEAN(setting, field, standard, help) \
    {.name = (setting),                         \
     .type = SETTING_BOOLEAN,                   \
     .offset = offsetof(OWNER, field),          \
     .number = (standard)},
#define CHOICE(setting, field, standard, words, help) \
    {.name = (setting),                               \
     .type = SETTING_CHOICE,                          \
     .offset = offsetof(OWNER, field),                \
     .text = (standard),                              \
     .choices = (words)},

#define OWNER struct settings
static const struct setting_row top_rows[] = {
#define SETTINGS_TOP
#include "config/settings.def"
#undef SETTINGS_TOP
};

static const struct setting_row encryption_rows[] = {
#define SETTINGS_ENCRYPTION
#include "config/settings.def"
#undef SETTINGS_ENCRYPTION
};

static const struct setting_row objectives_rows[] = {
#define SETTINGS_OBJECTIVES
#include "config/settings.def"
#undef SETTINGS_OBJECTIVES
};

#undef OWNER
#define OWNER struct settings_store
static const struct setting_row store_rows[] = {
#define SETTINGS_STORE
#include "config/settings.def"
#undef SETTINGS_STORE
};

const struct setting_table settings_tables[SETTINGS_TABLES] = {
    [SETTINGS_TABLE_TOP] = {NULL, top_rows, ARRAY_SIZE(top_rows)},
    [SETTINGS_TABLE_STORE] = {"stores", store_rows, ARRAY_SIZE(store_rows)},
    [SETTINGS_TABLE_ENCRYPTION] = {"encryption", encryption_rows, ARRAY_SIZE(encryption_rows)},
    [SETTINGS_TABLE_OBJECTIVES] = {"objectives", objectives_rows, ARRAY_SIZE(objectives_rows)},
};

_Static_assert(sizeof(enum settings_compression) == sizeof(unsigned) &&
                   sizeof(enum settings_wal_check) == sizeof(unsigned) &&
                   sizeof(enum settings_standby_on_error) == sizeof(unsigned),
               "choices are stored as unsigned");

static void
put(void *base, const struct setting_row *row, const void *value, size_t size)
{
    memcpy((char *)base + row->offset, value, size);
}

static void
put_text(void *base, const struct setting_row *row, const char *text)
{
    put(base, row, &text, sizeof(text));
}

static char *
keep_text(struct settings *settings, const char *text, struct err *err)
{
    size_t size = strlen(text) + 1;
    char *copy = settings_keep(settings, size, err);

    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

/* Relative names count from the directory of the configuration file, wherever we were started. */
static char *
keep_path(struct settings *settings, const char *text, struct err *err)
{
    const char *slash = strrchr(settings->file, '/');

    if (text[0] == '/' || slash == NULL)
        return keep_text(settings, text, err);

    size_t directory = (size_t)(slash - settings->file) + 1;
    size_t size = strlen(text) + 1;
    char *path = settings_keep(settings, directory + size, err);
    if (path != NULL) {
        memcpy(path, settings->file, directory);
        memcpy(path + directory, text, size);
    }
    return path;
}

static int
read_text(struct settings *settings, const struct setting_row *row, const config_setting_t *setting,
          void *base, struct err *err)
{
    const char *text = config_setting_get_string(setting);

    if (text == NULL) {
        (void)settings_fail(err, settings->file, config_setting_source_line(setting),
                            "\"%s\" must be a string", row->name);
        return err_hint(err, "Write: %s = \"...\";", row->name);
    }
    /* An empty value has a meaning only where it is the default. */
    if (text[0] == '\0' && (row->text == NULL || row->text[0] != '\0'))
        return settings_fail(err, settings->file, config_setting_source_line(setting),
                             "\"%s\" must not be empty", row->name);

    bool path = row->type == SETTING_FILEPATH;
    const char *kept = path ? keep_path(settings, text, err) : keep_text(settings, text, err);
    if (kept == NULL)
        return -1;
    put_text(base, row, kept);
    return 0;
}

static int
read_list(struct settings *settings, const struct setting_row *row, const config_setting_t *setting,
          void *base, struct err *err)
{
    bool list = config_setting_is_list(setting) || config_setting_is_array(setting);
    int n = list ? config_setting_length(setting) : 0;

    if (!list) {
        (void)settings_fail(err, settings->file, config_setting_source_line(setting),
                            "\"%s\" must be a list of strings", row->name);
        return err_hint(err, "Write: %s = ( \"...\", \"...\" );", row->name);
    }
    if (n < 1 || n > row->max)
        return settings_fail(err, settings->file, config_setting_source_line(setting),
                             "\"%s\" must have 1 to %lld entries", row->name, (long long)row->max);

    const char **items = settings_keep(settings, (size_t)n * sizeof(*items), err);
    if (items == NULL)
        return -1;
    for (int i = 0; i < n; i++) {
        const config_setting_t *item = config_setting_get_elem(setting, (unsigned)i);
        const char *text = config_setting_get_string(item);

        if (text == NULL || text[0] == '\0')
            return settings_fail(err, settings->file, config_setting_source_line(setting),
                                 "entry %d of \"%s\" must be a string that is not empty", i + 1,
                                 row->name);
        if ((items[i] = keep_text(settings, text, err)) == NULL)
            return -1;
    }
    struct settings_list value = {.items = items, .n = (size_t)n};
    put(base, row, &value, sizeof(value));
    return 0;
}

/* A unit of times or sizes, largest last. */
struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit time_units[] = {
    {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"KiB", KIB}, {"MiB", MIB}, {"GiB", GIB}, {NULL, 0},
};

static bool
value_from_text(const struct unit *units, const char *text, int64_t *ret_value)
{
    size_t digits = strspn(text, "0123456789");

    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        uint64_t value = 0;

        if (strcmp(text + digits, unit->name) != 0)
            continue;
        if (!decimal_read(text, digits, (uint64_t)(INT64_MAX / unit->factor), &value))
            return false;
        *ret_value = (int64_t)value * unit->factor;
        return true;
    }
    return false;
}

/* "2592000" tells a person little; the bounds are said in the largest unit that fits. */
static const char *
value_text(const struct unit *units, int64_t value, char *text, size_t size)
{
    struct unit best = {units == time_units ? "s" : "", 1};

    for (const struct unit *unit = units; unit->name != NULL; unit++)
        if (value != 0 && value % unit->factor == 0 && strcmp(unit->name, "min") != 0)
            best = *unit;
    (void)snprintf(text, size, "%lld%s", (long long)(value / best.factor), best.name);
    return text;
}

static int
fail_value(struct settings *settings, const struct setting_row *row,
           const config_setting_t *setting, const char *what, struct err *err)
{
    (void)settings_fail(err, settings->file, config_setting_source_line(setting),
                        "\"%s\" must be a %s", row->name, what);
    if (row->type == SETTING_SECONDS)
        return err_hint(err, "Write seconds as a number, or a whole number with a unit: "
                             "\"90s\", \"5min\", \"1h\", \"30d\".");
    if (row->type == SETTING_SIZE)
        return err_hint(err, "Write bytes as a number, or a whole number with a unit: "
                             "\"512KiB\", \"64MiB\", \"2GiB\".");
    return -1;
}

static int
read_number(struct settings *settings, const struct setting_row *row,
            const config_setting_t *setting, void *base, struct err *err)
{
    const struct unit *units = row->type == SETTING_SECONDS ? time_units
                               : row->type == SETTING_SIZE  ? size_units
                                                            : NULL;
    const char *text = units != NULL ? config_setting_get_string(setting) : NULL;
    int64_t value = 0;
    char min[32];
    char max[32];

    if (config_setting_type(setting) == CONFIG_TYPE_INT)
        value = config_setting_get_int(setting);
    else if (text == NULL || !value_from_text(units, text, &value))
        return fail_value(settings, row, setting,
                          units == NULL         ? "number without quotes"
                          : units == time_units ? "time"
                                                : "size",
                          err);
    if (value >= row->min && value <= row->max) {
        put(base, row, &value, sizeof(value));
        return 0;
    }
    if (units == NULL)
        return settings_fail(err, settings->file, config_setting_source_line(setting),
                             "\"%s\" must be between %lld and %lld", row->name, (long long)row->min,
                             (long long)row->max);
    return settings_fail(err, settings->file, config_setting_source_line(setting),
                         "\"%s\" must be between %s and %s", row->name,
                         value_text(units, row->min, min, sizeof(min)),
                         value_text(units, row->max, max, sizeof(max)));
}

static int
read_boolean(struct settings *settings, const struct setting_row *row,
             const config_setting_t *setting, void *base, struct err *err)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        return settings_fail(err, settings->file, config_setting_source_line(setting),
                             "\"%s\" must be true or false, without quotes", row->name);

    bool value = config_setting_get_bool(setting) != 0;
    put(base, row, &value, sizeof(value));
    return 0;
}

/* The position of `word` in the list of choices. */
static bool
choice_from_text(const char *choices, const char *word, unsigned *ret_value)
{
    unsigned value = 0;

    for (const char *at = choices; *at != '\0'; value++) {
        size_t length = strcspn(at, " ");

        if (strlen(word) == length && memcmp(word, at, length) == 0) {
            *ret_value = value;
            return true;
        }
        at += length + (at[length] == ' ');
    }
    return false;
}

static int
read_choice(struct settings *settings, const struct setting_row *row,
            const config_setting_t *setting, void *base, struct err *err)
{
    const char *text = config_setting_get_string(setting);
    unsigned value = 0;

    if (text == NULL || !choice_from_text(row->choices, text, &value)) {
        (void)settings_fail(err, settings->file, config_setting_source_line(setting),
                            "\"%s\" is none of its possible values", row->name);
        return err_hint(err, "The values are, in quotes: %s.", row->choices);
    }
    put(base, row, &value, sizeof(value));
    return 0;
}

int
settings_value_read(struct settings *settings, const struct setting_row *row,
                    const config_setting_t *setting, void *base, struct err *err)
{
    switch (row->type) {
    case SETTING_STRING:
    case SETTING_FILEPATH:
        return read_text(settings, row, setting, base, err);
    case SETTING_LIST:
        return read_list(settings, row, setting, base, err);
    case SETTING_NUMBER:
    case SETTING_SECONDS:
    case SETTING_SIZE:
        return read_number(settings, row, setting, base, err);
    case SETTING_BOOLEAN:
        return read_boolean(settings, row, setting, base, err);
    case SETTING_CHOICE:
        return read_choice(settings, row, setting, base, err);
    }
    return err_set(err, ERR_INTERNAL, "setting of an unknown type");
}

int
settings_value_default(struct settings *settings, const struct setting_row *row, void *base,
                       struct err *err)
{
    const char *text = row->text;
    bool truth = row->number != 0;
    unsigned choice = 0;

    switch (row->type) {
    case SETTING_FILEPATH:
        if (text != NULL && (text = keep_path(settings, text, err)) == NULL)
            return -1;
        put_text(base, row, text);
        return 0;
    case SETTING_STRING:
        put_text(base, row, text);
        return 0;
    case SETTING_NUMBER:
    case SETTING_SECONDS:
    case SETTING_SIZE:
        put(base, row, &row->number, sizeof(row->number));
        return 0;
    case SETTING_BOOLEAN:
        put(base, row, &truth, sizeof(truth));
        return 0;
    case SETTING_CHOICE:
        if (!choice_from_text(row->choices, text, &choice))
            return err_set(err, ERR_INTERNAL, "default of \"%s\" is no choice", row->name);
        put(base, row, &choice, sizeof(choice));
        return 0;
    case SETTING_LIST:
        return 0; /* empty, as calloc() left it */
    }
    return err_set(err, ERR_INTERNAL, "setting of an unknown type");
}
