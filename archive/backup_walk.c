/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "archive/backup_exclude.h"
#include "base/hex.h"
#include "wal/page_checksum.h"

#define VERSION_FILE "PG_VERSION"
#define VERSION_NAME_SIZE 32
#define SUMMARIES_SINCE 17
#define QUOTED_SIZE 600

enum inner_outcome {
    PASS_OVER = 2, /* besides WALK_END: not for the backup, or gone */
};

/* What a directory is decides what is left out of it. */
enum kind {
    KIND_OTHER,
    KIND_ROOT,
    KIND_GLOBAL,
    KIND_BASE, /* base, or PG_15_... of a tablespace: databases are in it */
    KIND_DATABASE,
    KIND_TABLESPACES, /* pg_tblspc */
    KIND_TABLESPACE,  /* pg_tblspc/16384 */
    KIND_WAL,         /* pg_wal: not read, its directories are known */
    KIND_EMPTY,       /* kept without its content */
};

struct walk_directory {
    atomic_uint references;
    DIR *stream; /* NULL: KIND_WAL */
    char path[WALK_PATH_MAX];
};

struct frame {
    struct walk_directory *directory;
    enum kind kind;
    size_t n_given; /* KIND_WAL */
    struct stat st;
};

struct identity {
    dev_t device;
    ino_t inode;
};

struct backup_walk {
    struct walk_options options;
    char version[VERSION_NAME_SIZE]; /* PG_15_202209061 */
    struct stat root_st;
    struct identity *locations; /* of the tablespaces, in their order */
    bool begun;                 /* PG_VERSION was handed out */
    struct frame frames[WALK_DEPTH_MAX];
    size_t depth;
};

/* ---- directories ---- */

struct walk_directory *
walk_directory_hold(struct walk_directory *directory)
{
    atomic_fetch_add(&directory->references, 1);
    return directory;
}

void
walk_directory_release(struct walk_directory *directory)
{
    if (directory == NULL || atomic_fetch_sub(&directory->references, 1) != 1)
        return;
    if (directory->stream != NULL)
        (void)closedir(directory->stream);
    free(directory);
}

int
walk_directory_fd(const struct walk_directory *directory)
{
    return directory->stream == NULL ? -1 : dirfd(directory->stream);
}

const char *
walk_directory_path(const struct walk_directory *directory)
{
    return directory->path;
}

void
walk_path(const struct walk_directory *directory, const char *name, char *ret_path)
{
    int n = snprintf(ret_path, WALK_PATH_MAX, "%s%s%s", directory->path,
                     directory->path[0] == '\0' ? "" : "/", name);

    /* Cannot be: the walk refuses such paths. A cut one would name something else. */
    if (n < 0 || n >= WALK_PATH_MAX)
        ret_path[0] = '\0';
}

/* Takes `fd` (-1: there is nothing to read). */
static int
directory_new(const char *path, int fd, struct walk_directory **ret, struct err *err)
{
    AUTO(fd) int owned = fd;
    AUTO(walk_directory) struct walk_directory *directory = calloc(1, sizeof(*directory));

    if (directory == NULL)
        return err_memory(err, "backup");
    atomic_init(&directory->references, 1);
    (void)snprintf(directory->path, sizeof(directory->path), "%s", path);
    if (owned >= 0) {
        directory->stream = fdopendir(owned);
        if (directory->stream == NULL)
            return err_sys(err, errno, "could not read directory \"%s\"", path);
        (void)take_fd(&owned);
    }
    *ret = TAKE_PTR(directory);
    return 0;
}

/* ---- what is left out ---- */

/* Is there an init fork beside this file of a relation? Then it is made anew from that. */
static bool
is_unlogged(const struct walk_directory *directory, const char *name, size_t number)
{
    char init[WALK_NAME_SIZE + 8];

    (void)snprintf(init, sizeof(init), "%.*s_init", (int)number, name);
    return faccessat(walk_directory_fd(directory), init, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool
is_digits(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "0123456789")] == '\0';
}

