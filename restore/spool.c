/* SPDX-License-Identifier: PostgreSQL */
#include "restore/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MODE (S_IRUSR | S_IWUSR)
#define SHARE 20 /* the 20th part of a file system is left to others */
#define SHARE_MAX ((uint64_t)16 << 30)

static int
create(struct landing *landing, struct newfile *ret_file, struct err *err)
{
    const struct spool_place *place = (const struct spool_place *)landing;
    struct newfile file = NEWFILE_INIT;

    if (place->directory < 0)
        return err_set(err, ERR_LOCAL, "there is no directory for a file on its way");
    if (place->nameless) {
        int rc = newfile_create_nameless(ret_file, place->directory, MODE, err);

        return rc == FS_UNABLE ? err_set(err, ERR_LOCAL,
                                         "there is no directory for a file on its "
                                         "way any longer")
                               : rc;
    }
    if (newfile_create(&file, place->directory, MODE, err) < 0)
        return -1;
    if (file.temporary[0] != '\0' && unlinkat(file.directory, file.temporary, 0) < 0) {
        (void)err_sys(err, errno, "could not remove \"%s\"", file.temporary);
        newfile_done(&file);
        return -1;
    }
    file.temporary[0] = '\0';
    *ret_file = file;
    return 0;
}

/* pg_wal, if it can have files without a name. 0 or -1; the place may stay empty. */
static int
open_pg_wal(const struct pgdata *pgdata, struct spool_place *place, struct err *err)
{
    AUTO(newfile) struct newfile file = NEWFILE_INIT;
    AUTO(fd) int directory = -1;

    if (pgdata->directory < 0)
        return 0;
    directory = openat(pgdata->directory, "pg_wal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 && errno == ENOENT)
        return 0;
    if (directory < 0)
        return err_sys(err, errno, "could not open directory \"pg_wal\"");

    struct err full = ERR_INIT;
    int rc = newfile_create_nameless(&file, directory, MODE, &full);
    if (rc == FS_UNABLE)
        return 0;
    /* A full disk, or one that is read-only just now, is found again when something is fetched. */
    place->directory = take_fd(&directory);
    place->nameless = true;
    return 0;
}

static int
open_directory(const char *path, struct spool_place *place, struct err *err)
{
    if (fs_open_directory(path, &place->directory, err) < 0)
        return -1;
    fs_clean_temporary(place->directory);
    return 0;
}

/* Another descriptor of the same directory. */
static int
copy_place(const struct spool_place *from, struct spool_place *to, struct err *err)
{
    if (from->directory < 0)
        return 0;
    to->nameless = from->nameless;
    to->directory = fcntl(from->directory, F_DUPFD_CLOEXEC, 0);
    return to->directory < 0 ? err_sys(err, errno, "could not copy a descriptor") : 0;
}

int
spool_open(const struct spool_options *options, struct spool *ret, struct err *err)
{
    AUTO(spool) struct spool spool = SPOOL_INIT;

    spool.ahead.landing.create = create;
    spool.asked.landing.create = create;
    spool.reserve = options->reserve;
    if (open_pg_wal(options->pgdata, &spool.asked, err) < 0)
        return -1;
    if (spool.asked.directory < 0 && options->runtime_dir != NULL &&
        open_directory(options->runtime_dir, &spool.asked, err) < 0)
        return -1;
    if (options->spool_dir != NULL) {
        if (open_directory(options->spool_dir, &spool.ahead, err) < 0) {
            err->kind = ERR_CONFIG;
            (void)err_wrap(err, "spool_dir");
            return err_hint(err, "Create the directory, owned by the user the server runs as, or "
                                 "leave spool_dir out.");
        }
    } else if (copy_place(&spool.asked, &spool.ahead, err) < 0) {
        return -1;
    }
    *ret = spool;
    spool = SPOOL_INIT;
    return 0;
}

bool
spool_has_room(const struct spool *spool, uint64_t bytes)
{
    struct statvfs fs;

    if (spool->ahead.directory < 0 || fstatvfs(spool->ahead.directory, &fs) < 0)
        return false;
    uint64_t all = (uint64_t)fs.f_blocks * fs.f_frsize;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    uint64_t share = MIN_OF(all / SHARE, SHARE_MAX);
    uint64_t left = MAX_OF(spool->reserve, share);
    return free_bytes >= left && free_bytes - left >= bytes;
}

void
spool_done(struct spool *spool)
{
    cleanup_fd(&spool->ahead.directory);
    cleanup_fd(&spool->asked.directory);
    *spool = SPOOL_INIT;
}
