/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/hex.h"
#include "config/settings_parts.h"

#define STORE_NAME_MAX 32
#define CLUSTER_MAX 63
#define LZ4_LEVEL_MAX 12

static bool
is_lower_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Where a setting stands, or else its group. */
static unsigned
line_of(const config_setting_t *group, const char *name)
{
    const config_setting_t *setting = config_setting_get_member(group, name);

    return config_setting_source_line(setting == NULL ? group : setting);
}

static int
check_cluster(const struct settings *settings, const config_setting_t *root, struct err *err)
{
    const char *name = settings->cluster;
    size_t length = strlen(name);
    bool good =
        is_lower_alphanumeric(name[0]) && length <= CLUSTER_MAX && strstr(name, "..") == NULL;

    for (size_t i = 0; i < length; i++)
        good = good && (is_lower_alphanumeric(name[i]) || strchr("._-", name[i]) != NULL);
    if (good)
        return 0;
    (void)settings_fail(err, settings->file, line_of(root, "cluster"),
                        "\"cluster\" is not a valid name");
    return err_hint(err,
                    "Use 1 to %d of a-z 0-9 . _ - beginning with a letter or digit, without "
                    "two dots in a row.",
                    CLUSTER_MAX);
}

static int
check_system_id(const struct settings *settings, const config_setting_t *root, struct err *err)
{
    uint64_t value = 0;

    if (settings->system_id == NULL ||
        (decimal_read(settings->system_id, strlen(settings->system_id), UINT64_MAX, &value) &&
         value != 0))
        return 0;
    (void)settings_fail(err, settings->file, line_of(root, "system_id"),
                        "\"system_id\" is not a system identifier");
    return err_hint(err, "pg_controldata prints it as \"Database system identifier\".");
}

static int
check_store_name(const struct settings *settings, const struct settings_store *store, unsigned line,
                 struct err *err)
{
    size_t length = strlen(store->name);
    bool good = length <= STORE_NAME_MAX;

    for (size_t i = 0; i < length; i++)
        good = good && (is_lower_alphanumeric(store->name[i]) || store->name[i] == '-');
    if (good)
        return 0;
    (void)settings_fail(err, settings->file, line, "the store's \"name\" is not valid");
    return err_hint(err, "Use 1 to %d of a-z 0-9 and -.", STORE_NAME_MAX);
}

static size_t
length_without_slashes(const char *text)
{
    size_t length = strlen(text);

    while (length > 0 && text[length - 1] == '/')
        length--;
    return length;
}

static bool
same_place(const char *left, const char *right)
{
    if (left == NULL || right == NULL)
        return left == right;

    size_t length = length_without_slashes(left);
    return length == length_without_slashes(right) && memcmp(left, right, length) == 0;
}

/* Two names for one place would count one copy twice. */
static int
check_store_unique(const struct settings *settings, size_t i, const config_setting_t *group,
                   struct err *err)
{
    const struct settings_store *store = &settings->stores[i];

    for (size_t j = 0; j < i; j++) {
        const struct settings_store *other = &settings->stores[j];

        if (strcmp(store->name, other->name) == 0)
            return settings_fail(err, settings->file, line_of(group, "name"),
                                 "two stores have the same \"name\"");
        if (same_place(store->url, other->url) && same_place(store->endpoint, other->endpoint))
            return settings_fail(err, settings->file, line_of(group, "url"),
                                 "two stores have the same \"url\"");
    }
    return 0;
}

static int
check_store(const struct settings *settings, size_t i, const config_setting_t *group,
            struct err *err)
{
    const struct settings_store *store = &settings->stores[i];

    if (check_store_name(settings, store, line_of(group, "name"), err) < 0 ||
        check_store_unique(settings, i, group, err) < 0)
        return -1;
    if ((store->access_key_id == NULL) == (store->secret_access_key == NULL))
        return 0;

    const char *given = store->access_key_id != NULL ? "access_key_id" : "secret_access_key";
    const char *missing = store->access_key_id == NULL ? "access_key_id" : "secret_access_key";
    return settings_fail(err, settings->file, line_of(group, given), "\"%s\" without \"%s\"", given,
                         missing);
}

int
settings_check(const struct settings *settings, const config_setting_t *root, struct err *err)
{
    const config_setting_t *stores = config_setting_get_member(root, "stores");

    if (check_cluster(settings, root, err) < 0 || check_system_id(settings, root, err) < 0)
        return -1;
    for (size_t i = 0; i < settings->n_stores; i++)
        if (check_store(settings, i, config_setting_get_elem(stores, (unsigned)i), err) < 0)
            return -1;

    if ((uint64_t)settings->acknowledge > settings->n_stores)
        return settings_fail(err, settings->file, line_of(root, "acknowledge"),
                             "\"acknowledge\" is larger than the number of stores (%zu)",
                             settings->n_stores);
    if (settings->compression == SETTINGS_COMPRESSION_LZ4 &&
        settings->compression_level > LZ4_LEVEL_MAX)
        return settings_fail(err, settings->file, line_of(root, "compression_level"),
                             "\"compression_level\" of lz4 is at most %d", LZ4_LEVEL_MAX);
    return 0;
}

const char *
settings_check_secret(const struct settings *settings)
{
    const char *conninfo = settings->conninfo;

    for (size_t i = 0; i < settings->n_stores; i++)
        if (settings->stores[i].secret_access_key != NULL)
            return "secret_access_key";
    /* password=, sslpassword=, or postgresql://user:password@host */
    if (strcasestr(conninfo, "password") != NULL ||
        (strstr(conninfo, "://") != NULL && strchr(conninfo, '@') != NULL))
        return "conninfo";
    return NULL;
}
