/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/backup_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/macros.h"

#define LABEL_LENGTH (BACKUP_LABEL_SIZE - 1)
#define NUMBER_DIGITS 8
#define YEAR_10000_US ((int64_t)253402300800 * 1000000)

void
backup_label_of_time(int64_t real_us, char *ret_label)
{
    char text[CLOCK_TEXT_SIZE];
    size_t n = 0;

    /* A clock that is wrong by millennia still makes a label. */
    real_us = MIN_OF(MAX_OF(real_us, 0), YEAR_10000_US - 1);
    (void)clock_text(real_us, text);
    for (const char *c = text; *c != '\0' && n < LABEL_LENGTH; c++)
        if (*c != '-' && *c != ':')
            ret_label[n++] = *c;
    ret_label[n] = '\0';
}

/* The two digits at text[0], or 99, which is none of a date's numbers. */
static unsigned
two_digits(const char *text)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return 99;
    return (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
}

static bool
date_exists(int64_t year, unsigned month, unsigned day)
{
    int64_t same_year = 0;
    unsigned same_month = 0;
    unsigned same_day = 0;

    if (month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    clock_civil_from_days(clock_days_from_civil(year, month, day), &same_year, &same_month,
                          &same_day);
    return same_year == year && same_month == month && same_day == day;
}

bool
backup_label_valid(const char *text, size_t length)
{
    if (length != LABEL_LENGTH || text[8] != 'T' || text[15] != 'Z')
        return false;
    for (size_t i = 0; i < 4; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;

    int64_t year = (int64_t)two_digits(text) * 100 + two_digits(text + 2);
    return year >= 1970 && date_exists(year, two_digits(text + 4), two_digits(text + 6)) &&
           two_digits(text + 9) < 24 && two_digits(text + 11) < 60 && two_digits(text + 13) < 60;
}

void
backup_name_prefix(const struct object_owner *owner, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/backup/", owner->cluster,
                   owner->system_id);
}

void
backup_name_label_prefix(const struct object_owner *owner, const char *label, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/backup/%s/", owner->cluster,
                   owner->system_id, label);
}

void
backup_name_of(const struct object_owner *owner, const char *label, enum backup_object_kind kind,
               uint32_t number, char *ret)
{
    backup_name_label_prefix(owner, label, ret);

    size_t used = strlen(ret);
    switch (kind) {
    case BACKUP_PART:
        (void)snprintf(ret + used, OBJECT_NAME_SIZE - used, "part-%08" PRIu32, number);
        return;
    case BACKUP_MANIFEST:
        (void)snprintf(ret + used, OBJECT_NAME_SIZE - used, "manifest-%08" PRIu32, number);
        return;
    case BACKUP_COMPLETE:
        (void)snprintf(ret + used, OBJECT_NAME_SIZE - used, "complete");
        return;
    }
}

/* "part-00000001": the kind and the number of the last component of a name. */
static bool
parse_last(const char *last, enum backup_object_kind *ret_kind, uint32_t *ret_number)
{
    static const struct {
        const char *word;
        enum backup_object_kind kind;
    } numbered[] = {{"part-", BACKUP_PART}, {"manifest-", BACKUP_MANIFEST}};

    if (strcmp(last, "complete") == 0) {
        *ret_kind = BACKUP_COMPLETE;
        *ret_number = 0;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbered); i++) {
        size_t length = strlen(numbered[i].word);
        uint64_t number = 0;

        if (strncmp(last, numbered[i].word, length) != 0)
            continue;
        const char *digits = last + length;
        if (strlen(digits) != NUMBER_DIGITS)
            return false;
        size_t zeros = strspn(digits, "0");
        if (!decimal_read(digits + zeros, NUMBER_DIGITS - zeros, BACKUP_NUMBER_MAX, &number))
            return false;
        *ret_kind = numbered[i].kind;
        *ret_number = (uint32_t)number;
        return true;
    }
    return false;
}

bool
backup_name_parse(const struct object_owner *owner, const char *name, char *ret_label,
                  enum backup_object_kind *ret_kind, uint32_t *ret_number)
{
    char prefix[OBJECT_NAME_SIZE];
    enum backup_object_kind kind = BACKUP_COMPLETE;
    uint32_t number = 0;

    backup_name_prefix(owner, prefix);
    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return false;
    const char *label = name + strlen(prefix);
    if (strnlen(label, BACKUP_LABEL_SIZE) < BACKUP_LABEL_SIZE || label[LABEL_LENGTH] != '/' ||
        !backup_label_valid(label, LABEL_LENGTH) ||
        !parse_last(label + BACKUP_LABEL_SIZE, &kind, &number))
        return false;
    memcpy(ret_label, label, LABEL_LENGTH);
    ret_label[LABEL_LENGTH] = '\0';
    *ret_kind = kind;
    *ret_number = number;
    return true;
}
