/* SPDX-License-Identifier: PostgreSQL */
#include "restore/vacancy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/io.h"
#include "wal/pg_control.h"

/* What stands in a directory that should be empty, for the message. */
static int
occupied(int fd, const char *path, struct err *err)
{
    uint8_t bytes[PG_CONTROL_MIN_SIZE];
    struct pg_control control;
    struct err ignored = ERR_INIT;
    size_t got = 0;
    AUTO(fd) int file = -1;

    if (faccessat(fd, VACANCY_MARKER, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        (void)err_set(err, ERR_LOCAL, "\"%s\" holds a restore that was interrupted", path);
        return err_hint(err, "Remove the directory and the directories of its tablespaces, then "
                             "restore again.");
    }
    if (fs_open_file(fd, "global/pg_control", path, &file, NULL, &ignored) == 0) {
        if (io_read_full(file, bytes, sizeof(bytes), &got, path, &ignored) == 0 &&
            pg_control_parse(bytes, sizeof(bytes), &control, &ignored) == 0)
            (void)err_set(err, ERR_LOCAL,
                          "\"%s\" holds a PostgreSQL server already, of system identifier %" PRIu64,
                          path, control.system_id);
        else
            (void)err_set(err, ERR_LOCAL, "\"%s\" holds a PostgreSQL server already", path);
    } else {
        (void)err_set(err, ERR_LOCAL, "directory \"%s\" is not empty", path);
    }
    return err_hint(err, "A restore never overwrites: name another directory, or move this one "
                         "away.");
}

static int
check_empty(int fd, const char *path, struct err *err)
{
    /* The stream closes its descriptor, and a duplicate would share the position. */
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(dir) DIR *dir = copy < 0 ? NULL : fdopendir(copy);

    if (dir == NULL) {
        int error_number = errno;

        if (copy >= 0)
            (void)close(copy);
        return err_sys(err, error_number, "could not read directory \"%s\"", path);
    }
    errno = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return occupied(fd, path, err);
    if (errno != 0)
        return err_sys(err, errno, "could not read directory \"%s\"", path);
    return 0;
}

static int
check_owner(const struct stat *st, const char *path, struct err *err)
{
    if (st->st_uid == geteuid())
        return 0;
    (void)err_set(err, ERR_LOCAL, "directory \"%s\" belongs to another user", path);
    return err_hint(err, "Restore as the user that is to run the server, into a directory of that "
                         "user.");
}

static int
open_vacant(const char *path, int *ret_fd, struct err *err)
{
    struct stat st;
    AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not open directory \"%s\"", path);
    if (check_owner(&st, path, err) < 0 || check_empty(fd, path, err) < 0)
        return -1;
    *ret_fd = take_fd(&fd);
    return 0;
}

/* "/a/b" of "../b//": the parent resolved, the last component as it is. */
static int
resolve(const char *path, char *ret_path, struct err *err)
{
    char copy[PATH_MAX];
    char parent[PATH_MAX];
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length >= sizeof(copy))
        return err_set(err, ERR_LOCAL, "the name of the directory is too long");
    memcpy(copy, path, length);
    copy[length] = '\0';

    char *slash = strrchr(copy, '/');
    const char *name = slash == NULL ? copy : slash + 1;

    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(err, ERR_LOCAL, "\"%s\" is not the name of a directory to restore into",
                       path);
    if (slash != NULL)
        *slash = '\0';
    if (realpath(slash == NULL ? "." : slash == copy ? "/" : copy, parent) == NULL) {
        (void)err_sys(err, errno, "could not find the directory that is to hold \"%s\"", path);
        return err_hint(err, "Make it first.");
    }
    if (snprintf(ret_path, PATH_MAX, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) >=
        PATH_MAX)
        return err_set(err, ERR_LOCAL, "the name of the directory is too long");
    return 0;
}

int
vacancy_examine(const char *path, char **ret_path, struct err *err)
{
    char resolved[PATH_MAX];
    struct stat st;
    AUTO(fd) int fd = -1;

    if (resolve(path, resolved, err) < 0)
        return -1;
    if (lstat(resolved, &st) < 0) {
        if (errno != ENOENT)
            return err_sys(err, errno, "could not look at \"%s\"", resolved);
    } else if (S_ISLNK(st.st_mode)) {
        (void)err_set(err, ERR_LOCAL, "\"%s\" is a symbolic link", resolved);
        return err_hint(err, "Name the directory itself.");
    } else if (!S_ISDIR(st.st_mode)) {
        return err_set(err, ERR_LOCAL, "\"%s\" is not a directory", resolved);
    } else if (check_owner(&st, resolved, err) < 0 || open_vacant(resolved, &fd, err) < 0) {
        return -1;
    }
    *ret_path = strdup(resolved);
    return *ret_path == NULL ? err_memory(err, "a directory's name") : 0;
}

static int
sync_parent(const char *path, struct err *err)
{
    char parent[PATH_MAX];
    AUTO(fd) int fd = -1;

    (void)snprintf(parent, sizeof(parent), "%s", path);
    strrchr(parent, '/')[1] = '\0';
    return fs_open_directory(parent, &fd, err) < 0 ? -1 : fs_sync_directory(fd, parent, err);
}

int
vacancy_take(const char *path, int *ret_fd, struct err *err)
{
    AUTO(fd) int fd = -1;

    if (mkdir(path, 0700) == 0) {
        if (sync_parent(path, err) < 0)
            return -1;
    } else if (errno != EEXIST) {
        return err_sys(err, errno, "could not create directory \"%s\"", path);
    }
    if (open_vacant(path, &fd, err) < 0)
        return -1;
    if (fchmod(fd, 0700) < 0)
        return err_sys(err, errno, "could not set permissions of directory \"%s\"", path);
    *ret_fd = take_fd(&fd);
    return 0;
}
