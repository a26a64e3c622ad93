/* SPDX-License-Identifier: PostgreSQL */
#include "restore/restore_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "restore/vacancy.h"

int
restore_tree_add_space(struct restore_tree *tree, uint32_t oid, const char *path, struct err *err)
{
    char quoted[256];

    (void)err_quote(path, strlen(path), quoted, sizeof(quoted));
    if (path[0] != '/') {
        (void)err_set(err, ERR_CONFIG, "the place of tablespace %" PRIu32 " is not absolute: %s",
                      oid, quoted);
        return err_hint(err, "Say where it is to be: --tablespace %" PRIu32 "=/DIRECTORY.", oid);
    }
    struct restore_space *more =
        reallocarray(tree->spaces, tree->n_spaces + 1, sizeof(*tree->spaces));
    if (more == NULL)
        return err_memory(err, "tablespaces");
    tree->spaces = more;
    more[tree->n_spaces] = (struct restore_space){.oid = oid, .path = strdup(path), .fd = -1};
    if (more[tree->n_spaces].path == NULL)
        return err_memory(err, "tablespaces");
    tree->n_spaces++;
    return 0;
}

/* ---- opening ---- */

static bool
is_inside(const char *inner, const char *outer)
{
    size_t length = strlen(outer);

    return strncmp(inner, outer, length) == 0 && (inner[length] == '/' || inner[length] == '\0');
}

static int
check_apart(const char *one, const char *other, struct err *err)
{
    if (!is_inside(one, other) && !is_inside(other, one))
        return 0;
    (void)err_set(err, ERR_LOCAL, "\"%s\" and \"%s\" are the same or inside one another", one,
                  other);
    return err_hint(err, "The data directory and every tablespace need directories of their own; "
                         "--tablespace OID=DIR maps a tablespace.");
}

static int
check_all_apart(const struct restore_tree *tree, struct err *err)
{
    for (size_t i = 0; i < tree->n_spaces; i++) {
        if (check_apart(tree->spaces[i].path, tree->path, err) < 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (check_apart(tree->spaces[i].path, tree->spaces[j].path, err) < 0)
                return -1;
    }
    return 0;
}

static int
examine_space(struct restore_space *space, struct err *err)
{
    char *resolved = NULL;

    if (vacancy_examine(space->path, &resolved, err) < 0) {
        (void)err_wrap(err, "tablespace %" PRIu32, space->oid);
        if (err->hint[0] == '\0')
            (void)err_hint(err, "Put it elsewhere with --tablespace %" PRIu32 "=DIR.", space->oid);
        return -1;
    }
    free(space->path);
    space->path = resolved;
    return 0;
}

int
restore_tree_open(struct restore_tree *tree, const char *path, struct err *err)
{
    if (vacancy_examine(path, &tree->path, err) < 0)
        return -1;
    for (size_t i = 0; i < tree->n_spaces; i++)
        if (examine_space(&tree->spaces[i], err) < 0)
            return -1;
    if (check_all_apart(tree, err) < 0 || vacancy_take(tree->path, &tree->fd, err) < 0)
        return -1;
    for (size_t i = 0; i < tree->n_spaces; i++)
        if (vacancy_take(tree->spaces[i].path, &tree->spaces[i].fd, err) < 0)
            return -1;
    return 0;
}

void
restore_tree_done(struct restore_tree *tree)
{
    cleanup_fd(&tree->fd);
    for (size_t i = 0; i < tree->n_spaces; i++) {
        cleanup_fd(&tree->spaces[i].fd);
        free(tree->spaces[i].path);
    }
    free(tree->spaces);
    free(tree->path);
    *tree = RESTORE_TREE_INIT;
}

/* ---- places ---- */

static int
path_error(struct err *err, const char *path, const char *what)
{
    char quoted[256];

    return err_set(err, ERR_CORRUPT, "the manifest names \"%s\", %s",
                   err_quote(path, strlen(path), quoted, sizeof(quoted)), what);
}

static int
place_error(struct err *err, int error_number, const char *path, const char *what)
{
    char quoted[256];

    switch (error_number) {
    case EEXIST:
        return path_error(err, path, "which is there already");
    case ENOENT:
        return path_error(err, path, "whose directory it does not name before");
    case ENOTDIR:
    case ELOOP:
        return path_error(err, path, "which is below something that is no directory");
    default:
        return err_sys(err, error_number, "could not %s \"%s\"", what,
                       err_quote(path, strlen(path), quoted, sizeof(quoted)));
    }
}

static const struct restore_space *
find_space(const struct restore_tree *tree, const char *oid, size_t length)
{
    for (size_t i = 0; i < tree->n_spaces; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "%" PRIu32, tree->spaces[i].oid);
        if (strlen(text) == length && memcmp(text, oid, length) == 0)
            return &tree->spaces[i];
    }
    return NULL;
}

/* Which directory the path begins in, and what of it is left there; "" for a tablespace itself. */
static int
find_start(const struct restore_tree *tree, const char *path, int *ret_fd, const char **ret_rest,
           struct err *err)
{
    static const char prefix[] = "pg_tblspc/";

    if (!manifest_path_valid(path, strlen(path)))
        return path_error(err, path, "which is not a path below the data directory");
    *ret_fd = tree->fd;
    *ret_rest = path;
    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return 0;

