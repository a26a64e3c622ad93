/* SPDX-License-Identifier: PostgreSQL */
#include "config/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "config/nearest.h"
#include "config/settings_parts.h"

struct settings_memory {
    struct settings_memory *next;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

void *
settings_keep(struct settings *settings, size_t size, struct err *err)
{
    struct settings_memory *piece = calloc(1, sizeof(*piece) + size);

    if (piece == NULL) {
        (void)err_memory(err, "configuration");
        return NULL;
    }
    piece->size = size;
    piece->next = settings->memory;
    settings->memory = piece;
    return piece->bytes;
}

void
settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    while (settings->memory != NULL) {
        struct settings_memory *piece = settings->memory;

        settings->memory = piece->next;
        secret_wipe(piece->bytes, piece->size);
        free(piece);
    }
    free(settings->file);
    free(settings);
}

int
settings_fail(struct err *err, const char *file, unsigned line, const char *format, ...)
{
    char name[256];
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)err_quote(file, strlen(file), name, sizeof(name));
    if (line == 0)
        return err_set(err, ERR_CONFIG, "\"%s\": %s", name, text);
    return err_set(err, ERR_CONFIG, "\"%s\":%u: %s", name, line, text);
}

/* libconfig frees its strings as they are. */
static void
wipe_tree(config_setting_t *setting)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING && setting->value.sval != NULL)
        secret_wipe(setting->value.sval, strlen(setting->value.sval));
    if (!config_setting_is_aggregate(setting))
        return;
    for (int i = 0; i < config_setting_length(setting); i++)
        wipe_tree(config_setting_get_elem(setting, (unsigned)i));
}

static void
tree_done(config_t *tree)
{
    if (tree->root == NULL)
        return;
    wipe_tree(tree->root);
    config_destroy(tree);
}

DEFINE_CLEANUP(tree, config_t, tree_done);

static const struct setting_row *
find_row(const struct setting_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}

/* Say where a misplaced setting belongs, or which one was probably meant. */
static int
hint_unknown(const struct setting_table *table, const char *name, struct err *err)
{
    const char *best = NULL;
    unsigned distance = NEAREST_MAX + 1;

    for (size_t i = 0; i < SETTINGS_TABLES; i++) {
        const struct setting_table *other = &settings_tables[i];

        if (other != table && find_row(other, name) != NULL)
            return other->group == NULL
                       ? err_hint(err, "\"%s\" belongs outside of groups and lists.", name)
                       : err_hint(err, "\"%s\" belongs into \"%s\".", name, other->group);
        if (table->group == NULL && other->group != NULL &&
            nearest_distance(name, other->group) < distance) {
            best = other->group;
            distance = nearest_distance(name, best);
        }
    }
    for (size_t i = 0; i < table->n; i++) {
        unsigned d = nearest_distance(name, table->rows[i].name);

        best = d < distance ? table->rows[i].name : best;
        distance = MIN_OF(d, distance);
    }
    return best == NULL ? -1 : err_hint(err, "Did you mean \"%s\"?", best);
}

static int
fail_unknown(const struct settings *settings, const struct setting_table *table,
             const config_setting_t *setting, struct err *err)
{
    char name[80];
    const char *full = config_setting_name(setting);

    (void)err_quote(full, strlen(full), name, sizeof(name));
    (void)settings_fail(err, settings->file, config_setting_source_line(setting),
                        "unknown setting \"%s\"", name);
    return hint_unknown(table, full, err);
}

static bool
is_group_of_top(const struct setting_table *table, const char *name)
{
    for (size_t i = 0; table->group == NULL && i < SETTINGS_TABLES; i++)
        if (settings_tables[i].group != NULL && strcmp(settings_tables[i].group, name) == 0)
            return true;
    return false;
}

