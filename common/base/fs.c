/* SPDX-License-Identifier: PostgreSQL */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs_private.h"
#include "base/hex.h"

#define RANDOM_DIGITS 16
#define NAME_TRIES 100
#define PROC_NAME_SIZE 40
#define PLACE_SIZE 512

static const int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

/* ---- names for messages ---- */

static const char *
proc_name(int fd, char *ret_name)
{
    (void)snprintf(ret_name, PROC_NAME_SIZE, "/proc/self/fd/%d", fd);
    return ret_name;
}

/* "directory/name" as far as it can be told; ret_place has PLACE_SIZE bytes. */
static const char *
place_of(int directory, const char *name, char *ret_place)
{
    char link[PROC_NAME_SIZE];
    char path[PLACE_SIZE / 2];
    ssize_t n = directory < 0 ? -1 : readlink(proc_name(directory, link), path, sizeof(path));

    /* A truncated path would name another place. */
    if (n <= 0 || (size_t)n == sizeof(path))
        (void)snprintf(ret_place, PLACE_SIZE, "%s", name);
    else
        (void)snprintf(ret_place, PLACE_SIZE, "%.*s/%s", (int)n, path, name);
    return ret_place;
}

/* ---- making durable ---- */

static int
sync_fd(int fd)
{
    int rc = fsync(fd);

    while (rc < 0 && errno == EINTR)
        rc = fsync(fd);
    return rc;
}

int
fs_sync_directory(int directory, const char *label, struct err *err)
{
    /* EINVAL: the file system has no such operation, so nothing more can be asked of it. */
    if (sync_fd(directory) < 0 && errno != EINVAL)
        return err_sys(err, errno, "could not fsync directory \"%s\"", label);
    return 0;
}

/* ---- opening ---- */

int
fs_open_directory(const char *path, int *ret_fd, struct err *err)
{
    int fd = open(path, directory_flags);

    if (fd < 0)
        return err_sys(err, errno, "could not open directory \"%s\"", path);
    *ret_fd = fd;
    return 0;
}

/* A name is missing: is that the file alone, or did a directory on the way go missing? */
static int
absent_or_lost(int directory, const char *path, const char *label, struct err *err)
{
    char parent[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (slash != NULL) {
        size_t length = slash == path ? 1 : (size_t)(slash - path);

        if (length >= sizeof(parent))
            return err_sys(err, ENAMETOOLONG, "could not open \"%s\"", label);
        memcpy(parent, path, length);
        parent[length] = '\0';
    }
    if (fstatat(directory, parent, &st, 0) < 0)
        return err_sys(err, errno, "could not open the directory of \"%s\"", label);
    /* An open directory may have been removed: then it has no names, and proves nothing. */
    if (!S_ISDIR(st.st_mode) || st.st_nlink == 0)
        return err_sys(err, ENOENT, "could not open the directory of \"%s\"", label);
    return FS_ABSENT;
}

static int
refuse_irregular(const struct stat *st, const char *label, struct err *err)
{
    if (S_ISREG(st->st_mode))
        return 0;
    if (S_ISLNK(st->st_mode))
        return err_set(err, ERR_LOCAL, "\"%s\" is a symbolic link, not a regular file", label);
    if (S_ISDIR(st->st_mode))
        return err_set(err, ERR_LOCAL, "\"%s\" is a directory, not a regular file", label);
    return err_set(err, ERR_LOCAL, "\"%s\" is not a regular file", label);
}

int
fs_open_file(int directory, const char *path, const char *label, int *ret_fd, struct stat *ret_st,
             struct err *err)
{
    struct stat st;

    /* Looked at first, because merely opening a device can make it act. */
    if (fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return absent_or_lost(directory, path, label, err);
        return err_sys(err, errno, "could not look at \"%s\"", label);
    }
    if (refuse_irregular(&st, label, err) < 0)
        return -1;

    AUTO(fd)
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return absent_or_lost(directory, path, label, err);
    if (fd < 0)
        return err_sys(err, errno, "could not open \"%s\"", label);
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not look at \"%s\"", label);
    if (refuse_irregular(&st, label, err) < 0)
        return -1;
    if (ret_st != NULL)
        *ret_st = st;
    *ret_fd = take_fd(&fd);
    return 0;
}

/* ---- creating ---- */

/* A new name for every `attempt`, even if the source of random numbers is stuck. */
static void
make_temporary_name(char *ret_name, unsigned attempt)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = (uint64_t)clock_real_us();
    random += attempt;
    (void)snprintf(ret_name, FS_TEMPORARY_SIZE, FS_TEMPORARY_PREFIX "%ld.%016llx", (long)getpid(),
                   (unsigned long long)random);
}

/* Whatever the umask and the directory's default permissions made of it. */
static int
set_mode(int fd, mode_t mode)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -1;
    return (st.st_mode & 07777) == mode ? 0 : fchmod(fd, mode);
}

