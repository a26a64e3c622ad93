/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json_read.h"
#include "catalog/backup_manifest.h"
#include "catalog/complete_fields.h"

static const struct json_read_bounds document_bounds = {.size = BACKUP_COMPLETE_MAX, .depth = 8};

static void *
place_of(struct backup_complete *complete, const struct complete_field *field)
{
    return (uint8_t *)complete + field->offset;
}

static int
read_number(const struct json_t *document, const struct complete_field *field, uint64_t *ret,
            struct err *err)
{
    int64_t number = 0;

    if (json_read_integer(json_read_member(document, field->key), field->key, field->min,
                          field->max, &number, err) < 0)
        return -1;
    *ret = (uint64_t)number;
    return 0;
}

static int
read_lsn(const struct json_t *document, const char *key, uint64_t *ret, struct err *err)
{
    const char *text = NULL;

    if (json_read_string(json_read_member(document, key), key, 3, WAL_LSN_TEXT_SIZE, &text, err) <
        0)
        return -1;
    if (!wal_lsn_parse(text, strlen(text), ret))
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a WAL position", key);
    return 0;
}

static int
read_segment(const struct json_t *document, const char *key, struct wal_name *ret, struct err *err)
{
    const char *text = NULL;

    if (json_read_string(json_read_member(document, key), key, WAL_SEGMENT_NAME_LENGTH,
                         WAL_SEGMENT_NAME_LENGTH, &text, err) < 0)
        return -1;
    if (!wal_name_parse(text, strlen(text), ret) || ret->kind != WAL_NAME_SEGMENT)
        return err_set(err, ERR_CORRUPT, "\"%s\" is not the name of a WAL segment", key);
    return 0;
}

static int
read_field(const struct json_t *document, const struct complete_field *field, void *place,
           struct err *err)
{
    uint64_t number = 0;

    switch (field->kind) {
    case COMPLETE_BOOL:
        return json_read_bool(json_read_member(document, field->key), field->key, place, err);
    case COMPLETE_LSN:
        return read_lsn(document, field->key, place, err);
    case COMPLETE_SEGMENT:
        return read_segment(document, field->key, place, err);
    case COMPLETE_INT:
    case COMPLETE_U32:
    case COMPLETE_U64:
    case COMPLETE_TIME:
        break;
    }
    if (read_number(document, field, &number, err) < 0)
        return -1;
    if (field->kind == COMPLETE_INT)
        *(int *)place = (int)number;
    else if (field->kind == COMPLETE_U32)
        *(uint32_t *)place = (uint32_t)number;
    else if (field->kind == COMPLETE_U64)
        *(uint64_t *)place = number;
    else
        *(int64_t *)place = (int64_t)number;
    return 0;
}

/* KEY or KEY_hex, on the heap. */
static int
read_bytes(const struct json_t *object, const char *key, size_t max, char **ret, struct err *err)
{
    const struct json_t *plain = json_read_member(object, key);
    const char *text = NULL;
    char key_hex[COMPLETE_KEY_SIZE];

    (void)snprintf(key_hex, sizeof(key_hex), "%s_hex", key);
    const struct json_t *in_hex = json_read_member(object, key_hex);
    if (plain != NULL && in_hex != NULL)
        return err_set(err, ERR_CORRUPT, "both \"%s\" and \"%s\"", key, key_hex);
    if (in_hex == NULL) {
        if (json_read_string(plain, key, 0, max, &text, err) < 0)
            return -1;
        *ret = strdup(text);
        return *ret == NULL ? err_memory(err, key) : 0;
    }
    if (json_read_string(in_hex, key_hex, 0, 2 * max, &text, err) < 0)
        return -1;
    size_t size = strlen(text) / 2;
    AUTO(ptr) char *bytes = calloc(1, size + 1);
    if (bytes == NULL)
        return err_memory(err, key);
    if (strlen(text) % 2 != 0 || !hex_read_bytes(text, size, (uint8_t *)bytes) ||
        strlen(bytes) != size)
        return err_set(err, ERR_CORRUPT, "\"%s\" is not text in hexadecimal", key_hex);
    *ret = TAKE_PTR(bytes);
    return 0;
}

static int
read_digest(const struct json_t *value, const char *what, uint8_t *ret, struct err *err)
{
    const char *text = NULL;

    if (json_read_string(value, what, 2 * DIGEST_SIZE, 2 * DIGEST_SIZE, &text, err) < 0)
        return -1;
    if (!hex_read_bytes(text, DIGEST_SIZE, ret))
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a digest in hexadecimal", what);
    return 0;
}

static int
read_digests(const struct json_t *document, struct backup_complete *complete, struct err *err)
{
    const struct json_t *array = json_read_member(document, "manifest_digests");
    size_t n = 0;

    if (json_read_array(array, "manifest_digests", complete->n_manifests, complete->n_manifests, &n,
                        err) < 0)
        return -1;
    complete->manifest_digests = calloc(n, sizeof(*complete->manifest_digests));
    if (complete->manifest_digests == NULL)
        return err_memory(err, "manifest_digests");
    for (size_t i = 0; i < n; i++)
        if (read_digest(json_read_element(array, i), "manifest_digests",
                        complete->manifest_digests[i], err) < 0)
            return -1;
    return read_digest(json_read_member(document, "parts_digest"), "parts_digest",
                       complete->parts_digest, err);
}

/* One element of "tablespaces" or "damage": a path and a number. */
static int
read_element(const struct json_t *element, const char *key, char **ret_path, uint32_t *ret_number,
             struct err *err)
{
    int64_t number = 0;

