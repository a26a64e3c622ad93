/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/backup_complete.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/utf8.h"
#include "catalog/complete_fields.h"

static const void *
value_of(const struct backup_complete *complete, const struct complete_field *field)
{
    return (const uint8_t *)complete + field->offset;
}

/* Bytes that should be text, but need not be: KEY, or KEY_hex when they are not UTF-8. */
static void
add_bytes(struct json *json, const char *key, const char *bytes)
{
    size_t length = strlen(bytes);
    char key_hex[COMPLETE_KEY_SIZE];

    if (utf8_valid(bytes, length)) {
        json_add_text(json, key, bytes);
        return;
    }
    AUTO(ptr) char *hex = malloc(2 * length + 1);
    (void)snprintf(key_hex, sizeof(key_hex), "%s_hex", key);
    if (hex == NULL)
        json_fail(json);
    else
        json_add_text(json, key_hex, hex_text((const uint8_t *)bytes, length, hex));
}

static int
add_number(struct json *json, const struct complete_field *field, uint64_t number, struct err *err)
{
    if (number > INT64_MAX || (int64_t)number < field->min || (int64_t)number > field->max)
        return err_set(err, ERR_CORRUPT, "\"%s\" is %llu, wanted %lld to %lld", field->key,
                       (unsigned long long)number, (long long)field->min, (long long)field->max);
    json_add_number(json, field->key, (int64_t)number);
    return 0;
}

static int
add_field(struct json *json, const struct complete_field *field, const void *value, struct err *err)
{
    char lsn[WAL_LSN_TEXT_SIZE];

    switch (field->kind) {
    case COMPLETE_INT:
        return add_number(json, field, (uint64_t)(int64_t) * (const int *)value, err);
    case COMPLETE_U32:
        return add_number(json, field, *(const uint32_t *)value, err);
    case COMPLETE_U64:
        return add_number(json, field, *(const uint64_t *)value, err);
    case COMPLETE_TIME:
        return add_number(json, field, (uint64_t) * (const int64_t *)value, err);
    case COMPLETE_BOOL:
        json_add_bool(json, field->key, *(const bool *)value);
        return 0;
    case COMPLETE_LSN:
        json_add_text(json, field->key, wal_lsn_text(*(const uint64_t *)value, lsn));
        return 0;
    case COMPLETE_SEGMENT:
        json_add_text(json, field->key, ((const struct wal_name *)value)->text);
        return 0;
    }
    return 0;
}

static void
add_lists(struct json *json, const struct backup_complete *complete)
{
    json_open_array(json, "tablespaces");
    for (size_t i = 0; i < complete->n_tablespaces; i++) {
        json_open_object(json, NULL);
        json_add_number(json, "oid", complete->tablespaces[i].oid);
        add_bytes(json, "path", complete->tablespaces[i].path);
        json_close(json);
    }
    json_close(json);
    json_open_array(json, "damage");
    for (size_t i = 0; i < complete->n_damage; i++) {
        json_open_object(json, NULL);
        add_bytes(json, "path", complete->damage[i].path);
        json_add_number(json, "block", complete->damage[i].block);
        json_close(json);
    }
    json_close(json);
}

static int
add_all(struct json *json, const struct backup_complete *complete, struct err *err)
{
    char text[2 * DIGEST_SIZE + 1];

    if (complete_fields_check(complete, err) < 0)
        return -1;
    json_add_number(json, "seawall_backup", COMPLETE_VERSION);
    json_add_text(json, "label", complete->label);
    (void)snprintf(text, sizeof(text), "%" PRIu64, complete->system_id);
    json_add_text(json, "system_id", text);
    json_add_text(json, "cluster", complete->cluster);
    json_add_text(json, "kind", complete->incremental ? "incremental" : "full");
    for (size_t i = 0; i < COMPLETE_FIELDS; i++)
        if (add_field(json, &complete_fields[i], value_of(complete, &complete_fields[i]), err) < 0)
            return -1;
    json_open_array(json, "manifest_digests");
    for (size_t i = 0; i < complete->n_manifests; i++)
        json_add_text(json, NULL, hex_text(complete->manifest_digests[i], DIGEST_SIZE, text));
    json_close(json);
    json_add_text(json, "parts_digest", hex_text(complete->parts_digest, DIGEST_SIZE, text));
    add_bytes(json, "backup_label", complete->backup_label_text);
    if (complete->tablespace_map_text != NULL)
        add_bytes(json, "tablespace_map", complete->tablespace_map_text);
    add_lists(json, complete);
    return 0;
}

int
backup_complete_write(const struct backup_complete *complete, struct buf *text, struct err *err)
{
    AUTO(json) struct json *json = json_new();
    AUTO(buf) struct buf document = BUF_INIT(BACKUP_COMPLETE_MAX);

    if (json == NULL)
        return err_memory(err, "JSON");
    if (add_all(json, complete, err) < 0) {
        err->kind = ERR_INTERNAL;
        return err_wrap(err, "could not write the completion of the backup");
    }
    int rc = json_write(json, &document, err);
    if (rc == 0)
        rc = buf_append(text, document.data, document.size, err);
    if (rc == BUF_FULL)
        return err_set(err, ERR_INTERNAL, "the completion of the backup is too large");
    return rc;
}

void
backup_complete_done(struct backup_complete *complete)
{
    for (size_t i = 0; i < complete->n_tablespaces; i++)
        free(complete->tablespaces[i].path);
    for (size_t i = 0; i < complete->n_damage; i++)
        free(complete->damage[i].path);
    free(complete->tablespaces);
    free(complete->damage);
    free(complete->manifest_digests);
    free(complete->backup_label_text);
    free(complete->tablespace_map_text);
    *complete = BACKUP_COMPLETE_INIT;
}