    const char *oid = path + sizeof(prefix) - 1;
    const char *end = strchrnul(oid, '/');
    const struct restore_space *space = find_space(tree, oid, (size_t)(end - oid));
    /* Not one that is elsewhere: a tablespace in place is a directory like any other. */
    if (space == NULL)
        return 0;
    *ret_fd = space->fd;
    *ret_rest = *end == '/' ? end + 1 : end;
    return 0;
}

/* Walk down from `start`, one component after the other. */
static int
open_below(int start, const char *rest, size_t length, int *ret_fd)
{
    AUTO(fd) int at = fcntl(start, F_DUPFD_CLOEXEC, 0);

    for (size_t from = 0; at >= 0 && from < length;) {
        char component[NAME_MAX + 1];
        size_t size = (size_t)((const char *)memchr(rest + from, '/', strlen(rest + from)) - rest) -
                      from;

        if (size > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(component, rest + from, size);
        component[size] = '\0';
        int next = openat(at, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return -1;
        (void)close(at);
        at = next;
        from += size + 1;
    }
    if (at < 0)
        return -1;
    *ret_fd = take_fd(&at);
    return 0;
}

/* Make place->fd the directory of `path`; its own name is ret_name ("": a tablespace itself). */
static int
go_to(struct restore_place *place, const char *path, const char **ret_name, struct err *err)
{
    int start = -1;
    const char *rest = NULL;

    if (find_start(place->tree, path, &start, &rest, err) < 0)
        return -1;
    const char *slash = strrchr(rest, '/');
    const char *name = slash == NULL ? rest : slash + 1;
    size_t length = (size_t)(name - path);

    *ret_name = name;
    if (place->fd >= 0 && strlen(place->directory) == length &&
        memcmp(place->directory, path, length) == 0)
        return 0;
    restore_place_done(place);
    if (open_below(start, rest, (size_t)(name - rest), &place->fd) < 0)
        return place_error(err, errno, path, "open the directory of");
    memcpy(place->directory, path, length);
    place->directory[length] = '\0';
    return 0;
}

void
restore_place_done(struct restore_place *place)
{
    cleanup_fd(&place->fd);
    place->fd = -1;
}

int
restore_place_directory(struct restore_place *place, const char *path, mode_t mode,
                        struct err *err)
{
    const char *name = NULL;

    if (go_to(place, path, &name, err) < 0)
        return -1;
    if (name[0] == '\0')
        return 0; /* the tablespace's own directory */
    if (mkdirat(place->fd, name, 0700) < 0)
        return place_error(err, errno, path, "create directory");
    AUTO(fd) int fd = openat(place->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, (mode & 0777) | 0700) < 0)
        return place_error(err, errno, path, "set permissions of directory");
    return 0;
}

int
restore_place_create(struct restore_place *place, const char *path, int *ret_fd, struct err *err)
{
    const char *name = NULL;

    if (go_to(place, path, &name, err) < 0)
        return -1;
    if (name[0] == '\0')
        return path_error(err, path, "which is a tablespace, as a file");
    int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return place_error(err, errno, path, "create file");
    *ret_fd = fd;
    return 0;
}

int
restore_place_open(struct restore_place *place, const char *path, int *ret_fd, struct err *err)
{
    const char *name = NULL;
    struct stat st;

    if (go_to(place, path, &name, err) < 0)
        return -1;
    AUTO(fd) int fd = openat(place->fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return place_error(err, errno, path, "open file");
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, ERR_LOCAL, "somebody else has changed the directory \"%s\"",
                       place->tree->path);
    *ret_fd = take_fd(&fd);
    return 0;
}

int
restore_place_write(struct restore_place *place, const char *path, struct span content, mode_t mode,
                    struct err *err)
{
    AUTO(fd) int fd = -1;

    if (restore_place_create(place, path, &fd, err) < 0 ||
        io_write_full(fd, content.data, content.size, path, err) < 0)
        return -1;
    if (fchmod(fd, mode) < 0)
        return err_sys(err, errno, "could not set permissions of \"%s\"", path);
    if (close(take_fd(&fd)) < 0)
        return err_sys(err, errno, "could not close \"%s\"", path);
    return 0;
}

/* ---- all of it ---- */

int
restore_tree_link_spaces(const struct restore_tree *tree, struct err *err)
{
    if (tree->n_spaces == 0)
        return 0;
    AUTO(fd) int links =
        openat(tree->fd, "pg_tblspc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (links < 0)
        return place_error(err, errno, "pg_tblspc", "open directory");
    for (size_t i = 0; i < tree->n_spaces; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%" PRIu32, tree->spaces[i].oid);
        if (symlinkat(tree->spaces[i].path, links, name) < 0)
            return err_sys(err, errno, "could not make the link \"pg_tblspc/%s\"", name);
    }
    return 0;
}

static int
sync_one(int fd, const char *path, struct err *err)
{
    if (syncfs(fd) < 0)
        return err_sys(err, errno, "could not write \"%s\" to disk", path);
    return 0;
}

int
restore_tree_sync(const struct restore_tree *tree, struct err *err)
{
    if (sync_one(tree->fd, tree->path, err) < 0)
        return -1;
    for (size_t i = 0; i < tree->n_spaces; i++)
        if (sync_one(tree->spaces[i].fd, tree->spaces[i].path, err) < 0)
            return -1;
    return 0;
}
