/* SPDX-License-Identifier: PostgreSQL */
#include "store/dir_made.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

void
dir_made_init(struct dir_made *made)
{
    made->next = 0;
    for (size_t i = 0; i < DIR_MADE_MAX; i++)
        made->entries[i].fd = -1;
}

void
dir_made_done(struct dir_made *made)
{
    for (size_t i = 0; i < DIR_MADE_MAX; i++)
        cleanup_fd(&made->entries[i].fd);
    dir_made_init(made);
}

static bool
is_same(int left, int right)
{
    struct stat one;
    struct stat other;

    return fstat(left, &one) == 0 && fstat(right, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

bool
dir_made_has(const struct dir_made *made, const char *path, int fd)
{
    for (size_t i = 0; i < DIR_MADE_MAX; i++)
        if (made->entries[i].fd >= 0 && strcmp(made->entries[i].path, path) == 0)
            return is_same(made->entries[i].fd, fd);
    return false;
}

/* Where the path stands, else the place whose turn it is. */
static size_t
place_for(struct dir_made *made, const char *path)
{
    for (size_t i = 0; i < DIR_MADE_MAX; i++)
        if (made->entries[i].fd >= 0 && strcmp(made->entries[i].path, path) == 0)
            return i;
    size_t at = made->next;
    made->next = (at + 1) % DIR_MADE_MAX;
    return at;
}

void
dir_made_add(struct dir_made *made, const char *path, int fd)
{
    AUTO(fd) int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0 || strlen(path) > STORE_NAME_MAX)
        return;
    size_t at = place_for(made, path);
    cleanup_fd(&made->entries[at].fd);
    made->entries[at].fd = take_fd(&copy);
    (void)snprintf(made->entries[at].path, sizeof(made->entries[at].path), "%s", path);
}
