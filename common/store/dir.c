/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/process.h"
#include "store/dir_made.h"
#include "store/dir_private.h"

#define SCHEME "file://"
#define FILE_MODE (S_IRUSR | S_IWUSR)
#define PIECE_SIZE MIB /* between two looks at the clock */
#define READ_TRIES 3
#define PUT_TRIES 3
#define LABEL_SIZE (PATH_MAX + STORE_NAME_MAX + 2)

enum dir_outcome {
    DIR_CHANGED = 100, /* the file changed while it was read */
};

struct dir_store {
    struct store base;
    int root;
    struct dir_made made;
    bool cleaned; /* leftovers were looked for */
};

/* Where an object is, while a request on it is under way. */
struct place {
    int parent;
    const char *name; /* in the parent */
    char label[LABEL_SIZE];
};

#define PLACE_INIT ((struct place){.parent = -1})

static void
place_done(struct place *place)
{
    cleanup_fd(&place->parent);
}

DEFINE_CLEANUP(place, struct place, place_done);

int
dir_check_time(const struct store_task *task, struct err *err)
{
    char text[TASK_TEXT_SIZE];
    int number = process_stop_requested();

    if (number != 0)
        return err_set(err, ERR_TRANSIENT, "%s: stopped by signal %d", task_text(task, text),
                       number);
    if (clock_boot_ms() >= task->limits.deadline_ms)
        return err_set(err, ERR_TRANSIENT, "%s: not done before the deadline",
                       task_text(task, text));
    return 0;
}

/* ---- ways below the root ---- */

int
dir_check_root(int root, struct err *err)
{
    struct stat st;

    if (fstat(root, &st) < 0)
        return err_sys(err, errno, "could not look at the store's directory");
    if (st.st_nlink == 0)
        return err_set(err, ERR_TRANSIENT, "the store's directory was removed");
    return 0;
}

int
dir_open_below(int root, const char *path, size_t length, int *ret_fd, struct err *err)
{
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    AUTO(fd) int here = openat(root, ".", flags);
    char name[NAME_MAX + 1];

    for (size_t begin = 0; here >= 0 && begin < length;) {
        size_t size = strcspn(path + begin, "/");

        size = MIN_OF(size, length - begin);
        if (size >= sizeof(name))
            return err_sys(err, ENAMETOOLONG, "could not open directory \"%s\"", path);
        memcpy(name, path + begin, size);
        name[size] = '\0';
        begin += size + 1;

        int next = openat(here, name, flags);
        if (next < 0 && errno == ENOENT)
            return dir_check_root(root, err) < 0 ? -1 : STORE_ABSENT;
        if (next < 0)
            return err_sys(err, errno, "could not open directory \"%s\" of \"%s\"", name, path);
        (void)close(here);
        here = next;
    }
    if (here < 0)
        return err_sys(err, errno, "could not open the store's directory");
    *ret_fd = take_fd(&here);
    return 0;
}

static size_t
parent_length(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash == NULL ? 0 : (size_t)(slash - name);
}

/* 0, STORE_ABSENT, or -1. */
static int
place_find(const struct dir_store *store, const char *name, struct place *ret_place,
           struct err *err)
{
    size_t length = parent_length(name);
    int rc = dir_open_below(store->root, name, length, &ret_place->parent, err);

    ret_place->name = length == 0 ? name : name + length + 1;
    (void)snprintf(ret_place->label, sizeof(ret_place->label), "%s/%s",
                   store->base.place + strlen(SCHEME), name);
    return rc;
}

/* The same, with the directories made and durable. 0 or -1. */
static int
place_make(struct dir_store *store, const char *name, struct place *ret_place, struct err *err)
{
    char path[STORE_NAME_MAX + 1];
    size_t length = parent_length(name);
    int rc = place_find(store, name, ret_place, err);

    if (rc < 0 || length == 0)
        return rc;
    memcpy(path, name, length);
    path[length] = '\0';
    if (rc == 0 && dir_made_has(&store->made, path, ret_place->parent))
        return 0;
    cleanup_fd(&ret_place->parent);
    if (fs_make_directories(store->root, path, &ret_place->parent, err) < 0)
        return -1;
    dir_made_add(&store->made, path, ret_place->parent);
    return 0;
}

/* ---- put ---- */

static int
write_spans(const struct store_task *task, int fd, const char *label, struct err *err)
{
    for (size_t i = 0; i < task->n_spans; i++) {
        const struct span *span = &task->spans[i];

        for (size_t done = 0; done < span->size;) {
            size_t size = MIN_OF(span->size - done, PIECE_SIZE);

            if (dir_check_time(task, err) < 0 ||
                io_write_full(fd, span->data + done, size, label, err) < 0)
                return -1;
            done += size;
        }
    }
    return 0;
}

/*
 * The name is taken. Who hears so may go on to find the content equal and count on it, but
 * whoever put it may not have come as far as making it durable.
 */
