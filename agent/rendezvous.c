/* SPDX-License-Identifier: PostgreSQL */
#include "agent/rendezvous.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"

#define SYSTEM_DIRECTORY "/run/seawall"
#define NAME_SIZE 64
#define BACKLOG 128

/* ---- the directory ---- */

static int
refuse_directory(const char *path, const char *why, struct err *err)
{
    (void)err_set(err, ERR_CONFIG, "runtime directory \"%s\" %s", path, why);
    return err_hint(err, "It must be a directory of the user that runs this command, and mode "
                         "0700; name another one with --runtime-dir or $SEAWALL_RUNTIME_DIR.");
}

/* A directory of ours, which nobody else may enter. */
static int
open_private(const char *path, int *ret_fd, struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return refuse_directory(path, "is not a directory, or a symbolic link to one", err);
    if (fd < 0 || fstat(fd, &st) < 0) {
        (void)err_sys(err, errno, "could not open runtime directory \"%s\"", path);
        err->kind = err->kind == ERR_INTERNAL ? ERR_INTERNAL : ERR_CONFIG;
        return -1;
    }
    if (st.st_uid != geteuid())
        return refuse_directory(path, "belongs to another user", err);
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return refuse_directory(path, "can be entered by others", err);
    *ret_fd = take_fd(&fd);
    return 0;
}

static int
make_and_open(const char *path, int *ret_fd, struct err *err)
{
    if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST) {
        (void)err_sys(err, errno, "could not create runtime directory \"%s\"", path);
        err->kind = ERR_CONFIG;
        return -1;
    }
    return open_private(path, ret_fd, err);
}

static int
find_directory(const char *runtime_dir, struct rendezvous *ret, struct err *err)
{
    struct err ignored = ERR_INIT;
    int length = 0;

    if (runtime_dir == NULL)
        runtime_dir = getenv("SEAWALL_RUNTIME_DIR");
    if (runtime_dir == NULL || runtime_dir[0] == '\0') {
        (void)snprintf(ret->path, sizeof(ret->path), "%s", SYSTEM_DIRECTORY);
        if (open_private(ret->path, &ret->directory, &ignored) == 0)
            return 0;
        length = snprintf(ret->path, sizeof(ret->path), "/tmp/seawall-%lu",
                          (unsigned long)geteuid());
    } else {
        length = snprintf(ret->path, sizeof(ret->path), "%s", runtime_dir);
    }
    if ((size_t)length >= sizeof(ret->path))
        return refuse_directory(ret->path, "has too long a name", err);
    return make_and_open(ret->path, &ret->directory, err);
}

/* ---- the key ---- */

/* FNV-1a of 64 bits: the directory is ours, so nobody chooses names to collide. */
static uint64_t
mix(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static int
make_key(const char *config_path, char *ret_key, struct err *err)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    struct stat st;

    if (stat(".", &st) < 0)
        return err_sys(err, errno, "could not look at the working directory");
    uint64_t place[2] = {(uint64_t)st.st_dev, (uint64_t)st.st_ino};
    hash = mix(hash, config_path, strlen(config_path) + 1);
    hash = mix(hash, place, sizeof(place));
    (void)snprintf(ret_key, RENDEZVOUS_KEY_SIZE, "%016llx", (unsigned long long)hash);
    return 0;
}

int
rendezvous_open(const char *runtime_dir, const char *config_path, struct rendezvous *ret,
                struct err *err)
{
    AUTO(rendezvous) struct rendezvous found = RENDEZVOUS_INIT;

    if (make_key(config_path, found.key, err) < 0 || find_directory(runtime_dir, &found, err) < 0)
        return -1;
    *ret = found;
    found = RENDEZVOUS_INIT;
    return 0;
}

void
rendezvous_done(struct rendezvous *rendezvous)
{
    if (rendezvous->directory >= 0)
        (void)close(rendezvous->directory);
    rendezvous->directory = -1;
}

/* ---- locks ---- */

static const char *
name_of(const struct rendezvous *rendezvous, const char *suffix, char *ret_name)
{
    (void)snprintf(ret_name, NAME_SIZE, "%s.%s", rendezvous->key, suffix);
    return ret_name;
}

