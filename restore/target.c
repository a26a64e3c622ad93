/* SPDX-License-Identifier: PostgreSQL */
#include "restore/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hex.h"
#include "wal/wal_name.h"

#define US_PER_S 1000000
#define ZONE_MAX_HOURS 15 /* as PostgreSQL */
#define XID_FIRST_NORMAL 3

/* A date and time as it stands, without a zone. */
struct civil {
    unsigned year;
    unsigned month;
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
    unsigned us;
};

/* Exactly `digits` decimal digits. */
static bool
take_number(const char **at, size_t digits, unsigned *ret)
{
    unsigned value = 0;

    for (size_t i = 0; i < digits; i++) {
        char c = (*at)[i];

        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (unsigned)(c - '0');
    }
    *at += digits;
    *ret = value;
    return true;
}

static bool
take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static unsigned
days_in_month(unsigned year, unsigned month)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* One to six digits behind the point. */
static bool
take_fraction(const char **at, unsigned *ret_us)
{
    unsigned us = 0;
    size_t digits = 0;

    for (unsigned digit = 0; digits < 6 && take_number(at, 1, &digit); digits++)
        us = us * 10 + digit;
    for (size_t i = digits; i < 6; i++)
        us *= 10;
    *ret_us = us;
    return digits > 0;
}

static bool
take_civil(const char **at, struct civil *ret)
{
    struct civil civil = {.us = 0};

    if (!take_number(at, 4, &civil.year) || !take_char(at, '-') ||
        !take_number(at, 2, &civil.month) || !take_char(at, '-') ||
        !take_number(at, 2, &civil.day) || !(take_char(at, ' ') || take_char(at, 'T')) ||
        !take_number(at, 2, &civil.hour) || !take_char(at, ':') ||
        !take_number(at, 2, &civil.minute) || !take_char(at, ':') ||
        !take_number(at, 2, &civil.second))
        return false;
    if (take_char(at, '.') && !take_fraction(at, &civil.us))
        return false;
    if (civil.year < 1970 || civil.month < 1 || civil.month > 12 || civil.day < 1 ||
        civil.day > days_in_month(civil.year, civil.month) || civil.hour > 23 ||
        civil.minute > 59 || civil.second > 59)
        return false;
    *ret = civil;
    return true;
}

/* The zone up to the end of the text, in seconds east of UTC. */
static bool
take_zone(const char *at, int64_t *ret_east_s)
{
    unsigned hours = 0;
    unsigned minutes = 0;

    if (strcmp(at, "Z") == 0 || strcmp(at, "UTC") == 0) {
        *ret_east_s = 0;
        return true;
    }
    bool west = *at == '-';
    if (!take_char(&at, '+') && !take_char(&at, '-'))
        return false;
    if (!take_number(&at, 2, &hours) || hours > ZONE_MAX_HOURS)
        return false;
    if (take_char(&at, ':') && (!take_number(&at, 2, &minutes) || minutes > 59))
        return false;
    if (*at != '\0')
        return false;
    int64_t east_s = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *ret_east_s = west ? -east_s : east_s;
    return true;
}

static int64_t
utc_us(const struct civil *civil, int64_t east_s)
{
    int64_t days = clock_days_from_civil(civil->year, civil->month, civil->day);
    int64_t seconds = days * 86400 + (int64_t)civil->hour * 3600 + (int64_t)civil->minute * 60 +
                      (int64_t)civil->second - east_s;

    return seconds * US_PER_S + (int64_t)civil->us;
}

/* How this machine's time zone reads a time without one: "+01:00", or nothing if it cannot say. */
static void
local_zone(const struct civil *civil, char *text, size_t size)
{
    struct tm broken = {
        .tm_year = (int)civil->year - 1900,
        .tm_mon = (int)civil->month - 1,
        .tm_mday = (int)civil->day,
        .tm_hour = (int)civil->hour,
        .tm_min = (int)civil->minute,
        .tm_sec = (int)civil->second,
        .tm_isdst = -1,
    };

    *text = '\0';
    if (mktime(&broken) == (time_t)-1 || broken.tm_gmtoff % 60 != 0)
        return;
    long east_min = broken.tm_gmtoff / 60;
    long value = east_min < 0 ? -east_min : east_min;
    (void)snprintf(text, size, "%c%02ld:%02ld", east_min < 0 ? '-' : '+', value / 60, value % 60);
}

static int
refuse_without_zone(const char *option, const char *text, const struct civil *civil,
                    struct err *err)
{
    char local[32];

    (void)err_set(err, ERR_CONFIG, "%s has no time zone", option);
    local_zone(civil, local, sizeof(local));
    if (local[0] == '\0')
        return err_hint(err, "Say \"%sZ\" if this is UTC, or add its zone: \"+HH:MM\".", text);
    return err_hint(err, "Say \"%sZ\" if this is UTC, \"%s%s\" if it is this machine's local time.",
                    text, text, local);
}

