/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json_read.h"
#include "restore/plan_parts.h"

static const char *const kind_names[] = {
    [TARGET_LATEST] = "latest", [TARGET_BACKUP_END] = "backup_end", [TARGET_TIME] = "time",
    [TARGET_LSN] = "lsn",       [TARGET_XID] = "xid",               [TARGET_NAME] = "name",
    [TARGET_BEFORE] = "before",
};

static const char *const timeline_names[] = {
    [TARGET_TIMELINE_LATEST] = "latest",
    [TARGET_TIMELINE_CURRENT] = "current",
    [TARGET_TIMELINE_NUMBER] = "number",
};

static void
add_lsn(struct json *json, const char *key, uint64_t lsn)
{
    char text[WAL_LSN_TEXT_SIZE];

    json_add_text(json, key, wal_lsn_text(lsn, text));
}

void
plan_target_json(struct json *json, const struct recovery_target *target)
{
    char text[TARGET_TEXT_SIZE];
    char hex[TARGET_NAME_SIZE * 2];
    char event_hex[TARGET_EVENT_SIZE * 2];

    json_open_object(json, "target");
    json_add_text(json, "kind", kind_names[target->kind]);
    json_add_text(json, "text", target_text(target, text, sizeof(text)));
    switch (target->kind) {
    case TARGET_TIME:
        json_add_number(json, "time_us", target->time_us);
        break;
    case TARGET_LSN:
        add_lsn(json, "lsn", target->lsn);
        break;
    case TARGET_XID:
        json_add_number(json, "xid", target->xid);
        break;
    case TARGET_NAME:
        /* The bytes, whatever encoding they are in. */
        json_add_text(json, "name_hex",
                      hex_text((const uint8_t *)target->name, strlen(target->name), hex));
        break;
    case TARGET_BEFORE:
        json_add_text(json, "event_hex",
                      hex_text((const uint8_t *)target->event, strlen(target->event), event_hex));
        break;
    case TARGET_LATEST:
    case TARGET_BACKUP_END:
        break;
    }
    if (target->found_lsn != 0)
        add_lsn(json, "found_lsn", target->found_lsn);
    if (target->stop_lsn != 0)
        add_lsn(json, "stop_lsn", target->stop_lsn);
    json_add_text(json, "timeline", timeline_names[target->timeline_kind]);
    if (target->timeline_kind == TARGET_TIMELINE_NUMBER)
        json_add_number(json, "timeline_number", target->timeline);
    json_close(json);
}

int
plan_read_lsn(const struct json_t *object, const char *key, uint64_t *ret, struct err *err)
{
    const char *text = NULL;

    if (json_read_string(json_read_member(object, key), key, 3, WAL_LSN_TEXT_SIZE, &text, err) < 0)
        return -1;
    if (!wal_lsn_parse(text, strlen(text), ret))
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a WAL position", key);
    return 0;
}

int
plan_read_number(const struct json_t *object, const char *key, int64_t max, uint64_t *ret,
            struct err *err)
{
    int64_t number = 0;

    if (json_read_integer(json_read_member(object, key), key, 0, max, &number, err) < 0)
        return -1;
    *ret = (uint64_t)number;
    return 0;
}

int
plan_read_timeline(const struct json_t *object, const char *key, uint32_t *ret, struct err *err)
{
    int64_t number = 0;

    if (json_read_integer(json_read_member(object, key), key, 1, UINT32_MAX, &number, err) < 0)
        return -1;
    *ret = (uint32_t)number;
    return 0;
}

/* One of the names; *ret is its place. */
static int
read_choice(const struct json_t *object, const char *key, const char *const *names, size_t n,
            size_t *ret, struct err *err)
{
    const char *text = NULL;

    if (json_read_string(json_read_member(object, key), key, 1, 32, &text, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], text) == 0) {
            *ret = i;
            return 0;
        }
    return err_set(err, ERR_CORRUPT, "\"%s\" is none of the words it can be", key);
}

/* Text as the hexadecimal digits of its bytes. */
static int
read_hex(const struct json_t *object, const char *key, char *ret, size_t size, struct err *err)
{
    const char *hex = NULL;

    if (json_read_string(json_read_member(object, key), key, 2, 2 * (size - 1), &hex, err) < 0)
        return -1;
    size_t length = strlen(hex) / 2;
    memset(ret, 0, size);
    if (strlen(hex) % 2 != 0 || !hex_read_bytes(hex, length, (uint8_t *)ret))
        return err_set(err, ERR_CORRUPT, "\"%s\" is not hexadecimal", key);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)ret[i] < 0x20 || ret[i] == 0x7f)
            return err_set(err, ERR_CORRUPT, "\"%s\" has a control character", key);
    return 0;
}

/* What reading the WAL told; absent in plans that nothing had to be read for. */
static int
read_positions(const struct json_t *object, struct recovery_target *target, struct err *err)
{
    if (json_read_member(object, "found_lsn") != NULL &&
        plan_read_lsn(object, "found_lsn", &target->found_lsn, err) < 0)
        return -1;
    if (json_read_member(object, "stop_lsn") != NULL &&
        plan_read_lsn(object, "stop_lsn", &target->stop_lsn, err) < 0)
        return -1;
    if (target->kind == TARGET_BEFORE && target->stop_lsn == 0)
        return err_set(err, ERR_CORRUPT, "\"stop_lsn\" is missing");
    return 0;
}

int
plan_target_read(const struct json_t *object, struct recovery_target *target, struct err *err)
{
    uint64_t number = 0;
    size_t choice = 0;

    if (json_read_is_object(object, "target", err) < 0 ||
        read_choice(object, "kind", kind_names, ARRAY_SIZE(kind_names), &choice, err) < 0)
        return -1;
    target->kind = (enum target_kind)choice;
    if (read_choice(object, "timeline", timeline_names, ARRAY_SIZE(timeline_names), &choice, err) <
        0)
        return -1;
    target->timeline_kind = (enum target_timeline)choice;
    if (target->timeline_kind == TARGET_TIMELINE_NUMBER &&
        plan_read_timeline(object, "timeline_number", &target->timeline, err) < 0)
        return -1;
    if (read_positions(object, target, err) < 0)
        return -1;
    switch (target->kind) {
    case TARGET_TIME:
        return json_read_integer(json_read_member(object, "time_us"), "time_us", TARGET_TIME_MIN,
                                 TARGET_TIME_MAX, &target->time_us, err);
    case TARGET_LSN:
        return plan_read_lsn(object, "lsn", &target->lsn, err);
    case TARGET_XID:
        if (plan_read_number(object, "xid", UINT32_MAX, &number, err) < 0)
            return -1;
        target->xid = (uint32_t)number;
        return number < 3 ? err_set(err, ERR_CORRUPT, "\"xid\" is none a transaction can have") : 0;
    case TARGET_NAME:
        return read_hex(object, "name_hex", target->name, sizeof(target->name), err);
    case TARGET_BEFORE:
        return read_hex(object, "event_hex", target->event, sizeof(target->event), err);
    case TARGET_LATEST:
    case TARGET_BACKUP_END:
        break;
    }
    return 0;
}