/* Does the file belong into the backup? Fills what is known of a relation's file. */
static bool
wanted_file(const struct frame *frame, struct walk_entry *entry)
{
    size_t number = 0;
    bool init = false;
    bool relation = page_checksum_relation_name(entry->name, &entry->segment, &number, &init);

    if (backup_exclude_file(entry->name))
        return false;
    if ((frame->kind == KIND_GLOBAL && strcmp(entry->name, "pg_control") == 0) ||
        (frame->kind == KIND_ROOT && strcmp(entry->name, VERSION_FILE) == 0))
        return false;
    if (frame->kind == KIND_DATABASE) {
        if (backup_exclude_temporary(entry->name))
            return false;
        if (relation && !init && is_unlogged(frame->directory, entry->name, number))
            return false;
    }
    entry->relation = relation && (frame->kind == KIND_DATABASE || frame->kind == KIND_GLOBAL);
    return true;
}

/* ---- which directories are read ---- */

static bool
is_listed_tablespace(const struct backup_walk *walk, const char *name)
{
    uint64_t oid = 0;

    if (!decimal_read(name, strlen(name), UINT32_MAX, &oid))
        return false;
    for (size_t i = 0; i < walk->options.n_tablespaces; i++)
        if (walk->options.tablespaces[i] == oid)
            return true;
    return false;
}

/* Some servers have a tablespace inside of the data directory; it is read once, as what it is. */
static bool
is_tablespace_location(const struct backup_walk *walk, const struct stat *st)
{
    for (size_t i = 0; i < walk->options.n_tablespaces; i++)
        if (walk->locations[i].device == st->st_dev && walk->locations[i].inode == st->st_ino)
            return true;
    return false;
}

static enum kind
child_kind(const struct backup_walk *walk, const struct frame *frame, const char *name,
           const struct stat *st)
{
    bool in_root = frame->kind == KIND_ROOT;

    if (frame->kind == KIND_TABLESPACES && is_digits(name))
        return KIND_TABLESPACE;
    if (frame->kind == KIND_TABLESPACE)
        return KIND_BASE;
    if (frame->kind == KIND_BASE && is_digits(name))
        return KIND_DATABASE;
    if (in_root && backup_exclude_content(name))
        return KIND_EMPTY;
    if (in_root && strcmp(name, "pg_wal") == 0)
        return KIND_WAL;
    if (in_root && strcmp(name, "global") == 0)
        return KIND_GLOBAL;
    if (in_root && strcmp(name, "base") == 0)
        return KIND_BASE;
    if (in_root && strcmp(name, "pg_tblspc") == 0)
        return KIND_TABLESPACES;
    return is_tablespace_location(walk, st) ? KIND_EMPTY : KIND_OTHER;
}

/* Make the entry's directory the next one to be read. 0, PASS_OVER (it is gone) or -1. */
static int
descend(struct backup_walk *walk, const struct walk_entry *entry, enum kind kind, bool follow,
        struct err *err)
{
    char path[WALK_PATH_MAX];
    int fd = -1;