int
target_read_time(const char *option, const char *text, int64_t *ret_us, struct err *err)
{
    const char *at = text;
    struct civil civil;
    int64_t east_s = 0;

    if (take_civil(&at, &civil)) {
        if (*at == '\0')
            return refuse_without_zone(option, text, &civil, err);
        (void)take_char(&at, ' ');
        if (take_zone(at, &east_s)) {
            *ret_us = utc_us(&civil, east_s);
            return 0;
        }
    }
    (void)err_set(err, ERR_CONFIG, "%s is not a time that exists, with its zone", option);
    return err_hint(err, "Write it as \"2026-11-22 15:36:00.123456+01:00\", with Z, UTC, +HH or "
                         "+HH:MM as zone.");
}

static int
parse_time(const char *text, struct recovery_target *target, struct err *err)
{
    target->kind = TARGET_TIME;
    return target_read_time("--time", text, &target->time_us, err);
}

static int
parse_lsn(const char *text, struct recovery_target *target, struct err *err)
{
    if (!wal_lsn_parse(text, strlen(text), &target->lsn) || target->lsn == 0) {
        (void)err_set(err, ERR_CONFIG, "--lsn is not a WAL position");
        return err_hint(err, "Write it as PostgreSQL prints it, such as 16/B374D848.");
    }
    target->kind = TARGET_LSN;
    return 0;
}

static int
parse_xid(const char *text, struct recovery_target *target, struct err *err)
{
    uint64_t xid = 0;

    if (!decimal_read(text, strlen(text), UINT64_MAX, &xid))
        return err_set(err, ERR_CONFIG, "--xid is not a transaction id in decimal digits");
    if ((uint32_t)xid < XID_FIRST_NORMAL)
        return err_set(err, ERR_CONFIG, "--xid is none that a transaction can have");
    target->kind = TARGET_XID;
    target->xid = (uint32_t)xid;
    return 0;
}

static int
parse_name(const char *text, struct recovery_target *target, struct err *err)
{
    size_t length = strlen(text);

    if (length == 0)
        return err_set(err, ERR_CONFIG, "--name is empty");
    if (length >= TARGET_NAME_SIZE)
        return err_set(err, ERR_CONFIG, "--name has more than %d bytes, PostgreSQL's limit",
                       TARGET_NAME_SIZE - 1);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_set(err, ERR_CONFIG, "--name has a control character");
    memcpy(target->name, text, length + 1);
    target->kind = TARGET_NAME;
    return 0;
}

static int
parse_event(const char *text, struct recovery_target *target, struct err *err)
{
    size_t length = strlen(text);

    if (length == 0 || length >= TARGET_EVENT_SIZE)
        return err_set(err, ERR_CONFIG, "--before is empty or too long");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_set(err, ERR_CONFIG, "--before has a control character");
    memcpy(target->event, text, length + 1);
    target->kind = TARGET_BEFORE;
    return 0;
}

static int
parse_timeline(const char *text, struct recovery_target *target, struct err *err)
{
    uint64_t number = 0;

    if (text == NULL || strcmp(text, "latest") == 0) {
        target->timeline_kind = TARGET_TIMELINE_LATEST;
        return 0;
    }
    if (strcmp(text, "current") == 0) {
        target->timeline_kind = TARGET_TIMELINE_CURRENT;
        return 0;
    }
    if (!decimal_read(text, strlen(text), UINT32_MAX, &number) || number == 0) {
        (void)err_set(err, ERR_CONFIG,
                      "--timeline is not \"latest\", \"current\" or a number in decimal digits");
        return err_hint(err, "Files are named in hexadecimal: 0000000A.history is timeline 10.");
    }
    target->timeline_kind = TARGET_TIMELINE_NUMBER;
    target->timeline = (uint32_t)number;
    return 0;
}

int
target_parse(const struct target_options *options, struct recovery_target *ret, struct err *err)
{
    static const char choices[] =
        "Choose one of --before, --latest, --backup-end, --time, --lsn, --xid and --name.";
    struct recovery_target target = {.kind = TARGET_LATEST};
    int given = (options->time != NULL) + (options->lsn != NULL) + (options->xid != NULL) +
                (options->name != NULL) + (options->before != NULL) + options->latest +
                options->backup_end;
    int rc = 0;

    if (given != 1) {
        (void)err_set(err, ERR_CONFIG,
                      given == 0 ? "there is no recovery target" : "several recovery targets");
        return err_hint(err, "%s", choices);
    }
    if (options->time != NULL)
        rc = parse_time(options->time, &target, err);
    else if (options->lsn != NULL)
        rc = parse_lsn(options->lsn, &target, err);
    else if (options->xid != NULL)
        rc = parse_xid(options->xid, &target, err);
    else if (options->name != NULL)
        rc = parse_name(options->name, &target, err);
    else if (options->before != NULL)
        rc = parse_event(options->before, &target, err);
    else
        target.kind = options->latest ? TARGET_LATEST : TARGET_BACKUP_END;
    if (rc < 0 || parse_timeline(options->timeline, &target, err) < 0)
        return -1;
    *ret = target;
    return 0;
}