static int
settle_existing(const struct place *place, struct err *err)
{
    AUTO(fd) int fd = -1;
    int rc = fs_open_file(place->parent, place->name, place->label, &fd, NULL, err);

    if (rc == FS_ABSENT)
        return err_set(err, ERR_TRANSIENT, "\"%s\" was removed while it was looked at",
                       place->label);
    if (rc < 0)
        return -1;
    if (fsync(fd) < 0)
        return err_sys(err, errno, "could not fsync \"%s\"", place->label);
    return fs_sync_directory(place->parent, place->label, err) < 0 ? -1 : STORE_EXISTS;
}

static int
put_once(struct dir_store *store, struct store_task *task, struct err *err)
{
    AUTO(place) struct place place = PLACE_INIT;
    AUTO(newfile) struct newfile file = NEWFILE_INIT;
    struct stat st;

    if (place_make(store, task->name, &place, err) < 0)
        return -1;
    /* Spares the writing, and lets a full disk answer; the commit is what decides. */
    if (fstatat(place.parent, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return settle_existing(&place, err);
    if (newfile_create(&file, place.parent, FILE_MODE, err) < 0)
        return -1;
    if (file.temporary[0] != '\0' && !store->cleaned) {
        store->cleaned = true;
        fs_clean_temporary(place.parent);
    }
    if (write_spans(task, file.fd, place.label, err) < 0)
        return -1;

    int rc = newfile_commit_new(&file, place.name, true, err);
    return rc == FS_EXISTS ? settle_existing(&place, err) : rc;
}

static int
put(struct dir_store *store, struct store_task *task, struct err *err)
{
    int rc = put_once(store, task, err);

    /* The directory was removed meanwhile: it is made again. */
    for (unsigned i = 1; i < PUT_TRIES && rc < 0 && err->sys == ENOENT; i++) {
        err_clear(err);
        if (dir_check_root(store->root, err) < 0)
            return -1;
        rc = put_once(store, task, err);
    }
    return rc;
}

/* ---- get ---- */

/* 0, DIR_CHANGED, or -1. */
static int
read_bytes(struct store_task *task, int fd, uint64_t offset, uint64_t size, const char *label,
           struct err *err)
{
    struct buf *body = &task->body;

    while (body->size < size) {
        size_t piece = (size_t)MIN_OF(size - body->size, (uint64_t)PIECE_SIZE);

        if (dir_check_time(task, err) < 0)
            return -1;
        ssize_t n = pread(fd, body->data + body->size, piece, (off_t)(offset + body->size));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "could not read \"%s\"", label);
        if (n == 0)
            return DIR_CHANGED;
        body->size += (size_t)n;
    }
    return 0;
}

/* 0, STORE_ABSENT, DIR_CHANGED, or -1. */
static int
read_once(const struct dir_store *store, struct store_task *task, const struct place *place,
          struct err *err)
{
    AUTO(fd) int fd = -1;
    struct stat before;
    struct stat after;
    int rc = fs_open_file(place->parent, place->name, place->label, &fd, &before, err);

    if (rc == FS_ABSENT)
        return dir_check_root(store->root, err) < 0 ? -1 : STORE_ABSENT;
    if (rc < 0)
        return -1;

    uint64_t all = (uint64_t)before.st_size;
    uint64_t begin = MIN_OF(task->range.offset, all);
    uint64_t size = task->range.size == 0 ? all : MIN_OF(task->range.size, all - begin);
    if (size > task->range.max_size)
        return err_set(err, ERR_CORRUPT, "\"%s\" is too large (%llu bytes)", place->label,
                       (unsigned long long)size);
    buf_clear(&task->body);
    if (buf_reserve(&task->body, (size_t)size, err) != 0)
        return err_memory(err, place->label);

    rc = read_bytes(task, fd, begin, size, place->label, err);
    if (rc != 0)
        return rc;
    if (fstat(fd, &after) < 0)
        return err_sys(err, errno, "could not look at \"%s\"", place->label);
    return after.st_size == before.st_size ? 0 : DIR_CHANGED;
}

static int
get(const struct dir_store *store, struct store_task *task, struct err *err)
{
    AUTO(place) struct place place = PLACE_INIT;
    int rc = place_find(store, task->name, &place, err);

    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < READ_TRIES; i++) {
        rc = read_once(store, task, &place, err);
        if (rc != DIR_CHANGED)
            return rc;
    }
    return err_set(err, ERR_TRANSIENT, "\"%s\" changes while it is read", place.label);
}

/* ---- delete ---- */

static int
remove_object(const struct dir_store *store, const struct store_task *task, struct err *err)
{
    AUTO(place) struct place place = PLACE_INIT;
    int rc = place_find(store, task->name, &place, err);

    if (rc != 0)
        return rc == STORE_ABSENT ? 0 : -1;
    if (unlinkat(place.parent, place.name, 0) < 0 && errno != ENOENT)
        return err_sys(err, errno, "could not remove \"%s\"", place.label);
    if (dir_check_root(store->root, err) < 0)
        return -1;
    /* Expire relies on the order of deletions; an absence may be somebody's deletion too. */
    return fs_sync_directory(place.parent, place.label, err);
}

/* ---- the store ---- */