    walk_path(entry->directory, entry->name, path);
    if (walk->depth == WALK_DEPTH_MAX)
        return err_set(err, ERR_LOCAL,
                       "the directories of the data directory are nested too "
                       "deeply");
    if (kind != KIND_WAL) {
        fd = openat(walk_directory_fd(entry->directory), entry->name,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
        if (fd < 0 && errno == ENOENT && !follow)
            return PASS_OVER;
        if (fd < 0)
            return err_sys(err, errno, "could not open directory \"%s\"", path);
    }
    struct frame *frame = &walk->frames[walk->depth];
    *frame = (struct frame){.kind = kind, .st = entry->st};
    if (directory_new(path, fd, &frame->directory, err) < 0)
        return -1;
    walk->depth++;
    return 0;
}

static void
notice_skipped(const struct backup_walk *walk, const struct walk_entry *entry, const char *what)
{
    char path[WALK_PATH_MAX];
    char quoted[QUOTED_SIZE];
    /* Servers keep sockets there; all else somebody may miss after a restore. */
    enum log_level level = S_ISSOCK(entry->st.st_mode) ? LOG_DEBUG : LOG_WARNING;

    walk_path(entry->directory, entry->name, path);
    notice(walk->options.notices, level, "\"%s\" is %s and not in the backup",
           err_quote(path, strlen(path), quoted, sizeof(quoted)), what);
}

/* A symbolic link. True: it stands for a directory. */
static bool
wanted_link(const struct backup_walk *walk, const struct frame *frame,
            const struct walk_entry *entry)
{
    if (frame->kind == KIND_ROOT &&
        (backup_exclude_content(entry->name) || strcmp(entry->name, "pg_wal") == 0))
        return true;
    if (frame->kind != KIND_TABLESPACES) {
        notice_skipped(walk, entry, "a symbolic link");
        return false;
    }
    if (is_listed_tablespace(walk, entry->name))
        return true;
    /* Made after the backup began: replaying WAL makes it again. */
    notice(walk->options.notices, LOG_DEBUG, "tablespace %s is newer than the backup", entry->name);
    return false;
}

/* 0: *entry is to be handed out; PASS_OVER: not; or -1. */
static int
judge_directory(struct backup_walk *walk, struct walk_entry *entry, struct err *err)
{
    const struct frame *frame = &walk->frames[walk->depth - 1];
    bool link = S_ISLNK(entry->st.st_mode);

    /* Of a tablespace only this server's own part, not another version's. */
    if (frame->kind == KIND_TABLESPACE && strcmp(entry->name, walk->version) != 0)
        return PASS_OVER;
    enum kind kind = child_kind(walk, frame, entry->name, &entry->st);
    entry->is_directory = true;
    if (link && kind != KIND_TABLESPACE)
        entry->st = walk->root_st;
    if (kind == KIND_EMPTY)
        return 0;
    int rc = descend(walk, entry, kind, link, err);
    if (rc == 0 && link && kind == KIND_TABLESPACE &&
        fstat(walk_directory_fd(walk->frames[walk->depth - 1].directory), &entry->st) < 0)
        return err_sys(err, errno, "could not look at tablespace \"%s\"", entry->name);
    return rc;
}

static int
judge(struct backup_walk *walk, struct walk_entry *entry, struct err *err)
{
    const struct frame *frame = &walk->frames[walk->depth - 1];
    mode_t mode = entry->st.st_mode;

    if (strlen(walk_directory_path(entry->directory)) + strlen(entry->name) + 2 >= WALK_PATH_MAX)
        return err_set(err, ERR_LOCAL, "a path in the data directory is longer than %d bytes",
                       WALK_PATH_MAX);
    /* Temporary files of queries: the name says so, wherever it stands. */
    if (strncmp(entry->name, "pgsql_tmp", strlen("pgsql_tmp")) == 0)
        return PASS_OVER;
    if (S_ISDIR(mode) || (S_ISLNK(mode) && wanted_link(walk, frame, entry)))
        return judge_directory(walk, entry, err);
    if (frame->kind == KIND_TABLESPACE)
        return PASS_OVER;
    /* A server that finds "pg_tblspc/16384" to be no directory does not recover. */
    if (frame->kind == KIND_TABLESPACES && S_ISREG(mode)) {
        notice_skipped(walk, entry, "a file among tablespaces");
        return PASS_OVER;
    }
    if (S_ISREG(mode))
        return wanted_file(frame, entry) ? 0 : PASS_OVER;
    if (!S_ISLNK(mode) && !backup_exclude_file(entry->name))
        notice_skipped(walk, entry, "neither a file nor a directory");
    return PASS_OVER;
}

/* pg_wal's own directories, whether they are there or not: a server expects them. */
static bool
next_of_wal(const struct backup_walk *walk, struct frame *frame, struct walk_entry *ret)
{
    static const char *const names[] = {"archive_status", "summaries"};
    size_t n = walk->options.major >= SUMMARIES_SINCE ? 2 : 1;

    if (frame->n_given == n)
        return false;
    *ret =
        (struct walk_entry){.directory = frame->directory, .st = frame->st, .is_directory = true};
    (void)snprintf(ret->name, sizeof(ret->name), "%s", names[frame->n_given++]);
    return true;
}

/* 0: an entry that is there, of any kind; WALK_END: no more in this directory; -1. */
static int
read_entry(const struct frame *frame, struct walk_entry *ret, struct err *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *found = readdir(frame->directory->stream);

        if (found == NULL && errno != 0)
            return err_sys(err, errno, "could not read directory \"%s\"", frame->directory->path);
        if (found == NULL)
            return WALK_END;
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        *ret = (struct walk_entry){.directory = frame->directory};
        (void)snprintf(ret->name, sizeof(ret->name), "%s", found->d_name);
        if (fstatat(walk_directory_fd(frame->directory), ret->name, &ret->st,
                    AT_SYMLINK_NOFOLLOW) == 0)
            return 0;
        if (errno != ENOENT)
            return err_sys(err, errno, "could not look at \"%s/%s\"", frame->directory->path,
                           ret->name);
    }
}

