/* SPDX-License-Identifier: PostgreSQL */
#include "restore/landing.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/process.h"

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

/* The directory is looked for when there is something to put into it, not before. */
static int
create_beside(struct landing *landing, struct newfile *ret_file, struct err *err)
{
    struct landing_beside *beside = (struct landing_beside *)landing;

    if (beside->directory < 0 &&
        open_parent(beside->path, &beside->directory, &beside->name, err) < 0)
        return -1;
    if (newfile_create(ret_file, beside->directory, 0600, err) < 0)
        return -1;
    /* What a fetch left that was killed while it replaced a file. */
    fs_clean_temporary(beside->directory);
    return 0;
}

void
landing_beside_init(struct landing_beside *beside, const char *path)
{
    *beside = (struct landing_beside){
        .landing = {.create = create_beside},
        .path = path,
        .orphan_at_start = !process_session_alive(),
        .directory = -1,
    };
}

/* The names under which a recovering server asks: it removes such a file before it asks again. */
static bool
asked_by_server(const char *name)
{
    return strcmp(name, "RECOVERYXLOG") == 0 || strcmp(name, "RECOVERYHISTORY") == 0;
}

/*
 * The orphan of a killed server must not write RECOVERYXLOG under a new one. A person's shell may
 * have gone before we began; that is no server's death.
 */
static int
check_server_alive(const struct landing_beside *beside, const struct wal_name *wal, struct err *err)
{
    if (process_session_alive() || (beside->orphan_at_start && !asked_by_server(beside->name)))
        return 0;
    return err_set(err, ERR_LOCAL, "the server that asked for \"%s\" is gone; nothing was written",
                   wal->text);
}

int
landing_beside_commit(struct landing_beside *beside, struct newfile *file,
                      const struct wal_name *wal, struct err *err)
{
    if (check_server_alive(beside, wal, err) < 0) {
        newfile_done(file);
        return -1;
    }
    return newfile_commit_replace(file, beside->name, !asked_by_server(beside->name), err);
}

void
landing_beside_done(struct landing_beside *beside)
{
    cleanup_fd(&beside->directory);
    beside->directory = -1;
}