/* The members of `group` (NULL: there is none) into the struct at `base`, and its defaults. */
static int
read_group(struct settings *settings, const struct setting_table *table,
           const config_setting_t *group, void *base, struct err *err)
{
    int n = group == NULL ? 0 : config_setting_length(group);

    for (int i = 0; i < n; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const struct setting_row *row = find_row(table, config_setting_name(setting));

        if (row == NULL && is_group_of_top(table, config_setting_name(setting)))
            continue;
        if (row == NULL)
            return fail_unknown(settings, table, setting, err);
        if (settings_value_read(settings, row, setting, base, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < table->n; i++) {
        const struct setting_row *row = &table->rows[i];

        if (group != NULL && config_setting_get_member(group, row->name) != NULL)
            continue;
        if (row->required)
            return settings_fail(
                err, settings->file, group == NULL ? 0 : config_setting_source_line(group),
                "%s\"%s\" is missing", table->group == NULL ? "" : "the store's ", row->name);
        if (settings_value_default(settings, row, base, err) < 0)
            return -1;
    }
    return 0;
}

static int
read_stores(struct settings *settings, const config_setting_t *root, struct err *err)
{
    const config_setting_t *stores = config_setting_get_member(root, "stores");
    static const char example[] = "Write: stores = ( { name = \"...\"; url = \"...\"; } );";

    if (stores == NULL) {
        (void)settings_fail(err, settings->file, 0, "\"stores\" is missing");
        return err_hint(err, "%s", example);
    }

    unsigned line = config_setting_source_line(stores);
    int n = config_setting_is_list(stores) ? config_setting_length(stores) : 0;
    if (n < 1 || n > SETTINGS_STORES_MAX) {
        (void)settings_fail(err, settings->file, line,
                            "\"stores\" must be a list of 1 to %d groups", SETTINGS_STORES_MAX);
        return err_hint(err, "%s", example);
    }
    for (int i = 0; i < n; i++) {
        const config_setting_t *group = config_setting_get_elem(stores, (unsigned)i);

        if (!config_setting_is_group(group)) {
            (void)settings_fail(err, settings->file, line, "entry %d of \"stores\" is not a group",
                                i + 1);
            return err_hint(err, "%s", example);
        }
        if (read_group(settings, &settings_tables[SETTINGS_TABLE_STORE], group,
                       &settings->stores[i], err) < 0)
            return -1;
        settings->n_stores++;
    }
    return 0;
}

/* There is no default: whether the archive can be read by others must have been decided. */
static int
read_encryption(struct settings *settings, const config_setting_t *root, struct err *err)
{
    const config_setting_t *setting = config_setting_get_member(root, "encryption");
    const struct setting_table *table = &settings_tables[SETTINGS_TABLE_ENCRYPTION];
    static const char example[] =
        "Write: encryption = { recipients = ( \"age1...\" ); }; with a key "
        "of \"seawall keygen\", or: encryption = \"none\";";

    if (setting == NULL) {
        (void)settings_fail(err, settings->file, 0, "\"encryption\" is missing");
        return err_hint(err, "%s", example);
    }
    if (config_setting_is_group(setting)) {
        settings->encrypted = true;
        if (read_group(settings, table, setting, settings, err) < 0)
            return -1;
        if (settings->recipients.n == 0)
            return settings_fail(err, settings->file, config_setting_source_line(setting),
                                 "\"encryption\" has no \"recipients\"");
        return 0;
    }

    const char *text = config_setting_get_string(setting);
    if (text == NULL || strcmp(text, "none") != 0) {
        (void)settings_fail(err, settings->file, config_setting_source_line(setting),
                            "\"encryption\" must be a group or \"none\"");
        return err_hint(err, "%s", example);
    }
    return read_group(settings, table, NULL, settings, err);
}

static int
read_objectives(struct settings *settings, const config_setting_t *root, struct err *err)
{
    const config_setting_t *group = config_setting_get_member(root, "objectives");

    if (group != NULL && !config_setting_is_group(group)) {
        (void)settings_fail(err, settings->file, config_setting_source_line(group),
                            "\"objectives\" must be a group");
        return err_hint(err, "Write: objectives = { rpo = \"1h\"; rto = \"4h\"; };");
    }
    return read_group(settings, &settings_tables[SETTINGS_TABLE_OBJECTIVES], group, settings, err);
}

static int
read_tree(struct settings *settings, const config_setting_t *root, struct err *err)
{
    if (read_group(settings, &settings_tables[SETTINGS_TABLE_TOP], root, settings, err) < 0 ||
        read_stores(settings, root, err) < 0 || read_encryption(settings, root, err) < 0 ||
        read_objectives(settings, root, err) < 0)
        return -1;
    return settings_check(settings, root, err);
}

/* What is missing at the end is reported on the last line there is, not behind it. */
static int
fail_syntax(const config_t *tree, const char *text, size_t size, const char *file, struct err *err)
{
    const char *reason = config_error_text(tree);
    unsigned line = (unsigned)MAX_OF(config_error_line(tree), 0);
    unsigned lines = size > 0 && text[size - 1] != '\n';

    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return settings_fail(err, file, MIN_OF(line, lines), "%s",
                         reason == NULL ? "syntax error" : reason);
}

int
settings_parse(const char *text, size_t size, const char *file, struct settings **ret_settings,
               struct err *err)
{
    AUTO(tree) config_t tree = {.root = NULL};
    AUTO(secret_buf) struct buf copy = BUF_INIT(SETTINGS_FILE_MAX + 2);
    AUTO(settings) struct settings *settings = NULL;

    if (settings_scan(text, size, file, err) < 0)
        return -1;
    /* To libconfig a comment is one only if a line end follows. */
    if (buf_reserve(&copy, size + 2, err) != 0 || buf_append(&copy, text, size, err) != 0 ||
        buf_append(&copy, "\n", 2, err) != 0)
        return err_memory(err, "configuration");
    if ((settings = calloc(1, sizeof(*settings))) == NULL ||
        (settings->file = strdup(file)) == NULL)
        return err_memory(err, "configuration");

    config_init(&tree);
    if (config_read_string(&tree, (const char *)copy.data) != CONFIG_TRUE)
        return fail_syntax(&tree, text, size, file, err);
    if (read_tree(settings, config_root_setting(&tree), err) < 0)
        return -1;
    *ret_settings = TAKE_PTR(settings);
    return 0;
}

int
settings_read(const char *file, struct settings **ret_settings, struct err *err)
{
    AUTO(ptr) char *path = NULL;
    AUTO(secret_buf) struct buf text = BUF_INIT(0);
    AUTO(settings) struct settings *settings = NULL;
    struct stat st;

    if (settings_file_path(file, &path, err) < 0 || settings_file_read(path, &text, &st, err) < 0 ||
        settings_parse((const char *)text.data, text.size, path, &settings, err) < 0)
        return -1;

    const char *secret = settings_check_secret(settings);
    if (secret != NULL && settings_file_private(&st, path, secret, err) < 0)
        return -1;
    *ret_settings = TAKE_PTR(settings);
    return 0;
}
