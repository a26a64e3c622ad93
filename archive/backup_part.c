/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_part_private.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"

#define FIRST_CAPACITY 64
#define BYTES_MODE 0600

struct part_source {
    atomic_uint references;
    int fd;
};

/* ---- items ---- */

static size_t
path_length(const struct walk_directory *directory, const char *name)
{
    return strlen(name) + (directory == NULL ? 0 : strlen(walk_directory_path(directory)) + 1);
}

/* What the item's header may take. */
static size_t
header_cost(const struct walk_directory *directory, const char *name)
{
    /* A directory's path ends with a slash. */
    return tar_header_bound(path_length(directory, name) + 1);
}

static void
item_done(struct part_item *item)
{
    walk_directory_release(item->directory);
    part_source_release(item->source);
    free(item->name);
    free(item->bytes);
}

/* One more item, the last_item() now, which is the caller's to fill. 0 or -1. */
static int
add_item(struct part *part, struct walk_directory *directory, const char *name, struct err *err)
{
    if (part->n_items == part->capacity) {
        size_t capacity = MAX_OF(part->capacity * 2, (size_t)FIRST_CAPACITY);
        struct part_item *items = reallocarray(part->items, capacity, sizeof(*items));

        if (items == NULL)
            return err_memory(err, "backup part");
        part->items = items;
        part->capacity = capacity;
    }
    struct part_item *item = &part->items[part->n_items];
    *item = (struct part_item){.name = strdup(name)};
    if (item->name == NULL)
        return err_memory(err, "backup part");
    if (directory != NULL)
        item->directory = walk_directory_hold(directory);
    part->n_items++;
    return 0;
}

static struct part_item *
last_item(const struct part *part)
{
    return &part->items[part->n_items - 1];
}

/* Does one more item of this cost fit? An empty part takes anything that fits at all. */
static bool
fits(const struct part *part, const struct walk_directory *directory, size_t cost)
{
    bool another = directory != part->last_directory;

    return part->n_items < PART_ITEMS_MAX && cost <= PART_SIZE_MAX - part->planned &&
           part->path_bytes < PART_PATHS_MAX - WALK_PATH_MAX &&
           (!another || part->n_directories < PART_DIRECTORIES_MAX);
}

static void
count_item(struct part *part, struct part_item *item, size_t cost)
{
    const struct walk_directory *directory = item->directory;

    item->cost = cost;
    part->planned += cost;
    part->path_bytes += path_length(directory, item->name);
    if (directory != part->last_directory) {
        part->last_directory = directory;
        part->n_directories++;
    }
}

int
part_add(struct part *part, const struct walk_entry *entry, struct err *err)
{
    size_t cost = header_cost(entry->directory, entry->name);
    uint64_t size = entry->is_directory ? 0 : (uint64_t)entry->st.st_size;

    if (size > PART_SIZE_MAX - cost - TAR_BLOCK)
        return PART_FULL;
    cost += (size_t)size + tar_padding(size);
    if (!fits(part, entry->directory, cost))
        return PART_FULL;
    if (add_item(part, entry->directory, entry->name, err) < 0)
        return -1;
    struct part_item *item = last_item(part);
    item->kind = entry->is_directory ? PART_DIRECTORY : PART_FILE;
    item->st = entry->st;
    item->relation = entry->relation;
    item->segment = entry->segment;
    count_item(part, item, cost);
    return 0;
}

int
part_add_bytes(struct part *part, const char *path, uint8_t *bytes, size_t size, struct err *err)
{
    AUTO(ptr) uint8_t *owned = bytes;

    if (size > PART_SIZE_MAX / 2)
        return err_set(err, ERR_INTERNAL, "\"%s\" is too large for the backup", path);
    if (add_item(part, NULL, path, err) < 0)
        return -1;
    struct part_item *item = last_item(part);
    item->kind = PART_BYTES;
    item->bytes = TAKE_PTR(owned);
    item->st.st_size = (off_t)size;
    item->st.st_mode = BYTES_MODE;
    item->st.st_uid = geteuid();
    item->st.st_gid = getegid();
    item->st.st_mtim.tv_sec = clock_real_us() / 1000000;
    count_item(part, item, header_cost(NULL, path) + size + tar_padding(size));
    return 0;
}

int
part_add_end(struct part *part, struct err *err)
{
    if (add_item(part, NULL, "", err) < 0)
        return -1;
    struct part_item *item = last_item(part);
    item->kind = PART_END;
    count_item(part, item, END_SIZE);
    return 0;
}

/* ---- large files ---- */

int
part_source_open(struct walk_entry *entry, struct part_source **ret_source, struct err *err)
{
    AUTO(part_source) struct part_source *source = calloc(1, sizeof(*source));
    char path[WALK_PATH_MAX];

    if (source == NULL)
        return err_memory(err, "backup part");
    source->fd = -1;
    atomic_init(&source->references, 1);
    walk_path(entry->directory, entry->name, path);
    int rc = fs_open_file(walk_directory_fd(entry->directory), entry->name, path, &source->fd,
                          &entry->st, err);
    if (rc != 0)
        return rc == FS_ABSENT ? PART_GONE : -1;
    *ret_source = TAKE_PTR(source);
    return 0;
}

void
part_source_release(struct part_source *source)
{
    if (source == NULL || atomic_fetch_sub(&source->references, 1) != 1)
        return;
    if (source->fd >= 0)
        (void)close(source->fd);
    free(source);
}

int
part_add_piece(struct part *part, const struct walk_entry *entry, struct part_source *source,
               uint64_t *offset, struct err *err)
{
    size_t cost = *offset == 0 ? header_cost(entry->directory, entry->name) : 0;
    uint64_t left = (uint64_t)entry->st.st_size - *offset;

    if (!fits(part, entry->directory, cost + PART_PIECE_ALIGN))
        return PART_FULL;
    size_t room = PART_SIZE_MAX - part->planned - cost;
    uint64_t length = left;
    if (left + tar_padding(left) > room)
        length = room / PART_PIECE_ALIGN * PART_PIECE_ALIGN;
    if (add_item(part, entry->directory, entry->name, err) < 0)
        return -1;
    struct part_item *item = last_item(part);
    atomic_fetch_add(&source->references, 1);
    item->kind = PART_PIECE;
    item->source = source;
    item->st = entry->st;
    item->relation = entry->relation;
    item->segment = entry->segment;
    item->offset = *offset;
    item->length = length;
    *offset += length;
    bool last = length == left;
    count_item(part, item, cost + (size_t)length + (last ? tar_padding(length) : 0));
    return last ? 0 : PART_FULL;
}

void
part_done(struct part *part)
{
    for (size_t i = 0; i < part->n_items; i++)
        item_done(&part->items[i]);
    free(part->items);
    for (size_t i = 0; i < part->n_damage; i++)
        free(part->damage[i].path);
    free(part->damage);
    *part = PART_INIT;
}

int
part_source_fd(const struct part_source *source)
{
    return source->fd;
}
