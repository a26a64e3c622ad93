/* SPDX-License-Identifier: PostgreSQL */
/*
 * The second half of backup_part.h: reading a planned part's files into tar.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "archive/backup_part_private.h"
#include "archive/tar_member.h"
#include "base/fs.h"
#include "base/process.h"
#include "wal/crc32c.h"
#include "wal/page_checksum.h"

/* Read, checked and summed up while it is in the processor's cache. */
#define READ_SIZE ((size_t)256 << 10)

struct build {
    struct part *part;
    const struct part_rules *rules;
    struct buf *tar;
    size_t reserved; /* what the items behind this one may take */
};

/* Content to be read: bytes [offset, offset + length) of an open file. */
struct content {
    struct part_item *item;
    const char *path;
    int fd;
    uint64_t offset;
    uint64_t length;
};

static void
item_path(const struct part_item *item, char *ret_path)
{
    if (item->directory == NULL)
        (void)snprintf(ret_path, WALK_PATH_MAX, "%s", item->name);
    else
        walk_path(item->directory, item->name, ret_path);
}

static int
append(struct buf *tar, const void *bytes, size_t size, struct err *err)
{
    int rc = buf_append(tar, bytes, size, err);

    return rc <= 0 ? rc : err_set(err, ERR_INTERNAL, "a part of the backup was planned too large");
}

static int
append_zeros(struct buf *tar, size_t size, struct err *err)
{
    static const uint8_t zeros[END_SIZE];

    return append(tar, zeros, size, err);
}

static int
append_header(struct build *build, const struct part_item *item, const char *path, uint64_t size,
              struct err *err)
{
    struct tar_member member = {
        .path = path,
        .directory = item->kind == PART_DIRECTORY,
        .mode = item->st.st_mode & 07777,
        .uid = item->st.st_uid,
        .gid = item->st.st_gid,
        .mtime = item->st.st_mtim.tv_sec,
        .size = size,
    };
    int rc = tar_member_header(&member, build->tar, err);

    return rc <= 0 ? rc : err_set(err, ERR_INTERNAL, "a part of the backup was planned too large");
}

/* ---- pages ---- */

static int
note_damage(struct part *part, const char *path, uint32_t block, struct err *err)
{
    part->damage_count++;
    if (part->n_damage == BACKUP_DAMAGE_MAX)
        return 0;
    if (part->damage == NULL) {
        part->damage = calloc(BACKUP_DAMAGE_MAX, sizeof(*part->damage));
        if (part->damage == NULL)
            return err_memory(err, "damaged pages");
    }
    struct backup_damage *damage = &part->damage[part->n_damage];
    damage->path = strdup(path);
    if (damage->path == NULL)
        return err_memory(err, "damaged pages");
    damage->block = block;
    part->n_damage++;
    return 0;
}

/* Read fully, as far as the file goes. *ret_got tells how far. */
static int
read_at(const struct content *content, uint64_t offset, uint8_t *bytes, size_t size,
        size_t *ret_got, struct err *err)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = pread(content->fd, bytes + got, size - got, (off_t)(offset + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "could not read \"%s\"", content->path);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret_got = got;
    return 0;
}

/* The server may have been writing the page: what is there now decides, and goes into the backup.
 */
static int
read_again(const struct build *build, const struct content *content, uint64_t offset, uint8_t *page,
           struct err *err)
{
    const struct part_rules *rules = build->rules;
    uint32_t block = content->item->segment * rules->relation_segment_pages +
                     (uint32_t)(offset / rules->block_size);
    uint8_t again[PAGE_CHECKSUM_PAGE_MAX];
    size_t got = 0;

    if (read_at(content, offset, again, rules->block_size, &got, err) < 0)
        return -1;
    /* The file became shorter meanwhile: replaying WAL does that again. */
    if (got < rules->block_size)
        return 0;
    memcpy(page, again, rules->block_size);
    if (page_checksum_judge(page, rules->block_size, block, rules->start_lsn) != PAGE_BAD)
        return 0;
    return note_damage(build->part, content->path, block, err);
}

