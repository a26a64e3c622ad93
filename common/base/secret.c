/* SPDX-License-Identifier: PostgreSQL */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

void
secret_wipe(void *bytes, size_t size)
{
    if (bytes != NULL)
        explicit_bzero(bytes, size);
}

void
secret_buf_done(struct buf *buf)
{
    secret_wipe(buf->data, buf->capacity);
    buf_done(buf);
}

static int
check_private(const struct stat *st, const char *path, const char *what, struct err *err)
{
    if (!S_ISREG(st->st_mode))
        return err_set(err, ERR_CONFIG, "%s \"%s\" is not a regular file", what, path);
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        (void)err_set(err, ERR_CONFIG, "%s \"%s\" belongs to another user (uid %lu)", what, path,
                      (unsigned long)st->st_uid);
        return err_hint(err,
                        "The file must belong to the user that runs this command, or to root.");
    }

    /* What root owns its group may read, for root itself no less than for the server's user. */
    mode_t forbidden = st->st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((st->st_mode & forbidden) != 0) {
        (void)err_set(err, ERR_CONFIG, "%s \"%s\" can be accessed by others (mode %04o)", what,
                      path, (unsigned)(st->st_mode & 07777));
        return err_hint(err, "Run: chmod 0600 \"%s\" (or 0640 if it belongs to root).", path);
    }
    if ((uint64_t)st->st_size > SECRET_FILE_MAX)
        return err_set(err, ERR_CONFIG, "%s \"%s\" is too large (%lld bytes)", what, path,
                       (long long)st->st_size);
    return 0;
}

int
secret_read_file(const char *path, const char *what, struct buf *ret_content, struct err *err)
{
    struct stat st;
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        int reason = errno;

        (void)err_sys(err, reason, "could not open %s \"%s\"", what, path);
        err->kind = ERR_CONFIG;
        if (reason == ENOENT)
            return err_hint(err, "\"seawall keygen --dir DIR\" makes keys.");
        if (reason == ELOOP)
            return err_hint(err, "The file itself must not be a symbolic link.");
        return -1;
    }
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not look at %s \"%s\"", what, path);
    if (check_private(&st, path, what, err) < 0)
        return -1;

    AUTO(secret_buf) struct buf content = BUF_INIT(SECRET_FILE_MAX + 1);
    size_t got = 0;
    if (buf_reserve(&content, SECRET_FILE_MAX + 1, err) != 0)
        return err_memory(err, what);
    if (io_read_full(fd, content.data, SECRET_FILE_MAX + 1, &got, path, err) < 0) {
        err->kind = ERR_CONFIG;
        return -1;
    }
    if (got > SECRET_FILE_MAX)
        return err_set(err, ERR_CONFIG, "%s \"%s\" is too large", what, path);
    content.size = got;
    *ret_content = content;
    content = BUF_INIT(0);
    return 0;
}