int
newfile_create_named(struct newfile *file, int directory, mode_t mode, struct err *err)
{
    char place[PLACE_SIZE];
    struct newfile made = {.directory = directory, .fd = -1};

    for (unsigned i = 0; i < NAME_TRIES && made.fd < 0; i++) {
        make_temporary_name(made.temporary, i);
        made.fd = openat(directory, made.temporary,
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (made.fd < 0 && errno != EEXIST)
            break;
    }
    if (made.fd < 0)
        return err_sys(err, errno, "could not create \"%s\"",
                       place_of(directory, made.temporary, place));
    if (set_mode(made.fd, mode) < 0) {
        (void)err_sys(err, errno, "could not set the permissions of \"%s\"",
                      place_of(directory, made.temporary, place));
        newfile_done(&made);
        return -1;
    }
    *file = made;
    return 0;
}

/* Only what /proc shows can be given a name later without special rights. */
static bool
can_be_named(int fd)
{
    char name[PROC_NAME_SIZE];
    struct stat own;
    struct stat shown;

    return fstat(fd, &own) == 0 && fstatat(AT_FDCWD, proc_name(fd, name), &shown, 0) == 0 &&
           own.st_dev == shown.st_dev && own.st_ino == shown.st_ino;
}

/*
 * What file systems and kernels say that cannot make a file without a name. EPERM is also what a
 * removed directory answers; the other way tells the two apart.
 */
static bool
is_unsupported(int reason)
{
    return reason == EOPNOTSUPP || reason == EISDIR || reason == EINVAL || reason == ENOENT ||
           reason == EPERM;
}

int
newfile_create_nameless(struct newfile *file, int directory, mode_t mode, struct err *err)
{
    char place[PLACE_SIZE];
    AUTO(fd) int fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (fd < 0 && !is_unsupported(errno))
        return err_sys(err, errno, "could not create a file in \"%s\"",
                       place_of(directory, ".", place));
    if (fd < 0 || !can_be_named(fd))
        return FS_UNABLE;
    if (set_mode(fd, mode) < 0)
        return err_sys(err, errno, "could not set the permissions of a file in \"%s\"",
                       place_of(directory, ".", place));
    *file = (struct newfile){.directory = directory, .fd = take_fd(&fd)};
    return 0;
}

int
newfile_create(struct newfile *file, int directory, mode_t mode, struct err *err)
{
    int rc = newfile_create_nameless(file, directory, mode, err);

    return rc == FS_UNABLE ? newfile_create_named(file, directory, mode, err) : rc;
}

void
newfile_done(struct newfile *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    if (file->temporary[0] != '\0')
        (void)unlinkat(file->directory, file->temporary, 0);
    *file = NEWFILE_INIT;
}

/* ---- committing ---- */

/*
 * Ask for every delayed write error while nothing has the name yet. close() reports what fsync()
 * was not asked to; a file without any name must stay open, but closing a copy asks as well.
 */
static int
settle(struct newfile *file, bool durable, struct stat *ret_own)
{
    if (durable && sync_fd(file->fd) < 0)
        return -1;
    if (fstat(file->fd, ret_own) < 0)
        return -1;
    if (file->temporary[0] != '\0')
        return close(take_fd(&file->fd));

    int copy = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -1 : close(copy);
}

static bool
is_ours(int directory, const char *name, const struct stat *own)
{
    struct stat st;

    return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == own->st_dev &&
           st.st_ino == own->st_ino;
}

/* 0 or the reason. */
static int
link_to(struct newfile *file, const char *name, const struct stat *own)
{
    char source[PROC_NAME_SIZE];
    bool named = file->temporary[0] != '\0';
    int rc = named ? linkat(file->directory, file->temporary, file->directory, name, 0)
                   : linkat(AT_FDCWD, proc_name(file->fd, source), file->directory, name,
                            AT_SYMLINK_FOLLOW);

    if (rc == 0)
        return 0;
    int reason = errno;
    /* A repeated request whose first answer was lost is refused for what it did itself. */
    if (is_ours(file->directory, name, own))
        return 0;
    if (!named || (reason != EPERM && reason != EOPNOTSUPP && reason != ENOSYS))
        return reason;
    /* Perhaps a file system without hard links. */
    if (renameat2(file->directory, file->temporary, file->directory, name, RENAME_NOREPLACE) == 0) {
        file->temporary[0] = '\0';
        return 0;
    }
    return errno == EEXIST ? EEXIST : reason;
}

static int
rename_to(struct newfile *file, const char *name, const struct stat *own)
{
    if (file->temporary[0] == '\0') {
        char temporary[FS_TEMPORARY_SIZE];
        /* Mostly the name is free; then there is no second one that a kill could leave behind. */
        int reason = link_to(file, name, own);

        if (reason == 0)
            return 0;
        for (unsigned i = 0; i < NAME_TRIES && reason == EEXIST; i++) {
            make_temporary_name(temporary, i);
            reason = link_to(file, temporary, own);
        }
        if (reason != 0)
            return reason;
        memcpy(file->temporary, temporary, sizeof(temporary));
    }
    if (renameat(file->directory, file->temporary, file->directory, name) < 0) {
        int reason = errno;

        if (!is_ours(file->directory, name, own))
            return reason;
    }
    file->temporary[0] = '\0';
    return 0;
}

static int
commit(struct newfile *file, const char *name, bool durable, bool replace, struct err *err)
{
    char place[PLACE_SIZE];
    struct stat own;

    if (name[0] == '\0' || strchr(name, '/') != NULL)
        return err_set(err, ERR_INTERNAL, "\"%s\" is not a name in a directory", name);
    (void)place_of(file->directory, name, place);
    if (settle(file, durable, &own) < 0)
        return err_sys(err, errno, "could not write \"%s\"", place);

    int reason = replace ? rename_to(file, name, &own) : link_to(file, name, &own);
    if (reason == EEXIST && !replace)
        return FS_EXISTS;
    if (reason != 0)
        return err_sys(err, reason, "could not create \"%s\"", place);
    if (file->temporary[0] != '\0') {
        (void)unlinkat(file->directory, file->temporary, 0);
        file->temporary[0] = '\0';
    }
    return durable ? fs_sync_directory(file->directory, place, err) : 0;
}

int
newfile_commit_new(struct newfile *file, const char *name, bool durable, struct err *err)
{
    int rc = commit(file, name, durable, false, err);

    newfile_done(file);
    return rc;
}

int
newfile_commit_replace(struct newfile *file, const char *name, bool durable, struct err *err)
{
    int rc = commit(file, name, durable, true, err);

    newfile_done(file);
    return rc;
}

/* ---- directories ---- */

/* Open the directory `name`, making it if need be, and make its entry in `parent` durable. */
static int
make_directory(int parent, const char *name, int *ret_fd, struct err *err)
{
    char place[PLACE_SIZE];
    int fd = openat(parent, name, directory_flags | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(parent, name, S_IRWXU) < 0 && errno != EEXIST)
            return err_sys(err, errno, "could not create directory \"%s\"",
                           place_of(parent, name, place));
        fd = openat(parent, name, directory_flags | O_NOFOLLOW);
    }
    if (fd < 0)
        return err_sys(err, errno, "could not open directory \"%s\"",
                       place_of(parent, name, place));
    if (fs_sync_directory(parent, place_of(parent, ".", place), err) < 0) {
        (void)close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

int
fs_make_directories(int directory, const char *path, int *ret_fd, struct err *err)
{
    AUTO(fd) int parent = openat(directory, ".", directory_flags);
    char name[NAME_MAX + 1];

    if (parent < 0)
        return err_sys(err, errno, "could not open the directory of \"%s\"", path);
    for (const char *rest = path;; rest++) {
        size_t length = strcspn(rest, "/");

        if (length >= sizeof(name))
            return err_sys(err, ENAMETOOLONG, "could not create directory \"%s\"", path);
        memcpy(name, rest, length);
        name[length] = '\0';
        if (length == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            return err_set(err, ERR_INTERNAL, "\"%s\" is not a clean relative path", path);

        int next = -1;
        if (make_directory(parent, name, &next, err) < 0)
            return -1;
        (void)close(parent);
        parent = next;
        rest += length;
        if (*rest == '\0') {
            *ret_fd = take_fd(&parent);
            return 0;
        }
    }
}

/* ---- leftovers ---- */

/* The process in ".seawall-tmp.<pid>.<random>", or 0 if the name is not exactly of that form. */
static pid_t
temporary_owner(const char *name)
{
    static const size_t prefix = sizeof(FS_TEMPORARY_PREFIX) - 1;
    uint64_t pid = 0;

    if (strncmp(name, FS_TEMPORARY_PREFIX, prefix) != 0)
        return 0;
    const char *digits = name + prefix;
    size_t length = strcspn(digits, ".");
    if (digits[length] != '.' || !decimal_read(digits, length, INT_MAX, &pid))
        return 0;
    const char *random = digits + length + 1;
    if (strlen(random) != RANDOM_DIGITS || strspn(random, "0123456789abcdef") != RANDOM_DIGITS)
        return 0;
    return (pid_t)pid;
}

void
fs_clean_temporary(int directory)
{
    int fd = openat(directory, ".", directory_flags);
    AUTO(dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int64_t oldest = clock_real_us() / 1000000 - FS_TEMPORARY_AGE_S;

    if (dir == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        pid_t owner = temporary_owner(entry->d_name);
        struct stat st;

        if (owner <= 0 || kill(owner, 0) == 0 || errno != ESRCH)
            continue;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            st.st_uid == geteuid() && (int64_t)st.st_mtim.tv_sec < oldest)
            (void)unlinkat(fd, entry->d_name, 0);
    }
}
