/* SPDX-License-Identifier: PostgreSQL */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/dir_private.h"

#define LEVEL_MAX (64 * MIB) /* names of one directory */

/*
 * The order is that of complete names, so in a directory "a" sorts as "a/": behind "a.x", before
 * "a0". An entry is therefore kept as its key, which has the slash if it is a directory.
 */
struct walk {
    struct store_task *task;
    char path[STORE_NAME_MAX + 1]; /* where we are; behind `length`, the entry looked at */
    size_t length;
    uint32_t n;
    bool more;
};

enum entry_type {
    ENTRY_OTHER,
    ENTRY_FILE,
    ENTRY_DIRECTORY,
};

static int walk_directory(struct walk *walk, int fd, struct err *err);

static enum entry_type
type_of(mode_t mode)
{
    return S_ISREG(mode) ? ENTRY_FILE : S_ISDIR(mode) ? ENTRY_DIRECTORY : ENTRY_OTHER;
}

/* Look at an entry, which may be gone by now: then it is no file and no directory. */
static int
look_at(int fd, const char *name, struct stat *ret_st, struct err *err)
{
    if (fstatat(fd, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (errno != ENOENT)
        return err_sys(err, errno, "could not look at \"%s\"", name);
    *ret_st = (struct stat){0};
    return 0;
}

/* Names that no object can have are not ours. */
static bool
is_component(const char *name)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789._-";

    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           name[strspn(name, characters)] == '\0' &&
           strncmp(name, FS_TEMPORARY_PREFIX, strlen(FS_TEMPORARY_PREFIX)) != 0;
}

/* Put `name` behind the path. False if the whole is longer than a name can be. */
static bool
set_entry(struct walk *walk, const char *name, bool directory)
{
    size_t room = sizeof(walk->path) - walk->length;
    int n = snprintf(walk->path + walk->length, room, "%s%s", name, directory ? "/" : "");

    return n >= 0 && (size_t)n < room;
}

/* Can walk->path, a file or a directory with its slash, be or hold a name of this page? */
static bool
is_wanted(const struct walk *walk, bool directory)
{
    const struct store_task *task = walk->task;
    size_t length = strlen(walk->path);
    size_t prefix = strlen(task->name);

    if (strncmp(walk->path, task->name, directory ? MIN_OF(length, prefix) : prefix) != 0)
        return false;
    if (strcmp(walk->path, task->start_after) > 0)
        return true;
    return directory && strncmp(walk->path, task->start_after, length) == 0;
}

/* The keys of what is wanted, each with its NUL, in the order of the directory. */
static int
read_keys(struct walk *walk, DIR *dir, struct buf *ret_keys, size_t *ret_n, struct err *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL && errno != 0)
            return err_sys(err, errno, "could not read directory \"%s\"", walk->task->name);
        if (entry == NULL)
            return 0;
        if (!is_component(entry->d_name))
            continue;

        enum entry_type type = entry->d_type == DT_REG   ? ENTRY_FILE
                               : entry->d_type == DT_DIR ? ENTRY_DIRECTORY
                                                         : ENTRY_OTHER;
        if (entry->d_type == DT_UNKNOWN) {
            struct stat st;

            if (look_at(dirfd(dir), entry->d_name, &st, err) < 0)
                return -1;
            type = type_of(st.st_mode);
        }
        bool directory = type == ENTRY_DIRECTORY;
        if (type == ENTRY_OTHER || !set_entry(walk, entry->d_name, directory) ||
            !is_wanted(walk, directory))
            continue;

        const char *key = walk->path + walk->length;
        int rc = buf_append(ret_keys, key, strlen(key) + 1, err);
        if (rc != 0)
            return rc < 0 ? -1 : err_set(err, ERR_CORRUPT, "a directory has too many entries");
        (*ret_n)++;
    }
}

static int
compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **
sort_keys(const struct buf *keys, size_t n, struct err *err)
{
    const char **sorted = calloc(n + 1, sizeof(*sorted));
    const char *key = (const char *)keys->data;

    if (sorted == NULL) {
        (void)err_memory(err, "directory");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = key;
        key += strlen(key) + 1;
    }
    qsort(sorted, n, sizeof(*sorted), compare_keys);
    return sorted;
}

static int
visit_file(struct walk *walk, int fd, const char *name, struct err *err)
{
    struct stat st;

    if (look_at(fd, name, &st, err) < 0)
        return -1;
    if (!S_ISREG(st.st_mode))
        return 0;
    if (walk->n == walk->task->max) {
        walk->more = true;
        return 0;
    }
    walk->n++;
    return task_page_add(walk->task, walk->path, strlen(walk->path), (uint64_t)st.st_size, err);
}

static int
visit_directory(struct walk *walk, int fd, const char *key, struct err *err)
{
    char name[NAME_MAX + 1];
    size_t length = walk->length;

    (void)snprintf(name, sizeof(name), "%.*s", (int)strlen(key) - 1, key);
    int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* It was a directory a moment ago. */
    if (below < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return 0;
    if (below < 0)
        return err_sys(err, errno, "could not open directory \"%s\"", walk->path);

    walk->length = strlen(walk->path);
    int rc = walk_directory(walk, below, err);
    walk->length = length;
    return rc;
}

/* Takes the descriptor. Goes as deep as a name has components. */
static int
walk_directory(struct walk *walk, int fd, struct err *err)
{
    AUTO(dir) DIR *dir = fdopendir(fd);
    AUTO(buf) struct buf keys = BUF_INIT(LEVEL_MAX);
    size_t n = 0;

    if (dir == NULL) {
        int reason = errno;

        (void)close(fd);
        return err_sys(err, reason, "could not read a directory");
    }
    if (dir_check_time(walk->task, err) < 0 || read_keys(walk, dir, &keys, &n, err) < 0)
        return -1;

    AUTO(ptr) const char **sorted = sort_keys(&keys, n, err);
    if (sorted == NULL)
        return -1;
    for (size_t i = 0; i < n && !walk->more; i++) {
        const char *key = sorted[i];
        bool directory = key[strlen(key) - 1] == '/';

        /* A directory that changes while it is read may show an entry twice. */
        if ((i > 0 && strcmp(key, sorted[i - 1]) == 0) || !set_entry(walk, key, false))
            continue;
        int rc = directory ? visit_directory(walk, fd, key, err) : visit_file(walk, fd, key, err);
        if (rc < 0)
            return -1;
    }
    return 0;
}

int
dir_list(int root, struct store_task *task, struct err *err)
{
    struct walk walk = {.task = task};
    const char *slash = strrchr(task->name, '/');
    int fd = -1;

    /* Nothing outside the prefix's own directory is looked at. */
    walk.length = slash == NULL ? 0 : (size_t)(slash - task->name) + 1;
    memcpy(walk.path, task->name, walk.length);
    int rc = dir_open_below(root, task->name, walk.length, &fd, err);
    if (rc < 0 || (rc == 0 && walk_directory(&walk, fd, err) < 0))
        return -1;
    if (dir_check_root(root, err) < 0)
        return -1;
    return task_page_finish(task, walk.more, err);
}
