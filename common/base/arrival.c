/* SPDX-License-Identifier: PostgreSQL */
#include "base/arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/process.h"

#define MODE (S_IRUSR | S_IWUSR)
#define PIECE_SIZE (64 * KIB)

/* A recovering server asks under these names, and removes such a file before it asks again. */
static bool
asked_by_server(const char *name)
{
    return strcmp(name, "RECOVERYXLOG") == 0 || strcmp(name, "RECOVERYHISTORY") == 0;
}

/* Split "a/b" into an open directory and "b". */
static int
open_parent(const char *path, int *ret_fd, const char **ret_name, struct err *err)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');

    *ret_name = slash == NULL ? path : slash + 1;
    if (**ret_name == '\0')
        return err_set(err, ERR_LOCAL, "\"%s\" names no file", path);
    if (slash == NULL)
        return fs_open_directory(".", ret_fd, err);
    if (slash == path)
        return fs_open_directory("/", ret_fd, err);
    if ((size_t)(slash - path) >= sizeof(directory))
        return err_sys(err, ENAMETOOLONG, "could not open the directory of \"%s\"", path);
    (void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
    return fs_open_directory(directory, ret_fd, err);
}

int
arrival_open(const char *path, struct arrival *ret, struct err *err)
{
    struct arrival arrival = ARRIVAL_INIT;

    if (open_parent(path, &arrival.directory, &arrival.name, err) < 0)
        return -1;
    arrival.by_server = asked_by_server(arrival.name);
    arrival.orphan_at_start = !process_session_alive();
    fs_clean_temporary(arrival.directory);
    *ret = arrival;
    return 0;
}

void
arrival_done(struct arrival *arrival)
{
    if (arrival->directory >= 0)
        (void)close(arrival->directory);
    *arrival = ARRIVAL_INIT;
}

/* A person's shell may have gone before we began; that is no server's death. */
static int
check_server_alive(const struct arrival *arrival, const char *what, struct err *err)
{
    if (process_session_alive() || (arrival->orphan_at_start && !arrival->by_server))
        return 0;
    return err_set(err, ERR_LOCAL, "the server that asked for \"%s\" is gone; nothing was written",
                   what);
}

static int
commit(const struct arrival *arrival, struct newfile *file, const char *what, struct err *err)
{
    if (check_server_alive(arrival, what, err) < 0)
        return -1;
    return newfile_commit_replace(file, arrival->name, !arrival->by_server, err);
}

static int
copy(int from, int to, const char *what, struct err *err)
{
    AUTO(ptr) uint8_t *piece = malloc(PIECE_SIZE);

    if (piece == NULL)
        return err_memory(err, "copying a file");
    /* Its position belongs to whoever wrote it. */
    for (off_t offset = 0;;) {
        ssize_t n = pread(from, piece, PIECE_SIZE, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "could not read \"%s\"", what);
        if (n == 0)
            return 0;
        if (io_write_full(to, piece, (size_t)n, what, err) < 0)
            return -1;
        if (process_stop_requested() != 0)
            return err_set(err, ERR_TRANSIENT, "interrupted while copying \"%s\"", what);
        offset += n;
    }
}

static int
put_copy(const struct arrival *arrival, int fd, const char *what, struct err *err)
{
    AUTO(newfile) struct newfile file = NEWFILE_INIT;

    if (newfile_create(&file, arrival->directory, MODE, err) < 0 ||
        copy(fd, file.fd, what, err) < 0)
        return -1;
    return commit(arrival, &file, what, err);
}

/* What link(2) says when a file cannot get a name here, although its bytes can. */
static bool
is_elsewhere(int reason)
{
    return reason == EXDEV || reason == ENOENT || reason == EPERM || reason == EOPNOTSUPP ||
           reason == EMLINK || reason == EINVAL || reason == ENOSYS;
}

int
arrival_put(const struct arrival *arrival, int fd, const char *what, struct err *err)
{
    struct stat there;
    struct stat own;
    AUTO(newfile) struct newfile file = {.directory = arrival->directory, .fd = -1};

    if (fstat(fd, &own) < 0 || fstat(arrival->directory, &there) < 0)
        return err_sys(err, errno, "could not look at \"%s\"", what);
    if (own.st_dev != there.st_dev || own.st_uid != geteuid() || (own.st_mode & 07777) != MODE)
        return put_copy(arrival, fd, what, err);
    file.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (file.fd < 0)
        return err_sys(err, errno, "could not place \"%s\"", what);
    if (commit(arrival, &file, what, err) == 0)
        return 0;
    if (!is_elsewhere(err->sys))
        return -1;
    err_clear(err);
    return put_copy(arrival, fd, what, err);
}
