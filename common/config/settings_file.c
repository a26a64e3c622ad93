/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/secret.h"
#include "config/settings_parts.h"

/* Every failure here is one of configuration: nothing else could be done with the file. */
static int
fail_sys(struct err *err, int reason, const char *doing, const char *path)
{
    (void)err_sys(err, reason, "could not %s configuration file \"%s\"", doing, path);
    if (err->kind != ERR_INTERNAL)
        err->kind = ERR_CONFIG;
    if (reason == ENOENT)
        return err_hint(err, "Name the file with --config or $SEAWALL_CONFIG; "
                             "seawall.conf(5) shows a minimal one.");
    return -1;
}

int
settings_file_path(const char *file, char **ret_path, struct err *err)
{
    char directory[PATH_MAX];
    char *path = NULL;

    if (file == NULL)
        file = getenv("SEAWALL_CONFIG");
    if (file == NULL || file[0] == '\0')
        file = SETTINGS_DEFAULT_FILE;

    if (file[0] == '/') {
        path = strdup(file);
    } else if (getcwd(directory, sizeof(directory)) == NULL) {
        return fail_sys(err, errno, "find the working directory for", file);
    } else if (asprintf(&path, "%s/%s", directory, file) < 0) {
        path = NULL;
    }
    if (path == NULL)
        return err_memory(err, "configuration file name");
    *ret_path = path;
    return 0;
}

static bool
owner_is_trusted(const struct stat *st)
{
    return st->st_uid == geteuid() || st->st_uid == 0;
}

/*
 * A symbolic link is fine where only we or root could have put it: configuration tools and
 * container platforms install files that way. Elsewhere somebody else would choose our file.
 */
static int
check_link(const char *path, struct err *err)
{
    struct stat st;
    char directory[PATH_MAX];

    if (lstat(path, &st) < 0)
        return fail_sys(err, errno, "open", path);
    if (!S_ISLNK(st.st_mode))
        return 0;

    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 0 : (int)(slash - path);
    if (snprintf(directory, sizeof(directory), "%.*s/.", length, path) >= (int)sizeof(directory))
        return fail_sys(err, ENAMETOOLONG, "open", path);

    bool trusted = owner_is_trusted(&st);
    if (stat(directory, &st) < 0)
        return fail_sys(err, errno, "open", path);
    bool writable = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0;
    if (trusted && owner_is_trusted(&st) && !writable)
        return 0;
    (void)err_set(err, ERR_CONFIG,
                  "configuration file \"%s\" is a symbolic link that others could have made", path);
    return err_hint(err, "Link and directory must belong to the user that runs this command or to "
                         "root, and the directory must not be writable by others.");
}

static int
check_file(const struct stat *st, const char *path, struct err *err)
{
    if (!S_ISREG(st->st_mode))
        return err_set(err, ERR_CONFIG, "configuration file \"%s\" is not a regular file", path);
    if (!owner_is_trusted(st)) {
        (void)err_set(err, ERR_CONFIG,
                      "configuration file \"%s\" belongs to another user (uid %lu)", path,
                      (unsigned long)st->st_uid);
        return err_hint(err,
                        "The file must belong to the user that runs this command, or to root.");
    }
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        (void)err_set(err, ERR_CONFIG,
                      "configuration file \"%s\" can be written by others (mode %04o)", path,
                      (unsigned)(st->st_mode & 07777));
        return err_hint(err, "Run: chmod go-w \"%s\"", path);
    }
    return 0;
}

int
settings_file_read(const char *path, struct buf *ret_text, struct stat *ret_st, struct err *err)
{
    struct stat st;
    size_t got = 0;

    if (check_link(path, err) < 0)
        return -1;
    /* O_NONBLOCK: a FIFO in its place must not hold us up. */
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_sys(err, errno, "open", path);
    if (fstat(fd, &st) < 0)
        return fail_sys(err, errno, "look at", path);
    if (check_file(&st, path, err) < 0)
        return -1;

    AUTO(secret_buf) struct buf text = BUF_INIT(SETTINGS_FILE_MAX + 1);
    if (buf_reserve(&text, SETTINGS_FILE_MAX + 1, err) != 0)
        return err_memory(err, "configuration file");
    if (io_read_full(fd, text.data, SETTINGS_FILE_MAX + 1, &got, path, err) < 0) {
        err->kind = err->kind == ERR_INTERNAL ? ERR_INTERNAL : ERR_CONFIG;
        return -1;
    }
    text.size = got;
    *ret_text = text;
    *ret_st = st;
    text = BUF_INIT(0);
    return 0;
}

int
settings_file_private(const struct stat *st, const char *path, const char *setting, struct err *err)
{
    mode_t forbidden = st->st_uid == geteuid() ? S_IRWXG | S_IRWXO : S_IWGRP | S_IXGRP | S_IRWXO;

    if ((st->st_mode & forbidden) == 0)
        return 0;
    (void)err_set(err, ERR_CONFIG,
                  "configuration file \"%s\" holds a secret (%s) and can be read by others (mode "
                  "%04o)",
                  path, setting, (unsigned)(st->st_mode & 07777));
    return err_hint(err, "Run: chmod 0600 \"%s\" (or 0640 if it belongs to root).", path);
}