int
rendezvous_lock(const struct rendezvous *rendezvous, const char *which, int *ret_fd,
                struct err *err)
{
    char name[NAME_SIZE];
    AUTO(fd)
    int fd = openat(rendezvous->directory, name_of(rendezvous, which, name),
                    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (fd < 0)
        return err_sys(err, errno, "could not open \"%s/%s\"", rendezvous->path, name);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return RENDEZVOUS_TAKEN;
        if (errno != EINTR)
            return err_sys(err, errno, "could not lock \"%s/%s\"", rendezvous->path, name);
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

/* ---- the mark ---- */

void
rendezvous_mark(const struct rendezvous *rendezvous)
{
    char name[NAME_SIZE];
    AUTO(fd)
    int fd = openat(rendezvous->directory, name_of(rendezvous, "silent", name),
                    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (fd >= 0)
        (void)futimens(fd, NULL);
}

enum rendezvous_mark
rendezvous_look_mark(const struct rendezvous *rendezvous)
{
    char name[NAME_SIZE];
    struct stat st;

    if (fstatat(rendezvous->directory, name_of(rendezvous, "silent", name), &st,
                AT_SYMLINK_NOFOLLOW) < 0)
        return RENDEZVOUS_MARK_NONE;
    int64_t age_ms = clock_real_us() / 1000 -
                     ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    /* A mark of the future is from before the clock was set. */
    return age_ms >= 0 && age_ms < RENDEZVOUS_MARK_MS ? RENDEZVOUS_MARK_FRESH
                                                      : RENDEZVOUS_MARK_OLD;
}

void
rendezvous_unmark(const struct rendezvous *rendezvous)
{
    char name[NAME_SIZE];

    (void)unlinkat(rendezvous->directory, name_of(rendezvous, "silent", name), 0);
}

/* ---- sockets ---- */

/* Through the open directory: short enough for a socket's address, and never another directory. */
static void
address_of(const struct rendezvous *rendezvous, const char *name, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s",
                   rendezvous->directory, name);
}

static bool
read_peer(int socket, struct ucred *ret)
{
    socklen_t size = sizeof(*ret);

    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, ret, &size) == 0 && size == sizeof(*ret);
}

bool
rendezvous_admits(int socket)
{
    struct ucred peer;

    return read_peer(socket, &peer) && (peer.uid == geteuid() || peer.uid == 0);
}

static int
new_socket(int *ret_fd, struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        (void)err_sys(err, errno, "could not create a socket");
        err->kind = ERR_INTERNAL;
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

int
rendezvous_connect(const struct rendezvous *rendezvous, int *ret_fd, pid_t *ret_pid,
                   struct err *err)
{
    char name[NAME_SIZE];
    struct sockaddr_un address;
    struct ucred peer;
    AUTO(fd) int fd = -1;

    if (new_socket(&fd, err) < 0)
        return -1;
    address_of(rendezvous, name_of(rendezvous, "sock", name), &address);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return RENDEZVOUS_BUSY;
        if (errno == ENOENT || errno == ECONNREFUSED)
            return RENDEZVOUS_NOBODY;
        return err_sys(err, errno, "could not connect to \"%s/%s\"", rendezvous->path, name);
    }
    if (!read_peer(fd, &peer) || peer.uid != geteuid())
        return err_set(err, ERR_CONFIG, "\"%s/%s\" is served by another user", rendezvous->path,
                       name);
    *ret_pid = peer.pid;
    *ret_fd = take_fd(&fd);
    return 0;
}

/* What agents left that were killed before their socket had its name. */
static void
remove_leftovers(const struct rendezvous *rendezvous)
{
    char prefix[NAME_SIZE];
    int fd = openat(rendezvous->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    size_t length = strlen(name_of(rendezvous, "sock.", prefix));

    if (dir == NULL && fd >= 0)
        (void)close(fd);
    for (const struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL;
         entry = readdir(dir))
        if (strncmp(entry->d_name, prefix, length) == 0)
            (void)unlinkat(rendezvous->directory, entry->d_name, 0);
}

int
rendezvous_listen(const struct rendezvous *rendezvous, int *ret_fd, struct stat *ret_st,
                  struct err *err)
{
    char name[NAME_SIZE];
    char temporary[NAME_SIZE];
    struct sockaddr_un address;
    struct stat st;
    AUTO(fd) int fd = -1;

    remove_leftovers(rendezvous);
    if (new_socket(&fd, err) < 0)
        return -1;
    (void)name_of(rendezvous, "sock", name);
    (void)snprintf(temporary, sizeof(temporary), "%s.sock.%ld", rendezvous->key, (long)getpid());
    address_of(rendezvous, temporary, &address);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return err_sys(err, errno, "could not create \"%s/%s\"", rendezvous->path, temporary);
    /* It has its name only when somebody listens: a name nobody answers on is a dead agent's. */
    if (listen(fd, BACKLOG) < 0 ||
        fstatat(rendezvous->directory, temporary, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        renameat(rendezvous->directory, temporary, rendezvous->directory, name) < 0) {
        (void)err_sys(err, errno, "could not create \"%s/%s\"", rendezvous->path, name);
        (void)unlinkat(rendezvous->directory, temporary, 0);
        return -1;
    }
    *ret_st = st;
    *ret_fd = take_fd(&fd);
    return 0;
}

bool
rendezvous_is_mine(const struct rendezvous *rendezvous, const struct stat *st)
{
    char name[NAME_SIZE];
    struct stat now;

    return fstatat(rendezvous->directory, name_of(rendezvous, "sock", name), &now,
                   AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

void
rendezvous_remove(const struct rendezvous *rendezvous, const struct stat *st)
{
    char name[NAME_SIZE];

    if (rendezvous_is_mine(rendezvous, st))
        (void)unlinkat(rendezvous->directory, name_of(rendezvous, "sock", name), 0);
}