/* Our temporary files share the directories with the objects and must not be taken for one. */
static bool
is_temporary(const char *name)
{
    return strncmp(name, FS_TEMPORARY_PREFIX, strlen(FS_TEMPORARY_PREFIX)) == 0 ||
           strstr(name, "/" FS_TEMPORARY_PREFIX) != NULL;
}

/*
 * Since the store was opened its directory may have been mounted, or made anew. A process that
 * lives long sees what one sees that begins now.
 */
static int
follow_root(struct dir_store *store, struct err *err)
{
    const char *path = store->base.place + strlen(SCHEME);
    struct stat own;
    struct stat there;
    int root = -1;

    if (fstat(store->root, &own) == 0 && stat(path, &there) == 0 && own.st_dev == there.st_dev &&
        own.st_ino == there.st_ino)
        return 0;
    if (fs_open_directory(path, &root, err) < 0) {
        err->kind = ERR_TRANSIENT;
        return -1;
    }
    (void)close(store->root);
    store->root = root;
    return 0;
}

static int
run(struct dir_store *store, struct store_task *task, struct err *err)
{
    if (dir_check_time(task, err) < 0 || follow_root(store, err) < 0)
        return -1;
    switch (task->kind) {
    case TASK_PUT:
        return put(store, task, err);
    case TASK_GET:
        return get(store, task, err);
    case TASK_LIST:
        return dir_list(store->root, task, err);
    case TASK_DELETE:
        return remove_object(store, task, err);
    }
    return err_set(err, ERR_INTERNAL, "unknown request");
}

static int
dir_start(struct store_task *task, struct err *err)
{
    struct dir_store *store = (struct dir_store *)task->store;
    struct err failed = ERR_INIT;

    if (is_temporary(task->name) && task->kind != TASK_LIST)
        return err_set(err, ERR_INTERNAL, "\"%s\" is the name of a temporary file", task->name);
    task->attempts = 1;

    int rc = run(store, task, &failed);
    if (rc >= 0) {
        task_end(task, rc);
        return 0;
    }
    dir_judge(&failed);
    task_fail(task, &failed);
    return 0;
}

static void
dir_close(struct store *base)
{
    struct dir_store *store = (struct dir_store *)base;

    dir_made_done(&store->made);
    cleanup_fd(&store->root);
    free(store->base.place);
    free(store);
}

static const struct store_ops dir_ops = {
    .creates_exclusively = true,
    .start = dir_start,
    .close = dir_close,
};

/* ---- opening ---- */

/* An absolute path that can be read in one way only; trailing slashes are dropped. */
static int
read_url(const char *url, char *ret_path, struct err *err)
{
    const char *path = url + strlen(SCHEME);
    size_t length = strlen(path);
    char quoted[256];

    while (length > 0 && path[length - 1] == '/')
        length--;
    bool good = length > 0 && length < PATH_MAX && path[0] == '/';
    for (size_t i = 0; good && i < length; i++) {
        unsigned char byte = (unsigned char)path[i];

        if (byte == '/') {
            size_t size = strcspn(path + i + 1, "/");

            good = size > 0 && strncmp(path + i + 1, "..", MAX_OF(size, 2)) != 0 &&
                   !(size == 1 && path[i + 1] == '.');
        } else {
            good = byte >= 0x20 && byte != 0x7f && strchr("%?#\\\"", byte) == NULL;
        }
    }
    if (!good) {
        (void)err_set(err, ERR_CONFIG, "the url \"%s\" does not name a directory",
                      err_quote(url, strlen(url), quoted, sizeof(quoted)));
        return err_hint(err, "Write file:///directory: an absolute path as it is, without \"..\", "
                             "percent-encoding, \"?\" or \"#\".");
    }
    memcpy(ret_path, path, length);
    ret_path[length] = '\0';
    return 0;
}

int
dir_open(struct store_loop *loop, const struct store_config *config, struct store **ret_store,
         struct err *err)
{
    char path[PATH_MAX];
    AUTO(fd) int root = -1;

    if (read_url(config->url, path, err) < 0)
        return -1;
    if (fs_open_directory(path, &root, err) < 0) {
        if (err->sys == ENOTDIR || err->sys == ELOOP)
            err->kind = ERR_CONFIG;
        if (err->sys == ENOENT)
            return err_hint(err, "Mount the file system it is on, or create the directory if the "
                                 "store is new; if it is lost for good, take it out of stores.");
        return -1;
    }

    AUTO(ptr) struct dir_store *store = calloc(1, sizeof(*store));
    AUTO(ptr) char *place = malloc(strlen(SCHEME) + strlen(path) + 1);
    if (store == NULL || place == NULL)
        return err_memory(err, "directory store");
    memcpy(place, SCHEME, strlen(SCHEME));
    memcpy(place + strlen(SCHEME), path, strlen(path) + 1);
    store->base = (struct store){.ops = &dir_ops, .loop = loop, .place = TAKE_PTR(place)};
    dir_made_init(&store->made);
    store->root = take_fd(&root);
    *ret_store = &TAKE_PTR(store)->base;
    return 0;
}
