/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "restore/target.h"
#include "wal/wal_name.h"

#define US_PER_S 1000000

bool
target_stops_at(const struct recovery_target *target, uint64_t *ret_lsn)
{
    if (target->kind != TARGET_LSN && target->stop_lsn == 0)
        return false;
    *ret_lsn = target->stop_lsn != 0 ? target->stop_lsn : target->lsn;
    return true;
}

/* "2026-11-22 15:36:00.5+00" */
const char *
target_time_text(int64_t time_us, char *text, size_t size)
{
    char whole[CLOCK_TEXT_SIZE];
    char fraction[8] = "";
    int64_t us = time_us % US_PER_S;

    /* Fractions count forwards, also before 1970 (a zone can lead there). */
    if (us < 0)
        us += US_PER_S;
    (void)clock_text(time_us, whole);
    if (us != 0) {
        (void)snprintf(fraction, sizeof(fraction), ".%06d", (int)us);
        for (size_t length = strlen(fraction); length > 0 && fraction[length - 1] == '0'; length--)
            fraction[length - 1] = '\0';
    }
    (void)snprintf(text, size, "%.10s %.8s%s+00", whole, whole + 11, fraction);
    return text;
}

const char *
target_text(const struct recovery_target *target, char *text, size_t size)
{
    char value[TARGET_EVENT_SIZE * 4 + 1];

    switch (target->kind) {
    case TARGET_LATEST:
        (void)snprintf(text, size, "the end of the archived WAL");
        break;
    case TARGET_BACKUP_END:
        (void)snprintf(text, size, "the end of the backup");
        break;
    case TARGET_TIME:
        (void)snprintf(text, size, "time %s",
                       target_time_text(target->time_us, value, sizeof(value)));
        break;
    case TARGET_LSN:
        (void)snprintf(text, size, "LSN %s", wal_lsn_text(target->lsn, value));
        break;
    case TARGET_XID:
        (void)snprintf(text, size, "transaction %" PRIu32, target->xid);
        break;
    case TARGET_NAME:
        (void)snprintf(text, size, "restore point \"%s\"",
                       err_quote(target->name, strlen(target->name), value, sizeof(value)));
        break;
    case TARGET_BEFORE:
        (void)snprintf(text, size, "before %s",
                       err_quote(target->event, strlen(target->event), value, sizeof(value)));
        break;
    }
    return text;
}

/* As the scanner of postgresql.conf undoes it: quotes doubled, backslashes escaped. */
static const char *
quoted_name(const char *name, char *text)
{
    size_t n = 0;

    for (; *name != '\0'; name++) {
        if (*name == '\'' || *name == '\\')
            text[n++] = *name;
        text[n++] = *name;
    }
    text[n] = '\0';
    return text;
}

const char *
target_setting(const struct recovery_target *target, char *text, size_t size)
{
    char value[TARGET_NAME_SIZE * 2];
    uint64_t stop_lsn = 0;

    if (target_stops_at(target, &stop_lsn)) {
        (void)snprintf(text, size, "recovery_target_lsn = '%s'\n", wal_lsn_text(stop_lsn, value));
        return text;
    }
    switch (target->kind) {
    case TARGET_LATEST:
        (void)snprintf(text, size, "%s", "");
        break;
    case TARGET_BACKUP_END:
        (void)snprintf(text, size, "recovery_target = 'immediate'\n");
        break;
    case TARGET_TIME:
        (void)snprintf(text, size, "recovery_target_time = '%s'\n",
                       target_time_text(target->time_us, value, sizeof(value)));
        break;
    case TARGET_XID:
        (void)snprintf(text, size, "recovery_target_xid = '%" PRIu32 "'\n", target->xid);
        break;
    case TARGET_NAME:
        (void)snprintf(text, size, "recovery_target_name = '%s'\n",
                       quoted_name(target->name, value));
        break;
    case TARGET_LSN:
    case TARGET_BEFORE: /* never without a position */
        (void)snprintf(text, size, "%s", "");
        break;
    }
    return text;
}

/* As a POSIX shell undoes it. */
static const char *
shell_word(const char *name, char *text)
{
    size_t n = 0;

    text[n++] = '\'';
    for (; *name != '\0'; name++) {
        if (*name == '\'') {
            memcpy(text + n, "'\\'", 3);
            n += 3;
        }
        text[n++] = *name;
    }
    text[n++] = '\'';
    text[n] = '\0';
    return text;
}

const char *
target_option(const struct recovery_target *target, char *text, size_t size)
{
    char value[TARGET_EVENT_SIZE * 4 + 3];
    uint64_t stop_lsn = 0;

    if (target_stops_at(target, &stop_lsn)) {
        (void)snprintf(text, size, "--lsn %s", wal_lsn_text(stop_lsn, value));
        return text;
    }
    switch (target->kind) {
    case TARGET_LATEST:
        (void)snprintf(text, size, "--latest");
        break;
    case TARGET_BACKUP_END:
        (void)snprintf(text, size, "--backup-end");
        break;
    case TARGET_TIME:
        (void)snprintf(text, size, "--time '%s'",
                       target_time_text(target->time_us, value, sizeof(value)));
        break;
    case TARGET_XID:
        (void)snprintf(text, size, "--xid %" PRIu32, target->xid);
        break;
    case TARGET_NAME:
        (void)snprintf(text, size, "--name %s", shell_word(target->name, value));
        break;
    case TARGET_BEFORE:
        (void)snprintf(text, size, "--before %s", shell_word(target->event, value));
        break;
    case TARGET_LSN: /* said above */
        break;
    }
    return text;
}
