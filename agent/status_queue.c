/* SPDX-License-Identifier: PostgreSQL */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/status.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define DIRECTORY "pg_wal/archive_status"

static int64_t
us_of(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000;
}

/* "NAME.ready" or "NAME.done" of a file PostgreSQL archives. */
static bool
read_name(const char *entry, struct wal_name *ret, bool *ret_ready)
{
    const char *dot = strrchr(entry, '.');

    if (dot == NULL || !wal_name_parse(entry, (size_t)(dot - entry), ret))
        return false;
    *ret_ready = strcmp(dot, ".ready") == 0;
    return *ret_ready || strcmp(dot, ".done") == 0;
}

/* An entry may be renamed or removed at any time: then it does not count. */
static void
add(struct status_queue *queue, int directory, const char *entry)
{
    struct wal_name name;
    struct stat st;
    bool ready = false;

    if (!read_name(entry, &name, &ready) ||
        fstatat(directory, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (ready) {
        int64_t since_us = us_of(&st.st_mtim);

        if (queue->ready++ == 0 || since_us < queue->oldest_us) {
            queue->oldest_us = since_us;
            (void)snprintf(queue->oldest, sizeof(queue->oldest), "%s", name.text);
        }
        return;
    }
    /* It was .ready before: only the status changed when it was renamed. */
    int64_t done_us = us_of(&st.st_ctim);
    if (done_us > queue->done_us) {
        queue->done_us = done_us;
        (void)snprintf(queue->done, sizeof(queue->done), "%s", name.text);
    }
}

int
status_read_queue(struct status *status, struct err *err)
{
    AUTO(fd) int fd = -1;

    if (fs_open_directory(DIRECTORY, &fd, err) < 0)
        return -1;
    AUTO(dir) DIR *directory = fdopendir(fd);
    if (directory == NULL)
        return err_sys(err, errno, "could not read \"" DIRECTORY "\"");
    int number = take_fd(&fd);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);

        if (entry == NULL && errno != 0)
            return err_sys(err, errno, "could not read \"" DIRECTORY "\"");
        if (entry == NULL)
            return 0;
        add(&status->queue, number, entry->d_name);
    }
}