    if (json_read_is_object(element, "element", err) < 0 ||
        json_read_integer(json_read_member(element, key), key, 0, UINT32_MAX, &number, err) < 0 ||
        read_bytes(element, "path", MANIFEST_PATH_MAX - 1, ret_path, err) < 0)
        return -1;
    *ret_number = (uint32_t)number;
    return 0;
}

static int
read_tablespaces(const struct json_t *document, struct backup_complete *complete, struct err *err)
{
    const struct json_t *array = json_read_member(document, "tablespaces");
    size_t n = 0;

    if (json_read_array(array, "tablespaces", 0, BACKUP_TABLESPACES_MAX, &n, err) < 0)
        return -1;
    complete->tablespaces = calloc(n + 1, sizeof(*complete->tablespaces));
    if (complete->tablespaces == NULL)
        return err_memory(err, "tablespaces");
    for (; complete->n_tablespaces < n; complete->n_tablespaces++) {
        struct backup_tablespace *one = &complete->tablespaces[complete->n_tablespaces];

        if (read_element(json_read_element(array, complete->n_tablespaces), "oid", &one->path,
                         &one->oid, err) < 0)
            return err_wrap(err, "tablespace %zu", complete->n_tablespaces + 1);
    }
    return 0;
}

static int
read_damage(const struct json_t *document, struct backup_complete *complete, struct err *err)
{
    const struct json_t *array = json_read_member(document, "damage");
    size_t n = 0;

    if (json_read_array(array, "damage", 0, BACKUP_DAMAGE_MAX, &n, err) < 0)
        return -1;
    complete->damage = calloc(n + 1, sizeof(*complete->damage));
    if (complete->damage == NULL)
        return err_memory(err, "damage");
    for (; complete->n_damage < n; complete->n_damage++) {
        struct backup_damage *one = &complete->damage[complete->n_damage];

        if (read_element(json_read_element(array, complete->n_damage), "block", &one->path,
                         &one->block, err) < 0)
            return err_wrap(err, "damage %zu", complete->n_damage + 1);
    }
    return 0;
}

static int
read_version(const struct json_t *document, struct err *err)
{
    int64_t version = 0;

    if (json_read_integer(json_read_member(document, "seawall_backup"), "seawall_backup", 1,
                          INT64_MAX, &version, err) < 0)
        return -1;
    if (version <= COMPLETE_VERSION)
        return 0;
    (void)err_set(err, ERR_CONFIG, "the backup has version %lld, newer than %d", (long long)version,
                  COMPLETE_VERSION);
    return err_hint(err, "Use the version of Seawall that wrote it, or a later one.");
}

/* Whose and what kind of backup it is. */
static int
read_identity(const struct json_t *document, struct backup_complete *complete, struct err *err)
{
    const char *label = NULL;
    const char *system_id = NULL;
    const char *cluster = NULL;
    const char *kind = NULL;

    if (json_read_string(json_read_member(document, "label"), "label", BACKUP_LABEL_SIZE - 1,
                         BACKUP_LABEL_SIZE - 1, &label, err) < 0 ||
        json_read_string(json_read_member(document, "system_id"), "system_id", 1, 20, &system_id,
                         err) < 0 ||
        json_read_string(json_read_member(document, "cluster"), "cluster", 1,
                         sizeof(complete->cluster) - 1, &cluster, err) < 0 ||
        json_read_string(json_read_member(document, "kind"), "kind", 1, 16, &kind, err) < 0)
        return -1;
    if (!decimal_read(system_id, strlen(system_id), UINT64_MAX, &complete->system_id))
        return err_set(err, ERR_CORRUPT, "\"system_id\" is not a number");
    if (strcmp(kind, "full") != 0 && strcmp(kind, "incremental") != 0)
        return err_set(err, ERR_CORRUPT, "\"kind\" is neither \"full\" nor \"incremental\"");
    complete->incremental = strcmp(kind, "incremental") == 0;
    memcpy(complete->label, label, strlen(label) + 1);
    memcpy(complete->cluster, cluster, strlen(cluster) + 1);
    return 0;
}

/* Whether there is a tablespace_map, in either form. */
static bool
has_map(const struct json_t *document)
{
    return json_read_member(document, "tablespace_map") != NULL ||
           json_read_member(document, "tablespace_map_hex") != NULL;
}

static int
read_all(const struct json_t *document, struct backup_complete *complete, struct err *err)
{
    if (read_version(document, err) < 0 || read_identity(document, complete, err) < 0)
        return -1;
    for (size_t i = 0; i < COMPLETE_FIELDS; i++)
        if (read_field(document, &complete_fields[i], place_of(complete, &complete_fields[i]),
                       err) < 0)
            return -1;
    if (read_digests(document, complete, err) < 0 ||
        read_bytes(document, "backup_label", BACKUP_COMPLETE_MAX, &complete->backup_label_text,
                   err) < 0 ||
        (has_map(document) && read_bytes(document, "tablespace_map", BACKUP_COMPLETE_MAX,
                                         &complete->tablespace_map_text, err) < 0) ||
        read_tablespaces(document, complete, err) < 0 || read_damage(document, complete, err) < 0)
        return -1;
    return complete_fields_check(complete, err);
}

int
backup_complete_read(const uint8_t *text, size_t size, struct backup_complete *ret, struct err *err)
{
    AUTO(json_document) struct json_t *document = NULL;
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;

    if (json_read_object(text, size, &document_bounds, &document, err) < 0 ||
        read_all(document, &complete, err) < 0)
        return err_wrap(err, "could not read the completion of the backup");
    *ret = complete;
    complete = BACKUP_COMPLETE_INIT;
    return 0;
}