/* `size` bytes at `offset`, which is the beginning of a page. */
static int
check_pages(const struct build *build, const struct content *content, uint64_t offset,
            uint8_t *bytes, size_t size, struct err *err)
{
    const struct part_rules *rules = build->rules;
    size_t block_size = rules->block_size;

    for (size_t at = 0; at + block_size <= size; at += block_size) {
        uint32_t block = content->item->segment * rules->relation_segment_pages +
                         (uint32_t)((offset + at) / block_size);

        if (page_checksum_judge(bytes + at, block_size, block, rules->start_lsn) == PAGE_BAD &&
            read_again(build, content, offset + at, bytes + at, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- content ---- */

static int
append_content(struct build *build, const struct content *content, struct err *err)
{
    struct part_item *item = content->item;
    bool check = item->relation && build->rules->checksums;
    bool ended = false;

    item->part_offset = build->tar->size;
    item->crc32c = 0;
    for (uint64_t done = 0; done < content->length;) {
        size_t size = (size_t)MIN_OF(content->length - done, (uint64_t)READ_SIZE);
        size_t got = 0;
        int rc = buf_reserve(build->tar, size, err);

        if (rc != 0)
            return rc < 0 ? -1 : err_set(err, ERR_INTERNAL, "a part was planned too large");
        uint8_t *place = build->tar->data + build->tar->size;
        uint64_t offset = content->offset + done;
        if (!ended && read_at(content, offset, place, size, &got, err) < 0)
            return -1;
        /* What was cut off meanwhile is zeros, and stays so should the file grow again. */
        ended = got < size;
        memset(place + got, 0, size - got);
        if (check && check_pages(build, content, offset, place, got, err) < 0)
            return -1;
        item->crc32c = crc32c(item->crc32c, place, size);
        build->tar->size += size;
        done += size;
        if (process_stop_requested() != 0)
            return err_set(err, ERR_TRANSIENT, "interrupted while reading \"%s\"", content->path);
    }
    return 0;
}

/*
 * How much of a file that has `now` bytes goes in. It may have grown since it was planned; files
 * that are replaced as a whole must not be cut, so what room there is is given.
 */
static uint64_t
size_to_read(const struct build *build, const struct part_item *item, uint64_t now)
{
    uint64_t planned = (uint64_t)item->st.st_size;
    size_t header =
        tar_header_bound(strlen(item->name) + strlen(walk_directory_path(item->directory)) + 2);
    size_t taken = build->tar->size + build->reserved + header + TAR_BLOCK;
    uint64_t room = taken < PART_SIZE_MAX ? PART_SIZE_MAX - taken : 0;

    return MIN_OF(now, MAX_OF(planned, room));
}

static int
build_file(struct build *build, struct part_item *item, const char *path, struct err *err)
{
    struct stat st;
    AUTO(fd) int fd = -1;
    int rc = fs_open_file(walk_directory_fd(item->directory), item->name, path, &fd, &st, err);

    if (rc < 0)
        return -1;
    if (rc == FS_ABSENT) {
        item->gone = true;
        return 0;
    }
    uint64_t size = size_to_read(build, item, (uint64_t)st.st_size);
    struct content content = {item, path, fd, 0, size};
    item->st = st;
    item->st.st_size = (off_t)size;
    item->length = size;
    if (append_header(build, item, path, size, err) < 0 || append_content(build, &content, err) < 0)
        return -1;
    return append_zeros(build->tar, tar_padding(size), err);
}

static int
build_piece(struct build *build, struct part_item *item, const char *path, struct err *err)
{
    struct content content = {item, path, part_source_fd(item->source), item->offset, item->length};
    uint64_t size = (uint64_t)item->st.st_size;

    if (item->offset == 0 && append_header(build, item, path, size, err) < 0)
        return -1;
    if (append_content(build, &content, err) < 0)
        return -1;
    bool last = item->offset + item->length == size;
    return last ? append_zeros(build->tar, tar_padding(size), err) : 0;
}

static int
build_bytes(struct build *build, struct part_item *item, const char *path, struct err *err)
{
    size_t size = (size_t)item->st.st_size;

    if (append_header(build, item, path, size, err) < 0)
        return -1;
    item->part_offset = build->tar->size;
    item->crc32c = crc32c(0, item->bytes, size);
    item->length = size;
    if (append(build->tar, item->bytes, size, err) < 0)
        return -1;
    return append_zeros(build->tar, tar_padding(size), err);
}

static int
build_item(struct build *build, struct part_item *item, struct err *err)
{
    char path[WALK_PATH_MAX];

    item_path(item, path);
    switch (item->kind) {
    case PART_DIRECTORY:
        return append_header(build, item, path, 0, err);
    case PART_FILE:
        return build_file(build, item, path, err);
    case PART_PIECE:
        return build_piece(build, item, path, err);
    case PART_BYTES:
        return build_bytes(build, item, path, err);
    case PART_END:
        return append_zeros(build->tar, END_SIZE, err);
    }
    return 0;
}

int
part_build(struct part *part, const struct part_rules *rules, struct buf *tar, struct err *err)
{
    struct build build = {.part = part, .rules = rules, .tar = tar, .reserved = part->planned};

    buf_clear(tar);
    for (size_t i = 0; i < part->n_items; i++) {
        build.reserved -= part->items[i].cost;
        if (build_item(&build, &part->items[i], err) < 0)
            return -1;
    }
    return 0;
}