static int
first_entry(struct backup_walk *walk, struct walk_entry *ret, struct err *err)
{
    *ret = (struct walk_entry){.directory = walk->frames[0].directory, .name = VERSION_FILE};
    if (fstatat(walk->options.root, VERSION_FILE, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, errno, "could not look at \"%s\"", VERSION_FILE);
    if (!S_ISREG(ret->st.st_mode))
        return err_set(err, ERR_LOCAL, "\"%s\" is not a regular file", VERSION_FILE);
    walk->begun = true;
    return 0;
}

int
backup_walk_next(struct backup_walk *walk, struct walk_entry *ret, struct err *err)
{
    if (!walk->begun)
        return first_entry(walk, ret, err);
    while (walk->depth > 0) {
        struct frame *frame = &walk->frames[walk->depth - 1];
        int rc = WALK_END;

        if (frame->kind == KIND_WAL) {
            if (next_of_wal(walk, frame, ret))
                return 0;
        } else {
            rc = read_entry(frame, ret, err);
        }
        if (rc == 0)
            rc = judge(walk, ret, err);
        if (rc <= 0)
            return rc;
        if (rc == WALK_END) {
            walk_directory_release(frame->directory);
            walk->depth--;
        }
    }
    return WALK_END;
}

/* ---- life ---- */

static int
find_locations(struct backup_walk *walk, struct err *err)
{
    size_t n = walk->options.n_tablespaces;

    walk->locations = calloc(n + 1, sizeof(*walk->locations));
    if (walk->locations == NULL)
        return err_memory(err, "backup");
    for (size_t i = 0; i < n; i++) {
        char link[64];
        struct stat st;

        (void)snprintf(link, sizeof(link), "pg_tblspc/%u", walk->options.tablespaces[i]);
        if (fstatat(walk->options.root, link, &st, 0) == 0)
            walk->locations[i] = (struct identity){st.st_dev, st.st_ino};
        else if (errno != ENOENT)
            return err_sys(err, errno, "could not look at \"%s\"", link);
    }
    return 0;
}

int
backup_walk_new(const struct walk_options *options, struct backup_walk **ret_walk, struct err *err)
{
    AUTO(backup_walk) struct backup_walk *walk = calloc(1, sizeof(*walk));

    if (walk == NULL)
        return err_memory(err, "backup");
    walk->options = *options;
    (void)snprintf(walk->version, sizeof(walk->version), "PG_%d_%u", options->major,
                   options->catalog_version);
    if (fstat(options->root, &walk->root_st) < 0)
        return err_sys(err, errno, "could not look at the data directory");
    if (find_locations(walk, err) < 0)
        return -1;

    int fd = openat(options->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "could not open the data directory");
    walk->frames[0] = (struct frame){.kind = KIND_ROOT, .st = walk->root_st};
    if (directory_new("", fd, &walk->frames[0].directory, err) < 0)
        return -1;
    walk->depth = 1;
    *ret_walk = TAKE_PTR(walk);
    return 0;
}

void
backup_walk_free(struct backup_walk *walk)
{
    if (walk == NULL)
        return;
    while (walk->depth > 0)
        walk_directory_release(walk->frames[--walk->depth].directory);
    free(walk->locations);
    free(walk);
}
