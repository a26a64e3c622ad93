/* SPDX-License-Identifier: PostgreSQL */
#include "archive/ready.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define SUFFIX ".ready"
#define PATH_SIZE (sizeof(READY_DIRECTORY) + WAL_NAME_SIZE + sizeof(SUFFIX))

bool
ready_before(const struct wal_name *a, const struct wal_name *b)
{
    bool a_history = a->kind == WAL_NAME_HISTORY;
    bool b_history = b->kind == WAL_NAME_HISTORY;

    if (a_history != b_history)
        return a_history;
    return strcmp(a->text, b->text) < 0;
}

static bool
read_entry(const char *entry, struct wal_name *ret)
{
    size_t length = strlen(entry);
    size_t suffix = strlen(SUFFIX);

    return length > suffix && strcmp(entry + length - suffix, SUFFIX) == 0 &&
           wal_name_parse(entry, length - suffix, ret);
}

/* Keep it if it is among the first. */
static void
keep(struct ready *ready, const struct wal_name *name)
{
    size_t at = ready->n;

    if (at == READY_MAX && !ready_before(name, &ready->names[at - 1]))
        return;
    if (at == READY_MAX)
        at--;
    else
        ready->n++;
    while (at > 0 && ready_before(name, &ready->names[at - 1])) {
        ready->names[at] = ready->names[at - 1];
        at--;
    }
    ready->names[at] = *name;
}

int
ready_scan(const char *directory, struct ready *ret, struct err *err)
{
    AUTO(dir) DIR *dir = opendir(directory);
    struct wal_name name;

    if (dir == NULL)
        return err_sys(err, errno, "could not open \"%s\"", directory);
    ret->n = 0;
    ret->total = 0;
    errno = 0;
    for (struct dirent *entry = NULL; (entry = readdir(dir)) != NULL; errno = 0) {
        if (!read_entry(entry->d_name, &name))
            continue;
        keep(ret, &name);
        if (ret->total < READY_COUNT_MAX)
            ret->total++;
    }
    if (errno != 0)
        return err_sys(err, errno, "could not read \"%s\"", directory);
    return 0;
}

static bool
look(const char *name, struct stat *ret)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof(path), READY_DIRECTORY "/%s" SUFFIX, name);
    return lstat(path, ret) == 0;
}

bool
ready_is(const char *name)
{
    struct stat st;

    return look(name, &st);
}

int64_t
ready_since_us(const char *name)
{
    struct stat st;

    if (!look(name, &st))
        return 0;
    return (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
}
